"""From blocks of journals to points of curves, for live events and for runs that go on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.model.experiment import Monitor
from tvb_nest_cosim.cosim_core.model.plan import Built, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import Array, Block, group_signals
from tvb_nest_cosim.cosim_core.results import shown_unit

Reals = npt.NDArray[np.float64]
Points = list[list[float]]
"""Rows of time in ms and value."""

GLOBAL_MONITORS = ("GlobalAverage", "EEG", "MEG", "iEEG")
"""Monitors whose nodes are no regions."""


@dataclass(frozen=True)
class TvbCurves:
    """Curves of one variable of TVB.

    Attributes:
        variable: Its name; empty if nothing is recorded of regions.
        unit: Its unit; empty if it is not known.
        regions: Curves by region.
    """

    variable: str = ""
    unit: str = ""
    regions: dict[str, Points] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """What one needs to know of a run to read its blocks.

    Attributes:
        plan: Its plan.
        built: What the participants have built.
    """

    plan: RunPlan
    built: Built

    def rates(self, blocks: Iterable[Block], max_points: int) -> dict[str, dict[str, Points]]:
        """Returns translated rates in Hz by region and population, from the translator's blocks."""
        rows = self.plan.rows_of_rates(self.built.populations)
        found: dict[str, dict[str, Points]] = {}
        for region, (times, values) in self._per_tick(blocks, "rates").items():
            names = list(rows.get(region, {}))
            if len(names) == len(values):
                curves = [points(times, row, max_points) for row in values]
                found[region] = dict(zip(names, curves, strict=True))
        return found

    def inputs(self, blocks: Iterable[Block], max_points: int) -> dict[str, Points]:
        """Returns the total input rate of a driven neuron in Hz by region, when it acts."""
        hops = {region.name: region.drive.hop_ticks for region in self.plan.regions}
        dt_ms = self.plan.experiment.dt_ms
        return {
            region: points(times + hops.get(region, 0) * dt_ms, values, max_points)
            for region, (times, values) in self._per_tick(blocks, "input").items()
        }

    def tvb(
        self, blocks: Sequence[Block], regions: Sequence[str] | None, max_points: int
    ) -> TvbCurves:
        """Returns the first variable of the first monitor of regions, as the results show it.

        Args:
            blocks: Blocks of TVB.
            regions: Regions wanted; None: all.
            max_points: Most points per curve.
        """
        monitor = self._monitor()
        if monitor is None:
            return TvbCurves()
        key, facts = monitor.key, self.built.monitors[monitor.key]
        variable = facts.variables[0]
        factor, unit = shown_unit(self.plan.experiment.tvb.model.name, monitor.name, variable)
        parts = [group_signals(b.arrays, f"monitor/{key}") for b in blocks if _is_record(b, "tvb")]
        parts = [part for part in parts if part and len(part["time"])]
        if not parts:
            return TvbCurves(variable, unit)
        times = np.concatenate([part["time"] for part in parts]).astype(np.float64)
        values = factor * np.concatenate([part["data"][:, 0, :, 0] for part in parts])
        wanted = facts.nodes if regions is None else regions
        curves = {
            name: points(times, values[:, facts.nodes.index(name)], max_points)
            for name in wanted
            if name in facts.nodes
        }
        return TvbCurves(variable, unit, curves)

    def raster(
        self, blocks: Iterable[Block], max_spikes: int, neurons: int | None = None
    ) -> dict[str, list[list[float]]]:
        """Returns single spikes by region: time in ms and neuron within the region.

        Args:
            blocks: Blocks of NEST, of all ranks.
            max_spikes: Most spikes per region; of more, an even choice.
            neurons: Show about so many neurons of a region; None: all.
        """
        parts: dict[str, list[tuple[Reals, Array]]] = {}
        dt_ms = self.plan.experiment.dt_ms
        for block in blocks:
            if not _is_record(block, "nest"):
                continue
            start = block.window * self.plan.window_ticks
            for region in self.built.populations:
                spikes = group_signals(block.arrays, f"spikes/{region}")
                if spikes and len(spikes["tick"]):
                    ticks = spikes["tick"].astype(np.int64) + start
                    parts.setdefault(region, []).append((_ms(ticks, dt_ms), spikes["neuron"]))
        found = {}
        for region, pieces in parts.items():
            times = np.concatenate([piece[0] for piece in pieces])
            ids = np.concatenate([piece[1] for piece in pieces])
            if neurons is not None:
                size = sum(self.built.populations[region].values())
                shown = ids % max(1, -(-size // neurons)) == 0
                times, ids = times[shown], ids[shown]
            found[region] = chosen_spikes(times, ids, max_spikes)
        return found

    def _monitor(self) -> Monitor | None:
        # Bold comes last, as in the results: it lags behind by seconds.
        monitors = self.plan.experiment.tvb.monitors
        for monitor in sorted(monitors, key=lambda entry: entry.name == "Bold"):
            if monitor.name not in GLOBAL_MONITORS and monitor.key in self.built.monitors:
                return monitor
        return None

    def _per_tick(self, blocks: Iterable[Block], signal: str) -> dict[str, tuple[Reals, Array]]:
        """Joins arrays whose last axis is the tick; times are those of the end of each tick."""
        grid = self.plan.grid
        times: list[Reals] = []
        values: dict[str, list[Array]] = {}
        for block in blocks:
            if not _is_record(block, "translator"):
                continue
            window = grid.window(block.window)
            times.append(_ms(np.arange(window.start + 1, window.stop + 1), grid.dt_ms))
            for region, array in group_signals(block.arrays, signal).items():
                values.setdefault(region, []).append(array)
        if not times:
            return {}
        joined = np.concatenate(times)
        return {
            region: (joined, np.concatenate(arrays, axis=-1))
            for region, arrays in values.items()
            if len(arrays) == len(times)
        }


def _ms(ticks: npt.NDArray[np.int64], dt_ms: float) -> Reals:
    return np.multiply(ticks, dt_ms, dtype=np.float64)


def _is_record(block: Block, role: str) -> bool:
    return block.edge == f"{role}.record"


def points(times: Reals, values: Array, max_points: int) -> Points:
    """Averages neighbours until a curve has at most ``max_points``; times are those of the last.

    Args:
        times: In ms, shape (n,).
        values: Shape (n,).
        max_points: Most points.
    """
    step = max(1, -(-len(times) // max_points))
    edges = np.arange(0, len(times), step)
    if not len(edges):
        return []
    counts = np.diff(np.append(edges, len(times)))
    means = np.add.reduceat(values.astype(np.float64), edges) / counts
    last = times[edges + counts - 1]
    return _rows(last, means)


def chosen_spikes(times: Reals, neurons: Array, max_spikes: int) -> list[list[float]]:
    """Returns at most ``max_spikes`` spikes in the order of time, evenly chosen."""
    order = np.argsort(times, kind="stable")
    order = order[:: max(1, -(-len(order) // max_spikes))]
    return [[round(float(t), 4), int(n)] for t, n in zip(times[order], neurons[order], strict=True)]


def _rows(times: Reals, values: Reals) -> Points:
    """Rounds to what a plot can show; a value that is no number is left out."""
    return [
        [round(float(t), 4), float(f"{v:.6g}")]
        for t, v in zip(times, values, strict=True)
        if np.isfinite(v)
    ]
