"""The one reader of journals: of runs that go on, that ended, that failed, or are replayed.

A window is *complete* when every process of the run has recorded it. A run that failed or was
interrupted leaves journals of different lengths, perhaps with a damaged end, or none at all;
everything after the last complete window is ignored, so all results of a run end at the same tick.
Of a run that goes on, :meth:`RunRecords.tails` reads the newest blocks at a bounded cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.model.arrays import Counts, Reals
from tvb_nest_cosim.cosim_core.model.experiment import SpikingGroup
from tvb_nest_cosim.cosim_core.model.plan import Built, Populations, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import NEST_TO_TRANSLATOR, Block, group_signals
from tvb_nest_cosim.cosim_core.model.timegrid import Window, ms_of
from tvb_nest_cosim.cosim_core.run_dir.checked_files import REMEDY, CheckedFiles
from tvb_nest_cosim.cosim_core.run_dir.journal import JournalOwner, read_journal, where_it_ends
from tvb_nest_cosim.cosim_core.run_dir.journal_tail import JournalTail
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.manifest import journal_files
from tvb_nest_cosim.cosim_core.run_dir.plan_file import read_plan
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance
from tvb_nest_cosim.cosim_core.run_dir.recorder import phases_of, record_edge

Indices = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class KeptPopulation:
    """A population whose spikes are recorded.

    Attributes:
        region: Its spiking region.
        name: Its name.
        start: Index of its first neuron within the region.
        stop: Index after its last neuron.
    """

    region: str
    name: str
    start: int
    stop: int


@dataclass(frozen=True)
class RunRecords:
    """What a run directory holds before anything is derived from it.

    Attributes:
        layout: Paths of the run.
        plan: Plan that the participants got.
        built: Populations of NEST and monitors of TVB; empty of what was not built.
        files: What a complete run is compared with; None: it is not complete, or damage is
            accepted.
        windows_told: Complete windows that its provenance speaks of; fewer are an error.
    """

    layout: RunLayout
    plan: RunPlan
    built: Built
    files: CheckedFiles | None = None
    windows_told: int = 0

    @classmethod
    def open(cls, root: Path, *, partial: bool = False) -> RunRecords:
        """Reads ``plan.json`` of a run directory, and what its journals are compared with.

        Args:
            root: Run directory.
            partial: Accept damage, and go on with what is there.

        Raises:
            RunDirectoryError: If it is none, or damaged.
        """
        layout = RunLayout(root)
        files = None if partial else CheckedFiles.open(layout)
        plan, built = read_plan(root)
        if partial or files is not None:
            return cls(layout, plan, built, files)
        known = Provenance.read(root)
        return cls(layout, plan, built, windows_told=known.windows_done if known else 0)

    @property
    def populations(self) -> Populations:
        """Neurons by region and population; empty if NEST was not built."""
        return self.built.populations

    def group(self, region: str) -> SpikingGroup:
        """Returns the declaration of a spiking region."""
        index = next(r.group for r in self.plan.regions if r.name == region)
        return self.plan.experiment.spiking[index]

    def recorded(self, region: str) -> list[str]:
        """Names the populations of a region whose spikes are kept, in the region's order."""
        return [kept.name for kept in self.kept if kept.region == region]

    @cached_property
    def kept(self) -> tuple[KeptPopulation, ...]:
        """Populations whose spikes are recorded, by region in the order of its neurons."""
        found = []
        for region, populations in self.populations.items():
            spikes, start = self.group(region).record.spikes, 0
            for name, neurons in populations.items():
                if spikes is True or (spikes and name in spikes):
                    found.append(KeptPopulation(region, name, start, start + neurons))
                start += neurons
        return tuple(found)

    @property
    def rows_of_rates(self) -> Populations:
        """Populations that the translated rates have, of NEST or of what stands in for it."""
        return self.plan.rows_of_rates(self.populations)

    @cached_property
    def complete_windows(self) -> int:
        """Windows that every process has recorded.

        Raises:
            RunDirectoryError: If the run had more when it ended.
        """
        if self.files is not None:
            return self.files.manifest.windows
        counts = {
            self.layout.journal(role, rank): sum(1 for _ in self._consecutive(role, rank))
            for role, ranks in self.plan.participants.items()
            for rank in range(ranks)
        }
        shortest = min(counts, key=counts.__getitem__)
        if counts[shortest] < self.windows_told:
            where = where_it_ends(shortest) if shortest.is_file() else "the file is missing"
            raise RunDirectoryError(
                f"{shortest} holds {counts[shortest]} complete windows, the run ended with "
                f"{self.windows_told}: {where}. {REMEDY}"
            )
        return counts[shortest]

    @property
    def complete_ticks(self) -> int:
        """Last tick of the last complete window; 0 if there is none."""
        return self.plan.grid.window(self.complete_windows - 1).stop if self.complete_windows else 0

    @property
    def simulated_ms(self) -> float:
        """Simulated time in ms that the complete windows cover."""
        return ms_of(self.complete_ticks, self.plan.experiment.dt_ms)

    def windows(self) -> Iterator[Window]:
        """Yields the complete windows."""
        return (self.plan.grid.window(index) for index in range(self.complete_windows))

    def times_ms(self, ticks: npt.NDArray[np.integer]) -> Reals:
        """Converts ticks to ms, rounded as :func:`cosim_core.model.timegrid.ms_of` does."""
        times: Reals = np.round(ticks * self.plan.experiment.dt_ms, 6)
        return times

    def blocks(self, role: str) -> Iterator[tuple[Window, list[Block]]]:
        """Yields the complete windows with what each rank of a participant recorded."""
        ranks = [
            self._consecutive(role, rank) for rank in range(self.plan.participants.get(role, 0))
        ]
        if ranks:
            for window, *blocks in zip(self.windows(), *ranks, strict=False):
                yield window, blocks

    def counts(self) -> Iterator[tuple[Window, dict[str, Counts]]]:
        """Yields spikes per population and tick of every region, summed over ranks.

        Yields:
            A complete window, and uint32 arrays [population, tick] by region.
        """
        ranks = self.plan.participants.get("nest", 0)
        pending: dict[int, list[Block]] = {}
        due = 0
        for block in self._journal("translator", 0) if ranks else ():
            if block.edge != NEST_TO_TRANSLATOR:
                continue
            pending.setdefault(block.window, []).append(block)
            while due < self.complete_windows and len(pending.get(due, ())) == ranks:
                window = self.plan.grid.window(due)
                yield window, self._summed(window, pending.pop(due))
                due += 1

    def spikes(self, window: Window, blocks: list[Block], region: str) -> tuple[Indices, Indices]:
        """Merges the spikes that NEST's ranks recorded in a window.

        Returns:
            Absolute tick and index of the neuron within its region (uint64), sorted by tick, then
            neuron: an order that no layout of processes changes.
        """
        parts = [group_signals(block.arrays, f"spikes/{region}") for block in blocks]
        parts = [part for part in parts if part]
        if not parts:
            return np.empty(0, np.uint64), np.empty(0, np.uint64)
        neuron = np.concatenate([part["neuron"] for part in parts]).astype(np.uint64)
        tick = np.concatenate([part["tick"] for part in parts]).astype(np.uint64)
        order = np.lexsort((neuron, tick))
        return tick[order] + np.uint64(window.start), neuron[order]

    def kept_spikes(
        self, window: Window, blocks: list[Block]
    ) -> Iterator[tuple[KeptPopulation, Indices, Indices]]:
        """Yields the recorded spikes of a window, as :meth:`spikes`, by population.

        Yields:
            A population, absolute ticks, and indices of neurons within the population.
        """
        for region in dict.fromkeys(kept.region for kept in self.kept):
            ticks, neurons = self.spikes(window, blocks, region)
            for kept in self.kept:
                if kept.region == region:
                    inside = (neurons >= kept.start) & (neurons < kept.stop)
                    yield kept, ticks[inside], neurons[inside] - np.uint64(kept.start)

    def timing(self, role: str, rank: int) -> Iterator[tuple[int, Reals]]:
        """Yields how long a process took, for all windows of which it has written that.

        Yields:
            Index of a first window, and seconds (float64 [window, phase], phases in the order of
            :data:`cosim_core.run_dir.recorder.PHASES`).

        Raises:
            RunDirectoryError: If the run has times of other phases.
        """
        for block in self._blocks(self.layout.timing_journal(role, rank), role, rank):
            yield block.window, phases_of(block)

    def phases(self, role: str, rank: int) -> Iterator[tuple[int, Reals]]:
        """Yields how long a process took, for the complete windows.

        Yields:
            Index of a window, and seconds per phase, as :meth:`timing`.
        """
        for first, rows in self.timing(role, rank):
            for index, seconds in enumerate(rows, start=first):
                if index < self.complete_windows:
                    yield index, seconds

    def tails(self, role: str, most_bytes: int) -> list[JournalTail]:
        """Returns readers of what the ranks of a participant add to their journals.

        Args:
            role: The participant.
            most_bytes: Most that one look reads of a journal; the oldest of more is skipped.
        """
        return [
            JournalTail(
                self.layout.journal(role, rank), JournalOwner(self.plan.run, role, rank), most_bytes
            )
            for rank in range(self.plan.participants.get(role, 0))
        ]

    def joined(self, edge: str, prefix: str, names: Iterable[str]) -> dict[str, Reals]:
        """Joins signals that the translator received or recorded, for a replay.

        Args:
            edge: Edge whose blocks are read.
            prefix: First part of the signals' names, e.g. ``coupling``.
            names: The rest of them, e.g. regions.

        Returns:
            float64 [..., tick] by name, of windows 0, 1, ... up to the first that is missing; no
            entry for a signal without any.
        """
        pieces: dict[str, list[Reals]] = {name: [] for name in names}
        for block in self._journal("translator", 0):
            if block.edge == edge:
                for name, arrays in pieces.items():
                    array = block.arrays.get(f"{prefix}/{name}")
                    if array is not None and block.window == len(arrays):
                        arrays.append(array.astype(np.float64))
        return {name: np.concatenate(found, axis=-1) for name, found in pieces.items() if found}

    def _summed(self, window: Window, blocks: list[Block]) -> dict[str, Counts]:
        sums = {
            region: np.zeros((len(populations), window.ticks), np.uint32)
            for region, populations in self.populations.items()
        }
        for block in blocks:
            for region, counts in group_signals(block.arrays, "counts").items():
                sums[region] += counts.astype(np.uint32)
        return sums

    def _consecutive(self, role: str, rank: int) -> Iterator[Block]:
        """Yields what a process recorded for windows 0, 1, ... up to the first gap."""
        edge, due = record_edge(role), 0
        for block in self._journal(role, rank):
            if block.edge != edge:
                continue
            if block.window != due:
                return
            yield block
            due += 1

    def check_journals(self) -> None:
        """Makes sure that every window that the run had can be read.

        Raises:
            RunDirectoryError: If a journal is damaged or missing.
        """
        if self.files is None:
            _ = self.complete_windows
            return
        for path in journal_files(self.layout, self.plan):
            self.files.check(path)

    def _journal(self, role: str, rank: int) -> Iterator[Block]:
        return self._blocks(self.layout.journal(role, rank), role, rank)

    def _blocks(self, path: Path, role: str, rank: int) -> Iterator[Block]:
        """Yields the blocks of a journal; none if its process died before it could make it."""
        if self.files is not None:
            self.files.check(path)
        if path.is_file() if self.files is None else self.files.lists(path):
            yield from read_journal(path, JournalOwner(self.plan.run, role, rank))
