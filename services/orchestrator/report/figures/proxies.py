"""Figures of what the simulators exchange: drive in, rates out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from tvb_nest_cosim.cosim_core.results import Run, plain_name
from tvb_nest_cosim.orchestrator.report.figures.spiking import MAX_REGIONS
from tvb_nest_cosim.orchestrator.report.style import (
    INK,
    POPULATION_COLOURS,
    REGION_COLOURS,
    Drawn,
    TimeAxis,
    colour,
    legend_above,
    new_figure,
    thinned,
)


def draw_proxies(run: Run) -> Iterator[Drawn]:
    """Draws the input of each spiking region and the rates that it returns."""
    if not run.has("rates") or not run.records.complete_windows:
        return
    regions = [
        plan.name
        for plan in run.plan.regions
        if any(plain_name(what, plan.name) in run.rates for what in ("input", "rate"))
    ][:MAX_REGIONS]
    if not regions:
        return
    time = TimeAxis(run.records.simulated_ms)
    figure = new_figure(11.0, 0.8 + 1.9 * len(regions))
    panels = figure.subplots(len(regions), 2, sharex=True, squeeze=False)
    for index, region in enumerate(regions):
        last = index == len(regions) - 1
        left, right = panels[index]
        _input(left, time, run.rates, region, index)
        _rates(right, time, run.rates, region)
        for axes in (left, right):
            axes.set_ylim(bottom=0)
            time.apply(axes, label=last)
    yield Drawn(
        "proxies",
        "Between the simulators",
        "Left: total input rate of a driven neuron (tracts, external input and noise), at the time "
        "when it acts. Right: rates translated from spikes, as they are handed to TVB; where the "
        "translation smooths, this is the smoothed rate.",
        figure,
    )


def _input(axes: Axes, time: TimeAxis, rates: xr.Dataset, region: str, index: int) -> None:
    axes.set_title(f"{region}: drive in")
    axes.title.set_color(colour(REGION_COLOURS, index))
    axes.set_ylabel("input (Hz)")
    drive = rates.get(plain_name("input", region))
    if drive is not None:
        times_ms, values = thinned(drive[str(drive.dims[0])].values, drive.values)
        axes.plot(time.of(times_ms), values, color=INK, linewidth=0.9)


def _rates(axes: Axes, time: TimeAxis, rates: xr.Dataset, region: str) -> None:
    axes.set_title(f"{region}: rates out")
    axes.set_ylabel("rate (Hz)")
    rate = rates.get(plain_name("rate", region))
    if rate is None:
        return
    times_ms, values = thinned(rates["time"].values, rate.values)
    for index, name in enumerate(np.atleast_1d(rate[str(rate.dims[1])].values)):
        shade = colour(POPULATION_COLOURS, index)
        axes.plot(time.of(times_ms), values[:, index], color=shade, linewidth=0.9, label=str(name))
    legend_above(axes)
