"""From an experiment and a connectome to the plan of a run. Pure: reads and writes nothing.

All faults are found before anything starts and are raised together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.connectome import Connectome
from tvb_nest_cosim.cosim_core.model.experiment import HOP_TICKS, Constant, Experiment
from tvb_nest_cosim.cosim_core.model.experiment.base import Values
from tvb_nest_cosim.cosim_core.model.plan import RegionPlan, RunPlan, TractPlan
from tvb_nest_cosim.cosim_core.model.signals import (
    NEST_TO_TRANSLATOR,
    TRANSLATOR_TO_NEST,
    TRANSLATOR_TO_TVB,
    TVB_TO_TRANSLATOR,
)
from tvb_nest_cosim.cosim_core.model.timegrid import InexactTimeError, ticks_of
from tvb_nest_cosim.orchestrator.planning import derive, tracts, windows
from tvb_nest_cosim.orchestrator.planning.derive import GroupPlan, Sides


def experiment_digest(experiment: Experiment) -> str:
    """Returns the SHA-256 of the resolved experiment as canonical JSON."""
    tree = experiment.model_dump(mode="json")
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def make_plan(
    experiment: Experiment,
    connectome: Connectome,
    *,
    connectome_path: Path,
    run: str,
    run_dir: Path,
    base_dir: Path,
) -> RunPlan:
    """Derives and checks everything that the participants of a run have to agree on.

    Args:
        experiment: The experiment.
        connectome: Its connectome, scaled as the experiment says.
        connectome_path: Where the participants find it.
        run: Identity of the run.
        run_dir: Where results will go.
        base_dir: Folder of the experiment file.

    Raises:
        ExperimentError: With every fault found.
    """
    sides = Sides.of(experiment)
    derived = _derive(experiment, connectome, sides)
    return RunPlan(
        run=run,
        run_dir=str(run_dir.absolute()),
        base_dir=str(base_dir.absolute()),
        experiment=experiment,
        experiment_digest=experiment_digest(experiment),
        nest_kernels=_nest_kernels(experiment),
        participants=_participants(experiment, sides),
        edges=_edges(sides),
        total_ticks=ticks_of(experiment.duration_ms, experiment.dt_ms),
        window_ticks=derived.window_ticks,
        lookahead=derived.lookahead,
        connectome_path=str(connectome_path.absolute()),
        regions=derived.regions,
        tracts=derived.tracts,
        tvb_parameters=derived.tvb_parameters,
        tvb_noise=derived.tvb_noise,
        has_proxies=sides.proxies,
        warnings=derived.warnings,
    )


@dataclass(frozen=True)
class _Derived:
    """What does not stand in the experiment but follows from it."""

    regions: list[RegionPlan]
    tracts: list[TractPlan]
    tvb_parameters: dict[str, Values | str]
    tvb_noise: dict[str, float]
    window_ticks: int
    lookahead: int
    warnings: list[str]


def _derive(experiment: Experiment, connectome: Connectome, sides: Sides) -> _Derived:
    """Derives everything, going on after a fault so that all are found at once."""
    faults = [*_simulator_faults(experiment, sides), *_resource_faults(experiment)]
    with _gathered(faults):
        _check_grid(experiment)
    places = _places(experiment, connectome, faults)
    faults += derive.model_faults(experiment, sides)
    groups = _groups(experiment, sides, faults)
    parameters = derive.tvb_parameters(experiment, faults) if sides.tvb else {}
    noise = derive.tvb_noise(experiment, faults) if sides.tvb else {}
    regions = [place.plan(groups[place.group]) for place in places if place.group in groups]
    tract_plans: list[TractPlan] = []
    left_out: list[str] = []
    window_ticks, lookahead = 1, 1
    with _gathered(faults):
        if sides.nest:
            tract_plans, left_out = tracts.plan_tracts(experiment, connectome, regions, groups)
    with _gathered(faults):
        window_ticks, lookahead = _windows(experiment, connectome, sides, places)
    if faults:
        raise ExperimentError(faults)
    warnings = [*derive.warnings_of(experiment, sides), *left_out]
    return _Derived(regions, tract_plans, parameters, noise, window_ticks, lookahead, warnings)


@contextmanager
def _gathered(faults: list[Fault]) -> Iterator[None]:
    """Adds the faults of an error to the list and goes on."""
    try:
        yield
    except ExperimentError as error:
        faults.extend(error.faults)


@dataclass(frozen=True)
class _Place:
    """Where a spiking region is declared and where it lies in the connectome."""

    name: str
    index: int
    group: int
    path: str

    def plan(self, group: GroupPlan) -> RegionPlan:
        """Joins place and group."""
        return RegionPlan(
            name=self.name,
            index=self.index,
            group=self.group,
            drive=group.drive,
            feeds=group.feeds,
        )


def _places(experiment: Experiment, connectome: Connectome, faults: list[Fault]) -> list[_Place]:
    places: dict[str, _Place] = {}
    for group_index, group in enumerate(experiment.spiking):
        for position, name in enumerate(group.regions):
            path = f"spiking.{group_index}.regions.{position}"
            try:
                index = connectome.index(name)
            except KeyError as error:
                faults.append(Fault(path, error.args[0]))
                continue
            if name in places:
                faults.append(Fault(path, f"'{name}' is spiking already, at {places[name].path}"))
            else:
                places[name] = _Place(name, index, group_index, path)
    return list(places.values())


def _groups(experiment: Experiment, sides: Sides, faults: list[Fault]) -> dict[int, GroupPlan]:
    if not (sides.nest or sides.proxies):
        return {}
    planned = {
        index: derive.plan_group(experiment, index, sides, faults)
        for index in range(len(experiment.spiking))
    }
    return {index: group for index, group in planned.items() if group is not None}


def _simulator_faults(experiment: Experiment, sides: Sides) -> list[Fault]:
    faults = []
    kind, stand_in = experiment.simulators, experiment.stand_in
    if not experiment.spiking and (sides.nest or sides.proxies):
        faults.append(Fault("spiking", f"no spiking region, but simulators is '{kind}'"))
    if kind == "both" and stand_in is not None:
        faults.append(
            Fault("stand_in", "no side is absent in a co-simulation; say simulators: tvb or nest")
        )
    if kind == "nest" and stand_in is None:
        faults.append(
            Fault(
                "stand_in",
                "missing: what drives NEST in place of TVB; without input from other regions: "
                "stand_in: {kind: constant, hz: 0}",
            )
        )
    if isinstance(stand_in, Constant) and isinstance(stand_in.hz, dict):
        spiking = [name for name, _, _ in experiment.spiking_regions()]
        faults.extend(
            Fault(f"stand_in.hz.{name}", f"is no spiking region; these are: {', '.join(spiking)}")
            for name in stand_in.hz
            if name not in spiking
        )
    return faults


def _resource_faults(experiment: Experiment) -> list[Fault]:
    nest = experiment.resources.nest
    faults = []
    if nest.total_virtual_processes % nest.ranks:
        faults.append(
            Fault(
                "resources.nest.virtual_processes",
                f"{nest.virtual_processes} virtual processes cannot be shared evenly by "
                f"{nest.ranks} ranks; take a multiple of the ranks",
            )
        )
    if nest.kernels == "per_region" and _nest_kernels(experiment) > 1:
        faults += [
            Fault(
                f"spiking.{index}.tracts.mode",
                "synapses cannot lead from one NEST to another (resources.nest.kernels is "
                "per_region); take rates, or none, or shared kernels",
            )
            for index, group in enumerate(experiment.spiking)
            if group.tracts.mode == "synapses"
        ]
    return faults


def _check_grid(experiment: Experiment) -> None:
    times = {"duration_ms": experiment.duration_ms}
    for index, group in enumerate(experiment.spiking):
        if group.rate.kind == "boxcar" and group.rate.translator is None:
            times[f"spiking.{index}.rate.width_ms"] = group.rate.width_ms
        for number, analog in enumerate(group.record.analog):
            times[f"spiking.{index}.record.analog.{number}.interval_ms"] = analog.interval_ms
    faults = []
    for path, time_ms in times.items():
        try:
            if ticks_of(time_ms, experiment.dt_ms) < 1:
                faults.append(Fault(path, f"{time_ms:g} ms is shorter than one tick"))
        except InexactTimeError as error:
            faults.append(Fault(path, str(error)))
    if faults:
        raise ExperimentError(faults)


def _windows(
    experiment: Experiment, connectome: Connectome, sides: Sides, places: list[_Place]
) -> tuple[int, int]:
    limit, dt_ms = None, experiment.dt_ms
    if sides.proxies and places:
        hops = {
            place.index: HOP_TICKS[experiment.spiking[place.group].drive.kind] for place in places
        }
        paths = {place.index: place.path for place in places}
        carried = {
            place.index
            for place in places
            if experiment.spiking[place.group].tracts.mode == "rates"
        }
        faults = windows.edge_faults(connectome, hops, carried, paths, dt_ms)
        if faults:
            raise ExperimentError(faults)
        limit = windows.limiting_edge(connectome, hops, carried, dt_ms)
    alone_ms = windows.UNLIMITED_MS["nest" if sides.nest else "tvb"]
    # a duration off the grid has been reported; the window is judged all the same
    total_ticks = max(1, round(experiment.duration_ms / dt_ms))
    return windows.choose_windows(experiment.window, limit, total_ticks, dt_ms, alone_ms)


def _nest_kernels(experiment: Experiment) -> int:
    if experiment.resources.nest.kernels == "shared":
        return 1
    return max(1, len(list(experiment.spiking_regions())))


def _participants(experiment: Experiment, sides: Sides) -> dict[str, int]:
    participants = {}
    if sides.tvb:
        participants["tvb"] = 1
    if sides.nest:
        participants["nest"] = experiment.resources.nest.ranks * _nest_kernels(experiment)
    if sides.nest or sides.proxies:
        participants["translator"] = 1
    return participants


def _edges(sides: Sides) -> list[str]:
    edges = []
    if sides.proxies:
        edges += [TVB_TO_TRANSLATOR, TRANSLATOR_TO_TVB]
    if sides.nest:
        edges += [TRANSLATOR_TO_NEST, NEST_TO_TRANSLATOR]
    return edges
