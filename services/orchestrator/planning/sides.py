"""Which simulators take part in an experiment, their processes and streams, and contradictions."""

from __future__ import annotations

from dataclasses import dataclass

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.experiment import Constant, Experiment
from tvb_nest_cosim.cosim_core.model.signals import (
    NEST_TO_TRANSLATOR,
    TRANSLATOR_TO_NEST,
    TRANSLATOR_TO_TVB,
    TVB_TO_TRANSLATOR,
)
from tvb_nest_cosim.cosim_core.model.timegrid import InexactTimeError, ticks_of


@dataclass(frozen=True)
class Sides:
    """Which simulators take part, and how.

    Attributes:
        nest: Whether NEST runs.
        tvb: Whether TVB runs.
        proxies: Whether TVB treats the spiking regions as proxies.
        nest_kernels: How many NESTs share the spiking regions.
        nest_ranks: MPI ranks of each of them.
    """

    nest: bool
    tvb: bool
    proxies: bool
    nest_kernels: int
    nest_ranks: int

    @property
    def has_groups(self) -> bool:
        """Whether a simulator needs the spiking groups."""
        return self.nest or self.proxies

    @property
    def edges(self) -> list[str]:
        """Directed streams between participants."""
        of_tvb = [TVB_TO_TRANSLATOR, TRANSLATOR_TO_TVB] if self.proxies else []
        of_nest = [TRANSLATOR_TO_NEST, NEST_TO_TRANSLATOR] if self.nest else []
        return of_tvb + of_nest

    @property
    def participants(self) -> dict[str, int]:
        """Processes by role."""
        roles = {
            "tvb": (self.tvb, 1),
            "nest": (self.nest, self.nest_ranks * self.nest_kernels),
            "translator": (self.has_groups, 1),
        }
        return {role: count for role, (is_there, count) in roles.items() if is_there}


def choose_sides(experiment: Experiment, faults: list[Fault]) -> Sides:
    """Reads from the experiment which simulators take part.

    Args:
        experiment: The experiment.
        faults: Gets contradictions among simulators and stand-in, resources, and times.
    """
    kind, nest = experiment.simulators, experiment.resources.nest
    fed = kind == "tvb" and experiment.stand_in is not None
    region_count = len(list(experiment.spiking_regions()))
    sides = Sides(
        nest=kind != "tvb",
        tvb=kind != "nest",
        proxies=kind == "both" or fed,
        nest_kernels=1 if nest.kernels == "shared" else max(1, region_count),
        nest_ranks=nest.ranks,
    )
    faults += _simulator_faults(experiment, sides)
    faults += _resource_faults(experiment, sides)
    faults += _grid_faults(experiment)
    return sides


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


def _resource_faults(experiment: Experiment, sides: Sides) -> list[Fault]:
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
    if nest.kernels == "per_region" and sides.nest_kernels > 1:
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
