"""Curves and rasters of a run for plots: of its result files, or of its journals while it goes on.

Files and timing are read in pieces, journals of blocks up to :data:`JOURNAL_BYTES` from their end,
so that a long run costs no more memory than a short one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import h5py
import numpy as np

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.model.plan import Populations
from tvb_nest_cosim.cosim_core.model.signals import Block
from tvb_nest_cosim.cosim_core.results import Run, first_series, open_run
from tvb_nest_cosim.cosim_core.results.growing import plain_name
from tvb_nest_cosim.cosim_core.run_dir.journal import read_journal
from tvb_nest_cosim.cosim_core.run_dir.journal_tail import JournalTail
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.recorder import PHASES, phases_of
from tvb_nest_cosim.orchestrator.server.live.extract import (
    Points,
    TvbCurves,
    View,
    chosen_spikes,
    points,
)

if TYPE_CHECKING:
    import xarray as xr

Kind = Literal["rates", "input", "tvb"]

JOURNAL_BYTES = 32 * 1024 * 1024
"""Most that is read of a journal of a run that goes on; older data follow when it has ended."""

_PIECE_ROWS = 1_000_000

_ROLES: dict[Kind, str] = {"rates": "translator", "input": "translator", "tvb": "tvb"}


def live_series(
    root: Path, view: View, kind: Kind, max_points: int, regions: Sequence[str] | None
) -> dict[str, Any]:
    """Returns curves of a run that goes on; the same form as :func:`series`."""
    blocks = _blocks(root, view, _ROLES[kind])
    if kind == "tvb":
        return _tvb(view.tvb(blocks, regions, max_points))
    found: dict[str, Any] = (
        view.rates(blocks, max_points) if kind == "rates" else view.inputs(blocks, max_points)
    )
    return {"kind": kind, kind: {k: v for k, v in found.items() if regions is None or k in regions}}


def series(
    root: Path, kind: Kind, max_points: int, regions: Sequence[str] | None
) -> dict[str, Any]:
    """Returns curves of a run that has ended.

    Returns:
        ``kind`` and, under its name, what ``data`` events hold: points by region and population
        (``rates``, Hz), by region (``input``, Hz), or ``variable``, ``unit``
        and ``regions`` (``tvb``).

    Raises:
        RunDirectoryError: If the run has no such result.
    """
    with open_run(root) as run:
        if kind == "tvb":
            return _tvb_series(run, max_points, regions)
        make = _rate_curves if kind == "rates" else _input_curves
        names = [plan.name for plan in run.plan.regions]
        found = {
            name: make(run, name, max_points)
            for name in names
            if regions is None or name in regions
        }
        return {"kind": kind, kind: {k: v for k, v in found.items() if v}}


def _rate_curves(run: Run, region: str, max_points: int) -> dict[str, Points]:
    name = plain_name("rate", region)
    if name not in run.rates:
        return {}
    variable = run.rates[name]
    populations = list(run.records.rows_of_rates[region])
    return {
        population: _curve(variable[:, index], max_points)
        for index, population in enumerate(populations)
    }


def _input_curves(run: Run, region: str, max_points: int) -> Points:
    name = plain_name("input", region)
    return _curve(run.rates[name], max_points) if name in run.rates else []


def _tvb_series(run: Run, max_points: int, regions: Sequence[str] | None) -> dict[str, Any]:
    found = first_series(run)
    if found is None:
        return _tvb(TvbCurves())
    names = [str(name) for name in found.coords[found.dims[1]].values]
    wanted = [name for name in names if regions is None or name in regions]
    curves = {name: _curve(found[:, names.index(name)], max_points) for name in wanted}
    return _tvb(TvbCurves(found.attrs["variable"], found.attrs["units"], curves))


def _tvb(curves: TvbCurves) -> dict[str, Any]:
    return {"kind": "tvb", "tvb": asdict(curves)}


def _curve(variable: xr.DataArray, max_points: int) -> Points:
    """Averages a curve of any length down, piece by piece."""
    rows = len(variable)
    step = max(1, -(-rows // max_points))
    piece = step * max(1, _PIECE_ROWS // step)
    time = variable.coords[variable.dims[0]]
    curve: Points = []
    for start in range(0, rows, piece):
        part = slice(start, min(start + piece, rows))
        size = part.stop - part.start
        curve += points(time[part].values, variable[part].values, -(-size // step))
    return curve


def live_raster(
    root: Path, view: View, from_ms: float, to_ms: float, max_points: int
) -> dict[str, Any]:
    """Returns single spikes of a run that goes on; the same form as :func:`raster`."""
    found = view.raster(_blocks(root, view, "nest"), _PIECE_ROWS)
    regions = {}
    for region, spikes in found.items():
        inside = [spike for spike in spikes if from_ms < spike[0] <= to_ms]
        regions[region] = len(inside), inside[:: max(1, -(-len(inside) // max_points))]
    return _raster(view.built.populations, regions)


def raster(root: Path, from_ms: float, to_ms: float, max_points: int) -> dict[str, Any]:
    """Returns single spikes of a run that has ended.

    Args:
        root: Run directory.
        from_ms: Spikes after this time,
        to_ms: up to this time.
        max_points: Most spikes per region; of more, an even choice.

    Returns:
        ``raster`` as in ``data`` events, ``totals`` (spikes in that time) and ``populations``
        (neurons by population, in the order of the neurons' indices), all by region.

    Raises:
        RunDirectoryError: If no spikes were recorded.
    """
    with open_run(root) as run:
        path = run.records.layout.spikes
        if not path.is_file():
            raise RunDirectoryError("this run recorded no spikes")
        regions: dict[str, tuple[int, Points]] = {}
        with h5py.File(path) as file:
            for region in run.populations:
                pieces = [
                    _spikes(file["spikes"], region, population, start, from_ms, to_ms)
                    for population, start in run.records.offsets(region).items()
                    if population in run.records.recorded(region)
                ]
                if pieces:
                    times, neurons = (np.concatenate(part) for part in zip(*pieces, strict=True))
                    spikes = chosen_spikes(times, neurons, max_points)
                    regions[region] = len(times), spikes
        return _raster(run.populations, regions)


def _raster(populations: Populations, regions: dict[str, tuple[int, Points]]) -> dict[str, Any]:
    # Sizes of silent regions too: whoever asks early must be able to draw them when they fire.
    return {
        "raster": {name: spikes for name, (_, spikes) in regions.items()},
        "totals": {name: total for name, (total, _) in regions.items()},
        "populations": dict(populations),
    }


def _spikes(
    spikes: Any, region: str, population: str, offset: int, from_ms: float, to_ms: float
) -> tuple[Any, Any]:
    group = spikes[plain_name(region, population)]
    times = group["timestamps"]
    first = bisect_left(times, np.nextafter(from_ms, np.inf))
    last = bisect_left(times, np.nextafter(to_ms, np.inf), lo=first)
    step = max(1, (last - first) // _PIECE_ROWS)
    return times[first:last:step], group["node_ids"][first:last:step] + np.uint64(offset)


def phases(root: Path, participants: dict[str, int], max_points: int) -> dict[str, Any]:
    """Returns how long each phase of a window took, averaged over neighbouring windows.

    Returns:
        By process: ``windows`` (first of each group), ``counts`` (windows in it) and, per phase,
        mean seconds per window, from the first window to the last that was written.
    """
    layout = RunLayout(root)
    found = {}
    for role, ranks in participants.items():
        for rank in range(ranks):
            path = layout.timing_journal(role, rank)
            # Until the first 256 windows are done there is no row, and perhaps no file.
            blocks = read_journal(path) if path.is_file() and path.stat().st_size else ()
            found[f"{role}-{rank}"] = _mean_phases(blocks, max_points)
    return {"phases": list(PHASES), "participants": found}


def _mean_phases(blocks: Iterable[Block], max_points: int) -> dict[str, list[float]]:
    """Averages groups of windows; they double in size whenever there would be too many groups."""
    size, most = 1, max_points - max_points % 2
    sums, counts = np.zeros((most, len(PHASES))), np.zeros(most, dtype=np.int64)
    for block in blocks:
        rows = phases_of(block)
        windows = block.window + np.arange(len(rows))
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
    return {
        "windows": (groups * size).tolist(),
        "counts": counts[groups].tolist(),
        **columns,
    }


def _blocks(root: Path, view: View, role: str) -> list[Block]:
    layout = RunLayout(root)
    ranks = view.plan.participants.get(role, 0)
    tails = [JournalTail(layout.journal(role, rank), JOURNAL_BYTES) for rank in range(ranks)]
    return [block for tail in tails for block in tail.new()]
