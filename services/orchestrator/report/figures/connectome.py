"""The connectome: who is connected to whom, and where the spiking regions are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm, to_rgba
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.model.connectome import Connectome
from tvb_nest_cosim.cosim_core.model.plan import RegionPlan
from tvb_nest_cosim.cosim_core.results import Run
from tvb_nest_cosim.orchestrator.report.style import (
    INK,
    MUTED,
    PALE,
    REGION_COLOURS,
    Drawn,
    colour,
    new_figure,
)

STRONGEST = 15
"""Tracts drawn per spiking region."""


def draw_connectome(run: Run) -> Iterator[Drawn]:
    """Draws the weight matrix and the regions in space."""
    connectome = run.connectome
    figure = new_figure(11.0, 6.2)
    grid = figure.add_gridspec(
        2, 2, width_ratios=[1.4, 1.0], height_ratios=_heights(connectome.centres)
    )
    _matrix(figure, figure.add_subplot(grid[:, 0]), connectome, run.plan.regions)
    _view(figure.add_subplot(grid[0, 1]), connectome, run.plan.regions, (0, 1), named=True)
    _view(figure.add_subplot(grid[1, 1]), connectome, run.plan.regions, (0, 2), named=False)
    names = f"; tracts: the {STRONGEST} strongest from or to each spiking region"
    yield Drawn(
        "connectome",
        "The connectome",
        f"{len(connectome.labels)} regions of {run.experiment.connectome.source}. Left: weights "
        "(logarithmic; grey: no tract), spiking regions marked. Right: centres of the regions, in "
        f"the coordinates of the file{names if run.plan.regions else ''}.",
        figure,
    )


def _matrix(figure: Figure, axes: Axes, connectome: Connectome, regions: list[RegionPlan]) -> None:
    weights = np.ma.masked_less_equal(connectome.weights, 0.0)
    axes.set_facecolor(PALE)
    axes.spines[:].set_visible(False)
    norm = None
    if weights.count() and weights.max() > weights.min():
        norm = LogNorm(vmin=max(weights.min(), weights.max() * 1e-4), vmax=weights.max())
    image = axes.imshow(weights, cmap="cividis", norm=norm, interpolation="nearest")
    figure.colorbar(image, ax=axes, label="weight", shrink=0.75, pad=0.02, extend="neither")
    for index, region in enumerate(regions):
        shade = colour(REGION_COLOURS, index)
        for edge in (region.index - 0.5, region.index + 0.5):
            axes.axhline(edge, color=shade, linewidth=0.8)
            axes.axvline(edge, color=shade, linewidth=0.8)
    axes.set_xticks([region.index for region in regions], [r.name for r in regions], rotation=90)
    axes.set_yticks([region.index for region in regions], [r.name for r in regions])
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        for index, text in enumerate(labels):
            text.set(color=colour(REGION_COLOURS, index), fontweight="bold")
    axes.set_xlabel("from region")
    axes.set_ylabel("to region")
    axes.set_title("Weights")


def _heights(centres: Reals) -> tuple[float, float]:
    """Shares the height among the two views, so that both have the same scale."""
    spans = np.ptp(centres, axis=0) + 1e-9
    share = float(np.clip(spans[1] / (spans[1] + spans[2]), 0.3, 0.7))
    return share, 1.0 - share


def _view(
    axes: Axes,
    connectome: Connectome,
    regions: list[RegionPlan],
    plane: tuple[int, int],
    named: bool,
) -> None:
    centres = connectome.centres[:, plane]
    strength = connectome.weights.sum(axis=1)
    size = 12 + 40 * strength / max(strength.max(), 1e-12)
    axes.scatter(centres[:, 0], centres[:, 1], s=size, color=MUTED, alpha=0.55, linewidths=0)
    for index, region in enumerate(regions):
        shade = colour(REGION_COLOURS, index)
        x, y = (float(place) for place in centres[region.index])
        _tracts(axes, connectome, region.index, centres, shade)
        axes.scatter(x, y, s=90, color=shade, edgecolors="white", zorder=4)
        if named:
            outline = withStroke(linewidth=2.5, foreground="white")
            axes.annotate(
                region.name,
                (x, y),
                xytext=(7, 7),
                textcoords="offset points",
                color=shade,
                fontweight="bold",
                path_effects=[outline],
                zorder=5,
            )
    axes.set_aspect("equal")
    axes.set_title(f"{'xyz'[plane[0]]}-{'xyz'[plane[1]]} plane")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_xlabel("xyz"[plane[0]], color=INK)
    axes.set_ylabel("xyz"[plane[1]], color=INK, rotation=0)


def _tracts(axes: Axes, connectome: Connectome, index: int, centres: Reals, shade: str) -> None:
    weights = np.maximum(connectome.weights[index], connectome.weights[:, index])
    strongest = np.argsort(weights, kind="stable")[::-1][:STRONGEST]
    strongest = strongest[weights[strongest] > 0]
    share = weights[strongest] / max(weights.max(), 1e-12)
    lines = [(centres[index], centres[other]) for other in strongest]
    colours = [to_rgba(shade, 0.25 + 0.55 * s) for s in share]
    axes.add_collection(
        LineCollection(lines, colors=colours, linewidths=0.4 + 1.4 * share, zorder=3)
    )
