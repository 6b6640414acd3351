"""Declarations of an experiment that contradict each other, found without any other file."""

from __future__ import annotations

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.experiment import Constant, Experiment
from tvb_nest_cosim.cosim_core.model.timegrid import InexactTimeError, ticks_of
from tvb_nest_cosim.orchestrator.planning.sides import Sides, nest_kernels


def contradictions(experiment: Experiment, sides: Sides) -> list[Fault]:
    """Finds contradictions among simulators and stand-in, resources, and times.

    Args:
        experiment: The experiment.
        sides: Which simulators take part.
    """
    return [
        *_simulator_faults(experiment, sides),
        *_resource_faults(experiment),
        *_grid_faults(experiment),
    ]


def _simulator_faults(experiment: Experiment, sides: Sides) -> list[Fault]:
    faults = []
    kind, stand_in = experiment.simulators, experiment.stand_in
    if not experiment.spiking and sides.has_groups:
        faults.append(
            Fault("spiking", f"there is no spiking region, but simulators is '{kind}'; add one")
        )
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
            Fault(f"stand_in.hz.{name}", f"not a spiking region; these are: {', '.join(spiking)}")
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
    if nest.kernels == "per_region" and nest_kernels(experiment) > 1:
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


def _grid_faults(experiment: Experiment) -> list[Fault]:
    times_ms = {"duration_ms": experiment.duration_ms}
    for index, group in enumerate(experiment.spiking):
        if group.rate.kind == "boxcar" and group.rate.translator is None:
            times_ms[f"spiking.{index}.rate.width_ms"] = group.rate.width_ms
        for number, analog in enumerate(group.record.analog):
            times_ms[f"spiking.{index}.record.analog.{number}.interval_ms"] = analog.interval_ms
    faults = []
    for path, time_ms in times_ms.items():
        try:
            if ticks_of(time_ms, experiment.dt_ms) < 1:
                faults.append(Fault(path, f"{time_ms:g} ms is shorter than one tick"))
        except InexactTimeError as error:
            faults.append(Fault(path, str(error)))
    return faults
