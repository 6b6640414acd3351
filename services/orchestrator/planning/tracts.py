"""Synapses between spiking regions, equivalent to the tracts of the connectome.

TVB would give region i the coupling a * w_ij * x_j(t - delay), with x_j = unit_per_hz * rate of
the source population, and every driven neuron stands for ``synapses`` afferents at hz_per_unit
times that. So each neuron needs synapses * hz_per_unit * a * w_ij * unit_per_hz real synapses.

Timing: a spike at tick u is part of x_j[u], which acts at tick u + 1 + idelay; so the synaptic
delay is 1 + idelay ticks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.connectome import Connectome
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.model.plan import RegionPlan, TractPlan
from tvb_nest_cosim.orchestrator.planning.groups import GroupPlan
from tvb_nest_cosim.orchestrator.planning.tvb_models import LINEAR_COUPLINGS

FEWEST_SYNAPSES_PER_NEURON = 1e-6
"""Tracts that deliver less than this are left out, with a warning."""

_REMEDY = "give tracts.synapses_per_weight, or leave them out with tracts.mode: none"


def plan_tracts(
    experiment: Experiment,
    connectome: Connectome,
    regions: Sequence[RegionPlan],
    groups: Mapping[int, GroupPlan],
    faults: list[Fault],
) -> tuple[list[TractPlan], list[str]]:
    """Plans the synapses between every ordered pair of spiking regions.

    Args:
        experiment: The experiment.
        connectome: Weights and delays.
        regions: The spiking regions.
        groups: What their groups have resolved to, by index.
        faults: Gets numbers and weights of synapses that do not follow from the experiment.

    Returns:
        The tracts, and warnings about those left out.
    """
    idelays = connectome.idelays(experiment.dt_ms)
    tracts: list[TractPlan] = []
    warnings: list[str] = []
    found: dict[Fault, None] = {}
    for target, source in product(regions, regions):
        weight = float(connectome.weights[target.index, source.index])
        if weight == 0 or experiment.spiking[target.group].tracts.mode != "synapses":
            continue
        delay = 1 + int(idelays[target.index, source.index])
        try:
            tract = _tract(experiment, groups, target, source, weight, delay)
        except ExperimentError as error:
            found.update(dict.fromkeys(error.faults))
            continue
        if tract.synapses_per_neuron < FEWEST_SYNAPSES_PER_NEURON:
            warnings.append(
                f"the tract from {source.name} to {target.name} is left out: "
                f"{tract.synapses_per_neuron:.1e} synapses per neuron"
            )
        else:
            tracts.append(tract)
    faults += found
    return tracts, warnings


def _tract(
    experiment: Experiment,
    groups: Mapping[int, GroupPlan],
    target: RegionPlan,
    source: RegionPlan,
    weight: float,
    delay_ticks: int,
) -> TractPlan:
    declared = experiment.spiking[target.group].tracts
    return TractPlan(
        source=source.name,
        target=target.name,
        source_population=declared.source,
        target_populations=declared.targets,
        synapses_per_neuron=weight * _synapses_per_weight(experiment, groups, target, source),
        weight=_weight(experiment, target),
        delay_ticks=delay_ticks,
    )


def _weight(experiment: Experiment, target: RegionPlan) -> float:
    declared = experiment.spiking[target.group].tracts.weight
    if declared is None and target.drive.kind == "current":
        raise ExperimentError.single(
            f"spiking.{target.group}.tracts.weight",
            "the drive is a current, so its weight says nothing about synapses between spiking "
            "regions; give tracts.weight, or leave them out with tracts.mode: none",
        )
    return target.drive.weight if declared is None else declared


def _synapses_per_weight(
    experiment: Experiment, groups: Mapping[int, GroupPlan], target: RegionPlan, source: RegionPlan
) -> float:
    declared = experiment.spiking[target.group].tracts
    path = f"spiking.{target.group}.tracts.synapses_per_weight"
    if declared.synapses_per_weight is not None:
        return declared.synapses_per_weight
    if target.drive.kind == "current":
        raise ExperimentError.single(
            path, f"does not follow from a drive of kind current; {_REMEDY}"
        )
    group = groups[target.group]
    if group.hz_per_unit is None:
        raise ExperimentError.single(path, f"does not follow without drive.hz_per_unit; {_REMEDY}")
    unit_per_hz = _unit_per_hz(group, target, source, declared.source, path)
    slope = _coupling_slope(experiment, path)
    synapses = target.drive.synapses * group.hz_per_unit * unit_per_hz * slope
    if synapses < 0:
        raise ExperimentError.single(
            path, f"comes out as {synapses:g}, but a tract has no negative synapses; {_REMEDY}"
        )
    return synapses


def _unit_per_hz(
    group: GroupPlan, target: RegionPlan, source: RegionPlan, population: str, path: str
) -> float:
    variable = group.variable
    feeds = [feed for feed in source.feeds if feed.variable == variable]
    if not feeds:
        raise ExperimentError.single(
            path, f"{source.name} feeds no variable that drives {target.name}; {_REMEDY}"
        )
    feed = feeds[0]
    if feed.population != population:
        raise ExperimentError.single(
            path,
            f"tracts come from the population {population}, but TVB's {variable} is fed from "
            f"{feed.population}; {_REMEDY}",
        )
    if feed.offset != 0:
        raise ExperimentError.single(
            path, f"the feed of {variable} has an offset, which no synapse can deliver; {_REMEDY}"
        )
    return feed.unit_per_hz


def _coupling_slope(experiment: Experiment, path: str) -> float:
    """Returns the slope ``a`` of TVB's coupling.

    Raises:
        ExperimentError: At ``path``, unless the coupling is a plain multiple of its input.
    """
    coupling = experiment.tvb.coupling
    if coupling.name not in LINEAR_COUPLINGS:
        raise ExperimentError.single(
            path,
            f"does not follow from TVB's coupling {coupling.name}, which is not linear; {_REMEDY}",
        )
    slope = _scalar(coupling.parameters.get("a", LINEAR_COUPLINGS[coupling.name]))
    offset = _scalar(coupling.parameters.get("b", 0.0))
    if slope is None or offset != 0:
        raise ExperimentError.single(
            path,
            f"follows only from a coupling with one slope a and b = 0; got "
            f"{coupling.parameters}; {_REMEDY}",
        )
    return slope


def _scalar(value: object) -> float | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return float(value) if isinstance(value, int | float) else None
