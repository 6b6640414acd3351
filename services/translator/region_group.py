"""The regions of one spiking group, translated together in both directions.

All regions of a group have the same rate kernel, kind of drive and users' classes. They are rows
of arrays, one row per region (input) or per population (counts, rates), in the plan's order.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tvb_nest_cosim.cosim_core.errors import ExperimentError, ProtocolError, all_faults
from tvb_nest_cosim.cosim_core.model.arrays import Array, Arrays, Integers
from tvb_nest_cosim.cosim_core.model.plan import Populations, RegionPlan, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import COUNT, NEST_TO_TRANSLATOR, TVB_TO_TRANSLATOR
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.translator.input_rate import InputRate
from tvb_nest_cosim.translator.interfaces import Spikes
from tvb_nest_cosim.translator.rates_to_drive import BUILT_IN, DrivenRegions
from tvb_nest_cosim.translator.spikes_to_rates import kernel_of
from tvb_nest_cosim.translator.user_classes import UserClass
from tvb_nest_cosim.translator.user_output import CheckedDrive, CheckedRate

_MISSING = np.array(0)
"""Stands for a signal that is missing; no signal has its shape."""


@dataclass(frozen=True)
class _Region:
    """A region with its rows among the populations of the group and its ranks of NEST."""

    name: str
    rows: slice
    ranks: range


class RegionGroup:
    """Translates one spiking group. In each direction windows come in order, each once.

    Args:
        plan: The plan of the run.
        index: Index of the group in ``experiment.spiking``.
        populations: Number of neurons by region and population, as NEST has built them.
        rate_class: The user's translator from spikes to rates; None: a built-in kernel.
        drive_class: The user's translator from rates to drive; None: the built-in one.

    Raises:
        ExperimentError: With all faults of targets and of users' constructors.
    """

    def __init__(
        self,
        plan: RunPlan,
        index: int,
        populations: Populations,
        rate_class: UserClass | None,
        drive_class: UserClass | None,
    ) -> None:
        regions = [region for region in plan.regions if region.group == index]
        with all_faults() as attempt:
            with attempt():
                self._prepare_rates(plan, regions, populations, rate_class)
            with attempt():
                self._prepare_drive(plan, regions, populations, drive_class)

    def _prepare_rates(
        self,
        plan: RunPlan,
        regions: Sequence[RegionPlan],
        populations: Populations,
        user: UserClass | None,
    ) -> None:
        ends = itertools.accumulate((len(populations[r.name]) for r in regions), initial=0)
        self._regions = [
            _Region(region.name, slice(first, last), plan.ranks_of(region.name))
            for region, (first, last) in zip(regions, itertools.pairwise(ends), strict=True)
        ]
        # A NEST has all regions or one, so the regions that a rank counts are adjacent.
        self._senders = [
            (ranks, list(members))
            for ranks, members in itertools.groupby(self._regions, lambda region: region.ranks)
        ]
        neurons = [size for region in regions for size in populations[region.name].values()]
        dt_ms = plan.experiment.dt_ms
        self._hz_per_count = 1000.0 / dt_ms / np.array(neurons, np.float64)[:, np.newaxis]
        self._user_rates: list[CheckedRate] = []
        if user is None:
            rate = plan.experiment.spiking[regions[0].group].rate
            self._kernel = kernel_of(rate, dt_ms, max(neurons))
            self._past = self._kernel.initial(len(neurons))
            return
        with all_faults() as attempt:
            for region in regions:
                with attempt():
                    sizes = populations[region.name]
                    self._user_rates.append(CheckedRate(user, plan, region, sizes))

    def _prepare_drive(
        self,
        plan: RunPlan,
        regions: Sequence[RegionPlan],
        populations: Populations,
        user: UserClass | None,
    ) -> None:
        driven: list[int] = []
        with all_faults() as attempt:
            for region in regions:
                with attempt():
                    driven.append(_driven_neurons(region, populations[region.name]))
        self._couplings = [f"coupling/{region.name}" for region in regions]
        self._inputs = [f"input/{region.name}" for region in regions]
        self._input_rate = InputRate(plan, regions)
        self._drive = BUILT_IN[regions[0].drive.kind]
        self._driven = DrivenRegions.of(regions, driven, plan.experiment)
        self._user_drives: list[CheckedDrive] = []
        if user is None:
            return
        with all_faults() as attempt:
            for region, neurons in zip(regions, driven, strict=True):
                with attempt():
                    sizes = populations[region.name]
                    self._user_drives.append(CheckedDrive(user, plan, region, sizes, neurons))

    def rates(self, window: Window, ranks: Sequence[Arrays]) -> dict[str, Array]:
        """Translates what NEST counted.

        Args:
            window: The ticks of the spikes.
            ranks: Signals of every rank of NEST: ``counts/REGION``, and ``spikes/REGION/...`` for
                regions with a user's translator.

        Returns:
            ``rates/REGION`` float64 [population, tick], Hz.

        Raises:
            ProtocolError: If a signal is missing or of the wrong shape.
            SimulationError: If a user's translator fails.
        """
        counts = self._summed_counts(window, ranks)
        if self._user_rates:
            return {
                f"rates/{region.name}": user.translate(
                    window, counts[region.rows].astype(COUNT), _all_spikes(window, region, ranks)
                )
                for region, user in zip(self._regions, self._user_rates, strict=True)
            }
        smoothed, self._past = self._kernel.smooth(self._past, counts)
        smoothed *= self._hz_per_count
        return {f"rates/{region.name}": smoothed[region.rows] for region in self._regions}

    def drive(self, window: Window, coupling: Arrays) -> tuple[dict[str, Array], dict[str, Array]]:
        """Translates TVB's coupling.

        Args:
            window: The ticks at which devices emit.
            coupling: ``coupling/REGION`` float64 [tick], Hz, for these ticks.

        Returns:
            The signals ``drive/REGION/...``, and ``input/REGION`` float64 [tick], Hz.

        Raises:
            ProtocolError: If a region's coupling is missing or of the wrong shape.
            SimulationError: If a coupling is not finite or a user's translator fails.
        """
        where = f"edge {TVB_TO_TRANSLATOR}, window {window.index}"
        shapes = [(window.ticks,)] * len(self._couplings)
        rows = _signals(coupling, self._couplings, shapes, where)
        input_hz = self._input_rate.of(window, rows)
        input_hz.flags.writeable = False
        if self._user_drives:
            drive: dict[str, Array] = {}
            for user, row in zip(self._user_drives, input_hz, strict=True):
                drive |= user.translate(window, row)
        else:
            drive = self._drive(self._driven, window, input_hz)
        return drive, dict(zip(self._inputs, input_hz, strict=True))

    def _summed_counts(self, window: Window, ranks: Sequence[Arrays]) -> Integers:
        """Adds up what the ranks counted, int64 [population, tick]."""
        counts = np.zeros((len(self._hz_per_count), window.ticks), dtype=np.int64)
        for senders, regions in self._senders:
            names = [f"counts/{region.name}" for region in regions]
            shapes = [(region.rows.stop - region.rows.start, window.ticks) for region in regions]
            part = counts[regions[0].rows.start : regions[-1].rows.stop]
            for rank in senders:
                where = f"edge {NEST_TO_TRANSLATOR}, window {window.index}, rank {rank}"
                part += np.concatenate(_signals(ranks[rank], names, shapes, where))
        return counts


def _driven_neurons(region: RegionPlan, sizes: Mapping[str, int]) -> int:
    """Counts the neurons of the populations that get the region's drive."""
    targets = list(sizes) if region.drive.targets is None else region.drive.targets
    unknown = [target for target in targets if target not in sizes]
    if unknown:
        raise ExperimentError.single(
            f"spiking.{region.group}.drive.targets",
            f"the network has no population {', '.join(unknown)}; it has {', '.join(sizes)}",
        )
    return sum(sizes[target] for target in targets)


def _signals(
    arrays: Arrays, names: Sequence[str], shapes: Sequence[tuple[int, ...]], where: str
) -> list[Array]:
    """Takes signals of the given shapes out of a block; ``where`` names it in errors."""
    found = [arrays.get(name, _MISSING) for name in names]
    got = [array.shape for array in found]
    if got != shapes:
        wrong = next(i for i in range(len(names)) if got[i] != shapes[i])
        what = "missing" if found[wrong] is _MISSING else f"of shape {got[wrong]}"
        raise ProtocolError(f"{where}: {names[wrong]} is {what}, expected shape {shapes[wrong]}")
    return found


def _all_spikes(window: Window, region: _Region, ranks: Sequence[Arrays]) -> Spikes:
    """Joins the ranks' spikes, ordered by tick and neuron so that no layout of ranks shows."""
    neurons, ticks = [], []
    for rank in region.ranks:
        neuron = ranks[rank].get(f"spikes/{region.name}/neuron")
        tick = ranks[rank].get(f"spikes/{region.name}/tick")
        if neuron is None or tick is None or neuron.shape != tick.shape:
            raise ProtocolError(
                f"edge {NEST_TO_TRANSLATOR}, window {window.index}, rank {rank}: the single spikes "
                f"of region '{region.name}' are missing or of different lengths; its translator "
                "needs them"
            )
        neurons.append(neuron.astype(np.uint32))
        ticks.append(tick.astype(np.uint16))
    all_neurons, all_ticks = np.concatenate(neurons), np.concatenate(ticks)
    order = np.lexsort((all_neurons, all_ticks))
    return Spikes(all_neurons[order], all_ticks[order])
