"""Curves, rasters and times of a run, thinned out to what a plot can show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from tvb_nest_cosim.cosim_core.model.arrays import Array, Reals
from tvb_nest_cosim.cosim_core.run_dir.recorder import PHASES
from tvb_nest_cosim.cosim_core.run_dir.records import RunRecords
from tvb_nest_cosim.orchestrator.server.live.sources import Samples, Source

Kind = Literal["rates", "input", "tvb"]
Points = list[list[float]]
"""Rows of time in ms and value."""

_PIECE_ROWS = 1_000_000
"""Samples that are in memory at once."""


def series(
    source: Source, kind: Kind, max_points: int, regions: Sequence[str] | None
) -> dict[str, Any]:
    """Returns curves of at most ``max_points`` each.

    Returns:
        ``kind`` and, under its name, what ``data`` events hold: points by region and population
        (``rates``, Hz), by region (``input``, Hz), or ``variable``, ``unit`` and ``regions``
        (``tvb``).

    Raises:
        RunDirectoryError: If the run has no such result.
    """
    found: dict[str, Any]
    if kind == "tvb":
        tvb = source.tvb(regions)
        curves = {name: curve(samples, max_points) for name, samples in tvb.regions.items()}
        found = {"variable": tvb.variable, "unit": tvb.unit, "regions": curves}
    elif kind == "rates":
        found = {
            region: {name: curve(samples, max_points) for name, samples in populations.items()}
            for region, populations in source.rates().items()
            if populations and (regions is None or region in regions)
        }
    else:
        found = {
            region: curve(samples, max_points)
            for region, samples in source.inputs().items()
            if len(samples.times_ms) and (regions is None or region in regions)
        }
    return {"kind": kind, kind: found}


def raster(
    source: Source, from_ms: float, to_ms: float, max_points: int, neurons: int | None = None
) -> dict[str, Any]:
    """Returns single spikes.

    Args:
        source: The run.
        from_ms: Spikes after this time,
        to_ms: up to this time.
        max_points: Most spikes per region; of more, an even choice.
        neurons: Show about so many neurons of a region; None: all.

    Returns:
        ``raster`` (rows of time in ms and neuron), ``totals`` (spikes in that time) and
        ``populations`` (neurons by population, in the order of the neurons' indices, of silent
        regions, too), all by region.

    Raises:
        RunDirectoryError: If no spikes were recorded.
    """
    found = source.spikes(from_ms, to_ms)
    if neurons is not None:
        for region, (times_ms, ids) in found.items():
            size = sum(source.populations[region].values())
            shown = ids.astype(np.int64) % max(1, -(-size // neurons)) == 0
            found[region] = times_ms[shown], ids[shown]
    return {
        "raster": {region: _chosen(*spikes, max_points) for region, spikes in found.items()},
        "totals": {region: len(times_ms) for region, (times_ms, _) in found.items()},
        "populations": dict(source.populations),
    }


def phases(records: RunRecords, max_points: int) -> dict[str, Any]:
    """Returns how long each phase of a window took, averaged over neighbouring windows.

    Returns:
        By process: ``windows`` (first of each group), ``counts`` (windows in it) and, per phase,
        mean seconds per window, from the first window to the last that was written.
    """
    return {
        "phases": list(PHASES),
        "participants": {
            f"{role}-{rank}": _mean_phases(records.timing(role, rank), max_points)
            for role, ranks in records.plan.participants.items()
            for rank in range(ranks)
        },
    }


def curve(samples: Samples, max_points: int) -> Points:
    """Averages neighbours until a curve has at most ``max_points``, piece by piece.

    Times are those of the last neighbour; a value that is not finite is left out.
    """
    rows = len(samples.times_ms)
    step = max(1, -(-rows // max_points))
    piece = step * max(1, _PIECE_ROWS // step)
    points: Points = []
    for start in range(0, rows, piece):
        part = slice(start, min(start + piece, rows))
        times_ms = np.asarray(samples.times_ms[part], np.float64)
        values = np.asarray(samples.values[part], np.float64)
        edges = np.arange(0, len(times_ms), step)
        counts = np.diff(np.append(edges, len(times_ms)))
        points += _rounded(times_ms[edges + counts - 1], np.add.reduceat(values, edges) / counts)
    return points


def _rounded(times_ms: Reals, values: Reals) -> Points:
    """Rounds to what a plot can show."""
    return [
        [round(float(t), 4), float(f"{v:.6g}")]
        for t, v in zip(times_ms, values, strict=True)
        if np.isfinite(v)
    ]


def _chosen(times_ms: Reals, neurons: Array, max_spikes: int) -> Points:
    """Returns at most ``max_spikes`` spikes in the order of time, evenly chosen."""
    order = np.argsort(times_ms, kind="stable")
    order = order[:: max(1, -(-len(order) // max_spikes))]
    rows = zip(times_ms[order], neurons[order], strict=True)
    return [[round(float(t), 4), int(n)] for t, n in rows]


def _mean_phases(parts: Iterable[tuple[int, Reals]], max_points: int) -> dict[str, list[float]]:
    """Averages groups of windows; they double in size whenever there would be too many groups."""
    size, most = 1, max_points - max_points % 2
    sums, counts = np.zeros((most, len(PHASES))), np.zeros(most, dtype=np.int64)
    for first, rows in parts:
        windows = first + np.arange(len(rows))
        while windows[-1] // size >= most:
            size *= 2
            for array in (sums, counts):
                array[: most // 2] = array[::2] + array[1::2]
                array[most // 2 :] = 0
        np.add.at(sums, windows // size, rows)
        np.add.at(counts, windows // size, 1)
    (groups,) = counts.nonzero()
    means = sums[groups] / counts[groups, None]
    columns = {
        name: [float(f"{value:.4g}") for value in means[:, index]]
        for index, name in enumerate(PHASES)
    }
    return {"windows": (groups * size).tolist(), "counts": counts[groups].tolist(), **columns}
