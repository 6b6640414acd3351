"""Figures of benchmarks, in the style of the report's."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from matplotlib.axes import Axes

from benchmarks.report import rounded
from tvb_nest_cosim.orchestrator.report.style import INK, house_style, new_figure

DPI = 160


@contextmanager
def drawn(
    path: Path, width_in: float, height_in: float, *, panels: int = 1
) -> Iterator[tuple[Axes, ...]]:
    """Makes a figure of panels side by side, and saves it when it is complete."""
    with house_style():
        figure = new_figure(width_in, height_in)
        yield tuple(figure.subplots(1, panels, squeeze=False)[0])
        figure.savefig(path, dpi=DPI)


def dots(
    axes: Axes, place: float, samples: Sequence[float], colour: str, target: float | None = None
) -> None:
    """Draws every sample as a dot, their median as a line with its number, and a target."""
    spread = [place + 0.06 * (number - (len(samples) - 1) / 2) for number in range(len(samples))]
    axes.plot(spread, samples, "o", color=colour, markersize=4, alpha=0.6, markeredgewidth=0)
    median = statistics.median(samples)
    axes.hlines(median, place - 0.22, place + 0.22, color=colour, linewidth=2)
    axes.annotate(
        rounded(median),
        (place, median),
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        color=colour,
        fontsize=8,
    )
    if target is not None:
        axes.hlines(target, place - 0.3, place + 0.3, color=INK, linestyle=":", linewidth=1.2)
