"""The journals of a run as streams of complete windows, whatever became of the run.

A window is *complete* when every process of the ensemble has recorded it. A run that failed or was
interrupted leaves journals of different lengths, perhaps with a damaged end, or none at all;
everything after the last complete window is ignored, so all results of a run end at the same tick.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.model.experiment import SpikingGroup
from tvb_nest_cosim.cosim_core.model.plan import MonitorFacts, Populations, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import NEST_TO_TRANSLATOR, Block, group_signals
from tvb_nest_cosim.cosim_core.model.timegrid import Window, ms_of
from tvb_nest_cosim.cosim_core.run_dir.journal import MAGIC, read_journal
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.recorder import phases_of

Counts = npt.NDArray[np.uint32]
Indices = npt.NDArray[np.uint64]
Reals = npt.NDArray[np.float64]


def record_edge(role: str) -> str:
    """Returns the private edge on which a participant records its own results."""
    return f"{role}.record"


@dataclass(frozen=True)
class RunRecords:
    """What a run directory holds before anything is derived from it.

    Attributes:
        layout: Paths of the run.
        plan: Plan that the participants got.
        populations: Neurons by region and population; empty if NEST was not built.
        monitors: What TVB's monitors deliver, by key; empty if TVB was not built.
    """

    layout: RunLayout
    plan: RunPlan
    populations: Populations
    monitors: dict[str, MonitorFacts]

    @classmethod
    def open(cls, root: Path) -> RunRecords:
        """Reads ``plan.json`` of a run directory.

        Raises:
            RunDirectoryError: If there is none or it is damaged.
        """
        layout = RunLayout(root)
        try:
            tree = json.loads(layout.plan.read_text(encoding="utf-8"))
            monitors = tree.get("facts", {}).get("tvb", {}).get("monitors", {})
            return cls(
                layout=layout,
                plan=RunPlan.model_validate(tree["plan"]),
                populations=tree.get("populations") or {},
                monitors={key: MonitorFacts.model_validate(m) for key, m in monitors.items()},
            )
        except FileNotFoundError as error:
            raise RunDirectoryError(
                f"{root} is no run directory: it has no {layout.plan.name}. Give the folder that "
                "'cosim run' named when it started"
            ) from error
        except OSError as error:
            raise RunDirectoryError(
                f"cannot read {layout.plan}: {error.strerror or error}"
            ) from error
        except (ValueError, KeyError, AttributeError, ValidationError) as error:
            raise RunDirectoryError(
                f"{layout.plan} is damaged or of another version of this program: {error}. "
                "Run the experiment again (experiment.yaml is in the same folder)"
            ) from error

    def group(self, region: str) -> SpikingGroup:
        """Returns the declaration of a spiking region."""
        index = next(r.group for r in self.plan.regions if r.name == region)
        return self.plan.experiment.spiking[index]

    def recorded(self, region: str) -> list[str]:
        """Names the populations of a region whose spikes are kept, in the region's order."""
        spikes = self.group(region).record.spikes
        names = list(self.populations.get(region, {}))
        return [name for name in names if spikes is True or (spikes and name in spikes)]

    def offsets(self, region: str) -> dict[str, int]:
        """Returns the index of the first neuron of each population within its region."""
        starts, start = {}, 0
        for name, neurons in self.populations[region].items():
            starts[name] = start
            start += neurons
        return starts

    @property
    def rows_of_rates(self) -> Populations:
        """Populations that the translated rates have, of NEST or of what stands in for it."""
        return self.plan.rows_of_rates(self.populations)

    @cached_property
    def complete_windows(self) -> int:
        """Windows that every process has recorded."""
        counts = [
            sum(1 for _ in self._consecutive(role, rank))
            for role, ranks in self.plan.participants.items()
            for rank in range(ranks)
        ]
        return min(counts, default=0)

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
        for block in self._received(NEST_TO_TRANSLATOR) if ranks else ():
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

    def phases(self, role: str, rank: int) -> Iterator[tuple[int, Reals]]:
        """Yields how long a process took, for the complete windows.

        Yields:
            Index of a window, and seconds per phase (float64, in the order of
            :data:`cosim_core.run_dir.recorder.PHASES`).

        Raises:
            RunDirectoryError: If the run has times of other phases.
        """
        for block in _readable(self.layout.timing_journal(role, rank)):
            for index, seconds in enumerate(phases_of(block), start=block.window):
                if index < self.complete_windows:
                    yield index, seconds

    def _summed(self, window: Window, blocks: list[Block]) -> dict[str, Counts]:
        sums = {
            region: np.zeros((len(populations), window.ticks), np.uint32)
            for region, populations in self.populations.items()
        }
        for block in blocks:
            for region, counts in group_signals(block.arrays, "counts").items():
                sums[region] += counts.astype(np.uint32)
        return sums

    def _received(self, edge: str) -> Iterator[Block]:
        blocks = _readable(self.layout.journal("translator", 0))
        return (block for block in blocks if block.edge == edge)

    def _consecutive(self, role: str, rank: int) -> Iterator[Block]:
        """Yields what a process recorded for windows 0, 1, ... up to the first gap."""
        edge, due = record_edge(role), 0
        for block in _readable(self.layout.journal(role, rank)):
            if block.edge != edge:
                continue
            if block.window != due:
                return
            yield block
            due += 1


def _readable(path: Path) -> Iterator[Block]:
    """Yields the blocks of a journal; none if its process died before it could write any."""
    if path.is_file() and path.stat().st_size >= len(MAGIC):
        yield from read_journal(path)
