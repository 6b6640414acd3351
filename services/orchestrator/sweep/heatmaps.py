"""How the statistics depend on every pair of parameters, as pictures."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.run_dir.layout import write_atomically
from tvb_nest_cosim.orchestrator.report.style import (
    INK,
    MUTED,
    Drawn,
    house_style,
    new_figure,
)
from tvb_nest_cosim.orchestrator.run.runner import plain_folder

DPI = 150
MAX_PANELS = 8
"""Panels of a figure; the table has all statistics."""

MAX_WRITTEN = 8
"""Rows or columns up to which cells show their number."""

PANEL_COLUMNS = 4

KINDS = {
    "rate_hz": "Mean rate (Hz)",
    "cv_isi": "CV of intervals between spikes",
    "synchrony": "Synchrony (variance / mean of spike counts)",
    "peak_hz": "Frequency of greatest power (Hz)",
    "correlation": "Correlation between spiking regions",
    "tvb_mean_hz": "TVB: mean rate (Hz)",
    "tvb_mean": "TVB: mean",
    "tvb_correlation": "TVB: mean correlation",
    "tvb_median_peak_hz": "TVB: power peak (Hz)",
}
"""Titles by kind of statistic. Those of TVB share a figure, as each is one number."""


def draw_heat_maps(frame: pd.DataFrame, names: Sequence[str], folder: Path) -> list[Path]:
    """Draws every pair of parameters against every statistic.

    Points of a full grid become heat maps, others coloured dots. Where a pair was run several
    times (other parameters, seeds) the mean is shown. Figures of an earlier call are removed.

    Args:
        frame: The table.
        names: What was varied.
        folder: Where the pictures go.

    Returns:
        Paths of the pictures.
    """
    for old in folder.glob("*.png"):
        old.unlink()
    finished = frame[frame["outcome"] == "finished"]
    varied = [name for name in names if finished[name].nunique() > 1]
    paths = []
    with house_style():
        for x, y in itertools.combinations(varied, 2):
            for drawn in _pair(finished, x, y):
                buffer = io.BytesIO()
                drawn.figure.savefig(buffer, format="png", dpi=DPI)
                paths.append(folder / f"{drawn.name}.png")
                write_atomically(paths[-1], buffer.getvalue())
    return paths


def _pair(frame: pd.DataFrame, x: str, y: str) -> Iterator[Drawn]:
    groups: dict[str, list[str]] = {}
    for column in frame.columns:
        kind, _, of = str(column).partition(".")
        if kind in KINDS and frame[column].notna().any():
            groups.setdefault("tvb" if not of else kind, []).append(str(column))
    means = frame.groupby([x, y], sort=True)[[c for cs in groups.values() for c in cs]].mean()
    for group, columns in groups.items():
        shown = columns[:MAX_PANELS]
        across = min(len(shown), PANEL_COLUMNS)
        down = -(-len(shown) // across)
        figure = new_figure(max(4.2, 3.4 * across), 0.4 + 2.9 * down)
        panels = figure.subplots(down, across, squeeze=False).ravel()
        for axes, column in zip(panels, shown, strict=False):
            _panel(axes, means[column], x, y)
            axes.set_title(_title(column))
        for axes in panels[len(shown) :]:
            axes.remove()
        if group != "tvb":
            figure.suptitle(KINDS[group], x=0.01, ha="left", fontsize=11, fontweight="bold")
        name = f"{plain_folder(x)}--{plain_folder(y)}--{group}"
        yield Drawn(name, KINDS.get(group, "TVB"), "", figure)


def _title(column: str) -> str:
    kind, _, of = column.partition(".")
    return of.replace(".", ", ") if of else KINDS[kind]


def _panel(axes: Axes, means: pd.Series[float], x: str, y: str) -> None:
    grid = means.unstack(level=0)
    if grid.size == len(means):
        image: Any = _heat(axes, grid)
    else:
        dots = means.reset_index()
        image = axes.scatter(
            dots[x], dots[y], c=dots[str(means.name)], cmap="viridis", s=42, edgecolors=INK,
            linewidths=0.4,
        )  # fmt: skip
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    bar = axes.figure.colorbar(image, ax=axes, pad=0.03, aspect=18)
    bar.ax.ticklabel_format(useOffset=False)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7)


def _heat(axes: Axes, grid: pd.DataFrame) -> Any:
    values = grid.to_numpy(dtype=np.float64)
    axes.set_facecolor(MUTED)
    image = axes.imshow(
        np.ma.masked_invalid(values), cmap="viridis", origin="lower", aspect="auto",
        interpolation="nearest",
    )  # fmt: skip
    axes.set_xticks(range(values.shape[1]), [_tick(value) for value in grid.columns])
    axes.set_yticks(range(values.shape[0]), [_tick(value) for value in grid.index])
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    if max(values.shape) <= MAX_WRITTEN:
        _write_numbers(axes, values, image)
    return image


def _write_numbers(axes: Axes, values: Reals, image: Any) -> None:
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            bright = image.norm(value) > 0.6
            axes.text(
                column, row, f"{value:.3g}", ha="center", va="center", fontsize=7,
                color=INK if bright else "white",
            )  # fmt: skip


def _tick(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float | np.number) else str(value)
