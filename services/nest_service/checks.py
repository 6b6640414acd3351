"""Checks that the names in an experiment exist in the networks that were built."""

from __future__ import annotations

from collections.abc import Iterable

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.experiment.spiking import Analog
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.model.timegrid import InexactTimeError, ticks_of
from tvb_nest_cosim.cosim_core.plugins import suggest
from tvb_nest_cosim.nest_service.context import Nest
from tvb_nest_cosim.nest_service.regions import Region


def check_names(nest: Nest, regions: Iterable[Region], plan: RunPlan) -> list[Fault]:
    """Finds every population, neuron and variable that is named but does not exist.

    Returns:
        Faults without repetition: regions of a group usually fail alike.
    """
    by_name = {region.name: region for region in regions}
    faults: list[Fault] = []
    for region in by_name.values():
        faults += _drive_faults(region)
        faults += _feed_faults(region)
        faults += _record_faults(nest, region, plan.experiment.dt_ms)
    faults += _name_faults(by_name.values())
    for tract in plan.tracts:
        source, target = by_name.get(tract.source), by_name.get(tract.target)
        if source is None or target is None:
            continue
        path = f"{target.path}.tracts"
        faults += _unknown(f"{path}.source", [tract.source_population], source)
        faults += _unknown(f"{path}.targets", tract.target_populations or [], target)
    return list(dict.fromkeys(faults))


def _unknown(path: str, names: Iterable[str], region: Region) -> list[Fault]:
    known = list(region.populations)
    return [
        Fault(path, f"the network has no population '{name}'; {suggest(name, known)}")
        for name in names
        if name not in known
    ]


def _name_faults(regions: Iterable[Region]) -> list[Fault]:
    """Finds populations whose results would have the same name, REGION_POPULATION."""
    owners: dict[str, tuple[str, str]] = {}
    faults = []
    for region in regions:
        for population in region.populations:
            name = f"{region.name}_{population}"
            if name in owners:
                other, other_population = owners[name]
                text = (
                    f"population '{population}' of region '{region.name}' and "
                    f"'{other_population}' of "
                    f"'{other}' would both be called {name} in the results; rename one of them"
                )
                faults.append(Fault(f"{region.path}.network.module", text))
            owners[name] = region.name, population
    return faults


def _drive_faults(region: Region) -> list[Fault]:
    path, targets = f"{region.path}.drive.targets", region.plan.drive.targets
    if targets == []:
        return [Fault(path, "the list is empty; name populations, or leave it out to drive all")]
    return _unknown(path, targets or [], region)


def _feed_faults(region: Region) -> list[Fault]:
    faults = []
    for index, feed in enumerate(region.plan.feeds):
        faults += _unknown(f"{region.path}.feed.{index}.population", [feed.population], region)
    return faults


def _record_faults(nest: Nest, region: Region, dt_ms: float) -> list[Fault]:
    record, path = region.group.record, f"{region.path}.record"
    named = record.spikes if isinstance(record.spikes, list) else []
    faults = _unknown(f"{path}.spikes", named, region)
    for index, analog in enumerate(record.analog):
        faults += _interval_faults(f"{path}.analog.{index}", analog, dt_ms)
        faults += _analog_faults(nest, f"{path}.analog.{index}", analog, region)
    return faults


def _interval_faults(path: str, analog: Analog, dt_ms: float) -> list[Fault]:
    try:
        ticks_of(analog.interval_ms, dt_ms)
    except InexactTimeError as error:
        return [Fault(f"{path}.interval_ms", str(error))]
    return []


def _analog_faults(nest: Nest, path: str, analog: Analog, region: Region) -> list[Fault]:
    faults = _unknown(f"{path}.population", [analog.population], region)
    if faults:
        return faults
    nodes = region.populations[analog.population]
    chosen = chosen_neurons(analog)
    if not chosen:
        faults.append(Fault(f"{path}.neurons", "the list is empty; name neurons or their number"))
    elif chosen[-1] >= len(nodes):
        faults.append(
            Fault(
                f"{path}.neurons",
                f"there is no neuron {chosen[-1]} in population '{analog.population}', which has "
                f"{len(nodes)} (0 ... {len(nodes) - 1})",
            )
        )
    model = str(nodes[0].get("model"))
    known = sorted(str(name) for name in nest.GetDefaults(model).get("recordables", ()))
    return faults + [
        Fault(f"{path}.variables", f"{model} has no recordable '{name}'; {suggest(name, known)}")
        for name in analog.variables
        if name not in known
    ]


def chosen_neurons(analog: Analog) -> list[int]:
    """Returns the recorded neurons as ascending indices within their population."""
    if isinstance(analog.neurons, int):
        return list(range(analog.neurons))
    return sorted(set(analog.neurons))
