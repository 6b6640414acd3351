"""From the spikes of every region to the rates that TVB sees."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault, ProtocolError
from tvb_nest_cosim.cosim_core.model.experiment.spiking import Rate
from tvb_nest_cosim.cosim_core.model.plan import Populations, RegionPlan, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import NEST_TO_TRANSLATOR, Array
from tvb_nest_cosim.cosim_core.model.timegrid import InexactTimeError, Window
from tvb_nest_cosim.translator.incoming import signals_of
from tvb_nest_cosim.translator.interfaces import RateContext, Spikes
from tvb_nest_cosim.translator.random_numbers import CounterStream
from tvb_nest_cosim.translator.spikes_to_rates import Kernel, kernel_of
from tvb_nest_cosim.translator.user_classes import UserClass
from tvb_nest_cosim.translator.user_output import GuardedRate

Reals = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Arrays = Mapping[str, Array]


def rate_faults(plan: RunPlan) -> list[Fault]:
    """Finds kernels that do not fit the time grid."""
    faults = []
    for index, group in enumerate(plan.experiment.spiking):
        if group.rate.translator is None:
            try:
                kernel_of(group.rate, plan.experiment.dt_ms, 1)
            except InexactTimeError as error:
                faults.append(Fault(f"spiking.{index}.rate.width_ms", str(error)))
    return faults


@dataclass
class _Bank:
    """All populations with the same built-in kernel, filtered at once.

    Attributes:
        kernel: The kernel.
        rows: Rows of the first and behind the last population among all.
        state: What the kernel knows of the past.
    """

    kernel: Kernel
    rows: slice
    state: npt.NDArray[np.generic]


@dataclass(frozen=True)
class _Region:
    """Rows of one region, and the user's translator if it has one."""

    name: str
    rates: str
    rows: slice
    guarded: GuardedRate | None
    nest_ranks: range

    def of(self, ranks: Sequence[Arrays]) -> Iterator[tuple[int, Arrays]]:
        """Yields the ranks of NEST that have the region, and what they sent."""
        return ((rank, ranks[rank]) for rank in self.nest_ranks)


@dataclass(frozen=True)
class _Share:
    """The counts that a rank of NEST sends: their names, populations, and rows among all."""

    names: list[str]
    sizes: list[int]
    rows: slice


def _share(regions: Sequence[_Region]) -> _Share:
    """Describes what a rank with these regions sends.

    Ranks have all regions or one, so the rows are adjacent.
    """
    return _Share(
        [f"counts/{region.name}" for region in regions],
        [region.rows.stop - region.rows.start for region in regions],
        slice(regions[0].rows.start, regions[-1].rows.stop),
    )


class RateSide:
    """The direction NEST to TVB. Windows come in order, each once.

    Args:
        plan: The plan of the run.
        populations: What NEST has built.
        users: Users' classes by index of the spiking group.

    Raises:
        ExperimentError: With all faults of users' constructors.
    """

    def __init__(
        self, plan: RunPlan, populations: Populations, users: Mapping[int, UserClass]
    ) -> None:
        groups = plan.experiment.spiking

        def kernel_key(region: RegionPlan) -> tuple[bool, str, float]:
            rate: Rate = groups[region.group].rate
            return (region.group in users, rate.kind, rate.width_ms)

        regions = sorted(plan.regions, key=kernel_key)
        sizes = [list(populations[region.name].values()) for region in regions]
        ends = [0, *itertools.accumulate(len(region) for region in sizes)]
        neurons = np.array(list(itertools.chain(*sizes)), dtype=np.float64)
        self._hz_per_count = 1000.0 / plan.experiment.dt_ms / neurons[:, np.newaxis]
        guards = _guards(plan, regions, populations, users)
        self._regions = [
            _Region(
                region.name,
                f"rates/{region.name}",
                slice(ends[i], ends[i + 1]),
                guards.get(region.name),
                plan.ranks_of(region.name),
            )
            for i, region in enumerate(regions)
        ]
        ranks = dict.fromkeys(itertools.chain(*(region.nest_ranks for region in self._regions)))
        self._shares = {
            rank: _share([region for region in self._regions if rank in region.nest_ranks])
            for rank in ranks
        }
        self._banks = []
        for (is_user, _, _), members in itertools.groupby(
            range(len(regions)), lambda i: kernel_key(regions[i])
        ):
            if not is_user:
                numbers = list(members)
                rows = slice(ends[numbers[0]], ends[numbers[-1] + 1])
                rate = groups[regions[numbers[0]].group].rate
                kernel = kernel_of(rate, plan.experiment.dt_ms, int(neurons[rows].max()))
                self._banks.append(_Bank(kernel, rows, kernel.initial(rows.stop - rows.start)))

    def translate(self, window: Window, ranks: Sequence[Arrays]) -> dict[str, Array]:
        """Translates one window.

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
        counts = self._counts(window, ranks)
        rates = np.empty(counts.shape)
        for bank in self._banks:
            smoothed, bank.state = bank.kernel.smooth(bank.state, counts[bank.rows])
            np.multiply(smoothed, self._hz_per_count[bank.rows], out=rates[bank.rows])
        for region in self._regions:
            if region.guarded is not None:
                rates[region.rows] = region.guarded.translate(
                    window,
                    counts[region.rows].astype(np.uint32),
                    _merged_spikes(window, region, ranks),
                )
        return {region.rates: rates[region.rows] for region in self._regions}

    def _counts(self, window: Window, ranks: Sequence[Arrays]) -> Counts:
        """Sums the ranks' counts, int64 [population of all regions, tick]."""
        ticks = window.ticks
        counts = np.zeros((self._hz_per_count.shape[0], ticks), dtype=np.int64)
        for rank, share in self._shares.items():
            where = f"edge {NEST_TO_TRANSLATOR}, window {window.index}, rank {rank}"
            shapes = [(size, ticks) for size in share.sizes]
            part = counts[share.rows]
            part += np.concatenate(signals_of(ranks[rank], share.names, shapes, where))
        return counts


def _guards(
    plan: RunPlan,
    regions: Sequence[RegionPlan],
    populations: Populations,
    users: Mapping[int, UserClass],
) -> dict[str, GuardedRate]:
    guards: dict[str, GuardedRate] = {}
    faults: list[Fault] = []
    for region in regions:
        if region.group not in users:
            continue
        user = users[region.group]
        context = RateContext(
            region=region.name,
            populations=dict(populations[region.name]),
            grid=plan.grid,
            uniforms=CounterStream(plan.experiment.seed, region.name, "user rate").uniforms,
        )
        try:
            guards[region.name] = GuardedRate(user.name, user.make(context), context)
        except ExperimentError as error:
            faults += error.faults
    if faults:
        raise ExperimentError(dict.fromkeys(faults))
    return guards


def _merged_spikes(window: Window, region: _Region, ranks: Sequence[Arrays]) -> Spikes:
    """Joins the ranks' spikes, ordered by tick and neuron so that no layout of ranks shows."""
    neurons, ticks = [], []
    for rank, arrays in region.of(ranks):
        neuron = arrays.get(f"spikes/{region.name}/neuron")
        tick = arrays.get(f"spikes/{region.name}/tick")
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
