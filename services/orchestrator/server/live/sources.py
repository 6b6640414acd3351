"""Sampled signals of a run: from its journals while it goes on, from its result files later.

Journals are read up to :data:`JOURNAL_BYTES` from their end, and of files only the slices that are
asked for, so that a long run costs no more memory than a short one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.model.arrays import Array, Integers, Reals
from tvb_nest_cosim.cosim_core.model.experiment import Monitor
from tvb_nest_cosim.cosim_core.model.plan import Populations
from tvb_nest_cosim.cosim_core.model.signals import Block, group_signals
from tvb_nest_cosim.cosim_core.results import Run, first_series, plain_name, shown_unit
from tvb_nest_cosim.cosim_core.run_dir.recorder import record_edge
from tvb_nest_cosim.cosim_core.run_dir.records import RunRecords

JOURNAL_BYTES = 32 * 1024 * 1024
"""Most that is read of a journal of a run that goes on; older data follow when it has ended."""

MOST_SPIKES = 1_000_000
"""Most spikes of a population that are read of a file; of more, an even choice."""

GLOBAL_MONITORS = ("GlobalAverage", "EEG", "MEG", "iEEG")
"""Monitors whose nodes are not regions."""


@dataclass(frozen=True)
class Samples:
    """Samples of one quantity, arrays or variables of a file: both have a length and slices.

    Attributes:
        times_ms: Shape (n,).
        values: Shape (n,).
    """

    times_ms: Any
    values: Any


@dataclass(frozen=True)
class TvbSamples:
    """Samples of one variable of TVB.

    Attributes:
        variable: Its name; empty if nothing is recorded of regions.
        unit: Its unit; empty if it is not known.
        regions: Samples by region.
    """

    variable: str = ""
    unit: str = ""
    regions: dict[str, Samples] = field(default_factory=dict)


class Source(Protocol):
    """Where the samples of a run come from."""

    @property
    def populations(self) -> Populations:
        """Neurons by region and population, in the order of the neurons' indices."""

    def rates(self) -> dict[str, dict[str, Samples]]:
        """Returns translated rates in Hz by region and population."""

    def inputs(self) -> dict[str, Samples]:
        """Returns the total input rate of a driven neuron in Hz by region, when it acts."""

    def tvb(self, regions: Sequence[str] | None) -> TvbSamples:
        """Returns the first variable of the first monitor of regions (None: of all regions)."""

    def spikes(self, from_ms: float, to_ms: float) -> dict[str, tuple[Reals, Array]]:
        """Returns times in (from_ms, to_ms] and neurons, by region, in no certain order."""


class JournalSource:
    """Reads blocks of journals.

    Args:
        records: The run.
        read: Returns blocks of a participant, of all ranks.
    """

    def __init__(self, records: RunRecords, read: Callable[[str], Iterable[Block]]) -> None:
        self._records = records
        self._read = read

    @classmethod
    def newest(cls, records: RunRecords) -> JournalSource:
        """Reads the end of every journal."""
        return cls(records, lambda role: new_blocks(records.tails(role, JOURNAL_BYTES)))

    @property
    def populations(self) -> Populations:
        """See :meth:`Source.populations`."""
        return self._records.populations

    def rates(self) -> dict[str, dict[str, Samples]]:
        """See :meth:`Source.rates`."""
        ticks, by_region = self._per_tick("rates")
        times_ms = self._records.times_ms(ticks)
        rows = self._records.rows_of_rates
        return {
            region: {
                name: Samples(times_ms, row) for name, row in zip(rows[region], values, strict=True)
            }
            for region, values in by_region.items()
            if len(rows.get(region, ())) == len(values)
        }

    def inputs(self) -> dict[str, Samples]:
        """See :meth:`Source.inputs`."""
        ticks, by_region = self._per_tick("input")
        hops = {region.name: region.drive.hop_ticks for region in self._records.plan.regions}
        return {
            region: Samples(self._records.times_ms(ticks + hops.get(region, 0)), values)
            for region, values in by_region.items()
        }

    def tvb(self, regions: Sequence[str] | None) -> TvbSamples:
        """See :meth:`Source.tvb`."""
        monitor = self._monitor()
        if monitor is None:
            return TvbSamples()
        facts = self._records.built.monitors[monitor.key]
        model = self._records.plan.experiment.tvb.model.name
        variable = facts.variables[0]
        factor, unit = shown_unit(model, monitor.name, variable)
        parts = [group_signals(b.arrays, f"monitor/{monitor.key}") for b in self._recorded("tvb")]
        parts = [part for part in parts if part and len(part["time"])]
        if not parts:
            return TvbSamples(variable, unit)
        times_ms = np.concatenate([part["time"] for part in parts])
        values = factor * np.concatenate([part["data"][:, 0, :, 0] for part in parts])
        index = {name: number for number, name in enumerate(facts.nodes)}
        wanted = index if regions is None else [name for name in regions if name in index]
        samples = {name: Samples(times_ms, values[:, index[name]]) for name in wanted}
        return TvbSamples(variable, unit, samples)

    def spikes(self, from_ms: float, to_ms: float) -> dict[str, tuple[Reals, Array]]:
        """See :meth:`Source.spikes`; silent regions are left out."""
        parts: dict[str, list[tuple[Reals, Array]]] = {}
        for block in self._recorded("nest"):
            start = block.window * self._records.plan.window_ticks
            for region in self.populations:
                spikes = group_signals(block.arrays, f"spikes/{region}")
                if spikes and len(spikes["tick"]):
                    times_ms = self._records.times_ms(spikes["tick"].astype(np.int64) + start)
                    inside = (times_ms > from_ms) & (times_ms <= to_ms)
                    part = times_ms[inside], spikes["neuron"][inside]
                    parts.setdefault(region, []).append(part)
        return {region: _joined(pieces) for region, pieces in parts.items()}

    def _recorded(self, role: str) -> Iterator[Block]:
        edge = record_edge(role)
        return (block for block in self._read(role) if block.edge == edge)

    def _monitor(self) -> Monitor | None:
        # Bold comes last, as in the results: it lags behind by seconds.
        monitors = self._records.plan.experiment.tvb.monitors
        for monitor in sorted(monitors, key=lambda entry: entry.name == "Bold"):
            if monitor.name not in GLOBAL_MONITORS and monitor.key in self._records.built.monitors:
                return monitor
        return None

    def _per_tick(self, signal: str) -> tuple[Integers, dict[str, Array]]:
        """Joins arrays of the translator whose last axis is the tick; returns ticks and arrays."""
        ticks: list[Integers] = [np.empty(0, np.int64)]
        values: dict[str, list[Array]] = {}
        for block in self._recorded("translator"):
            window = self._records.plan.grid.window(block.window)
            ticks.append(np.arange(window.start + 1, window.stop + 1))
            for region, array in group_signals(block.arrays, signal).items():
                values.setdefault(region, []).append(array)
        whole = {name: arrays for name, arrays in values.items() if len(arrays) == len(ticks) - 1}
        return np.concatenate(ticks), {
            name: np.concatenate(arrays, axis=-1) for name, arrays in whole.items()
        }


class FileSource:
    """Reads the result files of a run that has ended.

    Args:
        run: The run; it must stay open while the samples are used.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def populations(self) -> Populations:
        """See :meth:`Source.populations`."""
        return self._run.populations

    def rates(self) -> dict[str, dict[str, Samples]]:
        """See :meth:`Source.rates`.

        Raises:
            RunDirectoryError: If the run has no such file, as for all methods here.
        """
        found = {}
        rows = self._run.records.rows_of_rates
        for region in self._run.plan.regions:
            if (name := plain_name("rate", region.name)) in self._run.rates:
                table = self._run.rates[name]
                found[region.name] = {
                    population: Samples(table.coords["time"], table[:, row])
                    for row, population in enumerate(rows[region.name])
                }
        return found

    def inputs(self) -> dict[str, Samples]:
        """See :meth:`Source.inputs`."""
        found = {}
        for region in self._run.plan.regions:
            if (name := plain_name("input", region.name)) in self._run.rates:
                series = self._run.rates[name]
                found[region.name] = Samples(series.coords[series.dims[0]], series)
        return found

    def tvb(self, regions: Sequence[str] | None) -> TvbSamples:
        """See :meth:`Source.tvb`."""
        series = first_series(self._run)
        if series is None:
            return TvbSamples()
        times_ms = series.coords[series.dims[0]]
        names = [str(name) for name in series.coords[series.dims[1]].values]
        samples = {
            name: Samples(times_ms, series[:, column])
            for column, name in enumerate(names)
            if regions is None or name in regions
        }
        return TvbSamples(series.attrs["variable"], series.attrs["units"], samples)

    def spikes(self, from_ms: float, to_ms: float) -> dict[str, tuple[Reals, Array]]:
        """See :meth:`Source.spikes`; regions of which nothing is recorded are left out."""
        if not self._run.has("spikes"):
            raise RunDirectoryError("this run recorded no spikes")
        parts: dict[str, list[tuple[Reals, Array]]] = {}
        with self._run.spikes_file() as file:
            for kept in self._run.records.kept:
                group = file["spikes"][plain_name(kept.region, kept.name)]
                times_ms = group["timestamps"]
                first = bisect_left(times_ms, np.nextafter(from_ms, np.inf))
                last = bisect_left(times_ms, np.nextafter(to_ms, np.inf), lo=first)
                part = slice(first, last, max(1, (last - first) // MOST_SPIKES))
                neurons = group["node_ids"][part] + np.uint64(kept.start)
                parts.setdefault(kept.region, []).append((times_ms[part], neurons))
        return {region: _joined(pieces) for region, pieces in parts.items()}


def new_blocks(tails: Iterable[Any]) -> list[Block]:
    """Returns what is new in several journals, one after another."""
    return [block for tail in tails for block in tail.new()]


def _joined(pieces: list[tuple[Reals, Array]]) -> tuple[Reals, Array]:
    times_ms, neurons = zip(*pieces, strict=True)
    return np.concatenate(times_ms), np.concatenate(neurons)
