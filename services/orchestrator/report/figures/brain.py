"""TVB's regions over time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.results import GROUPS, Run, first_series, region_groups
from tvb_nest_cosim.orchestrator.report.style import (
    INK,
    MUTED,
    PALE,
    REGION_COLOURS,
    Drawn,
    TimeAxis,
    colour,
    legend_above,
    new_figure,
    thinned,
)

_SHOWN_SPIKING = 5
"""Spiking regions drawn as single curves; the heat map has all."""

_SHOWN_OTHERS = 4
"""Mean-field regions drawn as single curves."""


@dataclass(frozen=True)
class _Brain:
    """What is drawn: values (time, region) with the regions in the order of their groups."""

    groups: dict[str, list[str]]
    time: TimeAxis
    times: Reals
    values: Reals
    label: str

    @property
    def spiking(self) -> int:
        return len(self.groups[GROUPS[0]])

    @property
    def names(self) -> list[str]:
        return [name for group in GROUPS for name in self.groups[group]]


def draw_brain(run: Run) -> Iterator[Drawn]:
    """Draws all regions as a heat map, spiking ones on top, and some of them as curves."""
    brain = _load(run)
    if brain is None:
        return
    others = len(brain.names) - brain.spiking
    heights = [
        *([min(0.26 * brain.spiking, 1.6)] if brain.spiking else []),
        *([3.6] if others else []),
        2.1,
    ]
    figure = new_figure(11.0, sum(heights) + 1.5)
    *maps, curves = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    heat = list(maps)
    if brain.spiking:
        image = _heat_spiking(heat.pop(0), brain)
    if others:
        image = _heat_others(heat.pop(0), brain)
    bar = figure.colorbar(image, ax=maps, extend="both", aspect=30, pad=0.01)
    bar.set_label(brain.label)
    bar.outline.set_visible(False)
    _curves(curves, brain)
    brain.time.apply(curves)
    yield Drawn(
        "brain",
        "The whole brain over time",
        f"{brain.label} of {len(brain.names)} regions. Of the mean-field regions, those with a "
        "tract from or to a spiking region come first. Colours span the 1st to the 99th "
        "percentile of all values.",
        figure,
    )


def _load(run: Run) -> _Brain | None:
    series = first_series(run)
    if series is None or series.shape[0] < 2:
        return None
    groups = region_groups(run)
    time = TimeAxis(run.records.simulated_ms)
    names = [name for group in GROUPS for name in groups[group]]
    times_ms = np.asarray(series[str(series.dims[0])].values, np.float64)
    values = np.asarray(series.sel(region=names).values, np.float64)
    variable, unit = series.attrs["variable"], series.attrs["units"]
    label = f"{variable} rate ({unit})" if unit else f"{series.name} of {variable}"
    times_ms, values = thinned(times_ms, values)
    return _Brain(
        groups=groups,
        time=time,
        times=time.of(times_ms),
        values=values,
        label=label,
    )


def _heat(axes: Axes, brain: _Brain, rows: slice) -> AxesImage:
    values = brain.values[:, rows].T
    finite = brain.values[np.isfinite(brain.values)]
    low, high = np.percentile(finite, [1, 99]) if finite.size else (0.0, 1.0)
    image = axes.imshow(
        values,
        aspect="auto",
        interpolation="nearest",
        cmap="viridis",
        vmin=low,
        vmax=high if high > low else low + 1.0,
        extent=(brain.times[0], brain.times[-1], len(values) - 0.5, -0.5),
    )
    axes.set_facecolor(PALE)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return image


def _heat_spiking(axes: Axes, brain: _Brain) -> AxesImage:
    image = _heat(axes, brain, slice(0, brain.spiking))
    axes.set_title("Spiking regions, as TVB sees them")
    axes.set_yticks(np.arange(brain.spiking), brain.names[: brain.spiking])
    for index, text in enumerate(axes.get_yticklabels()):
        text.set(color=colour(REGION_COLOURS, index), fontweight="bold")
    return image


def _heat_others(axes: Axes, brain: _Brain) -> AxesImage:
    image = _heat(axes, brain, slice(brain.spiking, None))
    axes.set_title("Mean-field regions" if brain.spiking else "All regions")
    near, far = (len(brain.groups[group]) for group in GROUPS[1:])
    middles, labels = [], []
    for start, count, text in ((0, near, "connected\nto spiking"), (near, far, "other")):
        if count:
            middles.append(start + count / 2 - 0.5)
            labels.append(f"{text}\n({count})" if brain.spiking else f"{count} regions")
    axes.set_yticks(middles, labels, rotation=90, va="center", multialignment="center")
    if near and far:
        axes.axhline(near - 0.5, color="white", linewidth=2)
    return image


def _curves(axes: Axes, brain: _Brain) -> None:
    others = brain.values[:, brain.spiking :]
    finite = others[:, np.isfinite(others).all(axis=0)]
    if finite.size:
        low, high = np.percentile(finite, [5, 95], axis=1)
        axes.fill_between(
            brain.times, low, high, color=PALE, linewidth=0, label="mean-field regions, 5 to 95 %"
        )
        shown = np.linspace(0, finite.shape[1] - 1, _SHOWN_OTHERS).astype(int)
        axes.plot(brain.times, finite[:, np.unique(shown)], color=MUTED, linewidth=0.6)
        axes.plot(brain.times, finite.mean(axis=1), color=INK, label="their mean")
    for index, name in enumerate(brain.names[: min(brain.spiking, _SHOWN_SPIKING)]):
        axes.plot(
            brain.times, brain.values[:, index], color=colour(REGION_COLOURS, index), label=name
        )
    axes.set_ylabel(brain.label)
    axes.set_title("Single regions")
    legend_above(axes)
