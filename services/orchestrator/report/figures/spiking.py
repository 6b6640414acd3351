"""Spiking regions: spikes, population rates, membrane potentials."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes

from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.results import Run
from tvb_nest_cosim.orchestrator.report.style import (
    POPULATION_COLOURS,
    Drawn,
    TimeAxis,
    bin_ms,
    colour,
    legend_above,
    new_figure,
    thinned,
)

MAX_NEURONS = 200
"""Neurons of a population in a raster."""

MAX_REGIONS = 8
"""Regions with a figure of their own; the result files have all."""

MAX_TRACES = 5
"""Membrane potentials in a panel."""


def draw_spiking(run: Run) -> Iterator[Drawn]:
    """Draws spikes and rates of each spiking region whose spikes were recorded."""
    if not run.has("spikes") or not run.records.complete_windows:
        return
    regions = [region for region in run.populations if run.records.recorded(region)]
    for region in regions[:MAX_REGIONS]:
        yield _spiking_region(run, region)


def _spiking_region(run: Run, region: str) -> Drawn:
    time = TimeAxis(run.records.simulated_ms)
    width_ms = bin_ms(run.records.simulated_ms)
    figure = new_figure(11.0, 5.4)
    raster, rates = figure.subplots(2, 1, sharex=True, height_ratios=[2.4, 1.0])
    names = run.records.recorded(region)
    order = list(run.populations[region])
    base, ticks, labels = 0, [], []
    for name in names:
        shade = colour(POPULATION_COLOURS, order.index(name))
        times_ms, neurons = run.spikes(region, name)
        neurons = neurons.astype(np.int64)
        size = run.populations[region][name]
        chosen = np.unique(np.linspace(0, size - 1, min(size, MAX_NEURONS)).round().astype(int))
        row = np.searchsorted(chosen, neurons)
        seen = chosen[np.minimum(row, len(chosen) - 1)] == neurons
        raster.scatter(
            time.of(times_ms[seen]), row[seen] + base, s=2.5, c=shade, linewidths=0, rasterized=True
        )
        ticks.append(base + len(chosen) / 2)
        labels.append(f"{name}\n{len(chosen)} of {size}")
        base += len(chosen) + max(2, len(chosen) // 25)
        _rate(rates, time, times_ms, size, width_ms, shade, name)
    raster.set_ylim(-1, base)
    raster.set_yticks(ticks, labels, rotation=90, va="center", multialignment="center")
    raster.tick_params(axis="y", length=0)
    for label, name in zip(raster.get_yticklabels(), names, strict=True):
        label.set_color(colour(POPULATION_COLOURS, order.index(name)))
    raster.set_title(f"{region}: spikes")
    rates.set_title(f"Mean rate per neuron, bins of {width_ms:g} ms")
    rates.set_ylabel("rate (Hz)")
    rates.set_ylim(bottom=0)
    legend_above(rates)
    time.apply(rates)
    return Drawn(
        f"spiking-{_file_name(region)}",
        f"Spiking region {region}",
        f"Top: spikes of up to {MAX_NEURONS} neurons of each population, evenly chosen. Bottom: "
        "rate of all recorded neurons.",
        figure,
    )


def _rate(
    axes: Axes,
    time: TimeAxis,
    times_ms: Reals,
    size: int,
    width_ms: float,
    shade: str,
    name: str,
) -> None:
    """Draws a histogram over (t, t + width], the convention of the windows."""
    bins = max(1, int(time.duration_ms // width_ms))
    index = np.ceil(times_ms / width_ms - 1e-9).astype(np.int64) - 1
    counts = np.bincount(index[index < bins], minlength=bins)
    edges = time.of(np.arange(bins + 1, dtype=np.float64) * width_ms)
    axes.stairs(counts / size / (width_ms / 1000.0), edges, color=shade, linewidth=1.2, label=name)


def draw_analog(run: Run) -> Iterator[Drawn]:
    """Draws what multimeters recorded, one panel per recording and variable."""
    if not run.has("analog"):
        return
    tables = [table for table in run.analog.data_vars.values() if table.shape[0] > 1]
    if not tables:
        return
    shown = tables[:MAX_REGIONS]
    time = TimeAxis(run.records.simulated_ms)
    figure = new_figure(11.0, 0.8 + 1.5 * len(shown))
    panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    for axes, table in zip(panels, shown, strict=True):
        axis, neurons = (str(dim) for dim in table.dims)
        times_ms, values = thinned(table[axis].values, table.values[:, :MAX_TRACES])
        for index in range(values.shape[1]):
            axes.plot(
                time.of(times_ms),
                values[:, index],
                color=colour(POPULATION_COLOURS, index),
                linewidth=0.8,
                label=f"neuron {int(table[neurons][index])}",
            )
        unit = f" ({table.attrs['units']})" if table.attrs["units"] else ""
        axes.set_ylabel(f"{table.attrs['variable']}{unit}")
        axes.set_title(f"{table.attrs['region']}, {table.attrs['population']}")
        legend_above(axes)
        time.apply(axes, label=axes is panels[-1])
    yield Drawn(
        "analog",
        "Inside single neurons",
        f"Multimeter recordings, at most {MAX_TRACES} neurons each. Spikes themselves are not part "
        "of these curves: the potential is reset within a step.",
        figure,
    )


def _file_name(region: str) -> str:
    """Returns a name for files that no other region has: odd letters by their code."""
    return "".join(c if c.isalnum() or c in "-_" else f"+{ord(c):x}+" for c in region)
