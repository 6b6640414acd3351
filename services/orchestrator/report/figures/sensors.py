"""Figures of EEG, MEG and SEEG."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from tvb_nest_cosim.cosim_core.results import Run
from tvb_nest_cosim.orchestrator.report.style import INK, Drawn, TimeAxis, new_figure, thinned

MAX_CHANNELS = 16
"""Channels drawn per monitor."""


def draw_sensors(run: Run) -> Iterator[Drawn]:
    """Draws channels below each other, the first variable, one figure per monitor."""
    if not run.has("tvb"):
        return
    for name, data in run.tvb.data_vars.items():
        sensor = f"sensor_{name}"
        if sensor in data.dims and data.shape[0] > 1:
            yield _draw(run, str(name), data, sensor)


def _draw(run: Run, name: str, data: xr.DataArray, sensor: str) -> Drawn:
    single = data.isel({str(dim): 0 for dim in data.dims[1:] if dim != sensor})
    variable = str(data.coords[f"variable_{name}"].values[0])
    channels = np.unique(np.linspace(0, data.sizes[sensor] - 1, MAX_CHANNELS).astype(int))
    single = single.isel({sensor: channels})
    times_ms, values = thinned(
        np.asarray(single[str(data.dims[0])].values, np.float64),
        np.asarray(single.values, np.float64),
    )
    values = values - np.nanmean(values, axis=0)
    spread = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    time = TimeAxis(run.records.simulated_ms)
    figure = new_figure(11.0, 1.2 + 0.32 * len(channels))
    axes = figure.subplots()
    heights = -np.arange(len(channels), dtype=np.float64)
    axes.plot(time.of(times_ms), values / spread + heights, color=INK, linewidth=0.7)
    axes.set_yticks(heights, [str(label) for label in single[sensor].values])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_title(f"{name} of {variable}")
    time.apply(axes)
    return Drawn(
        f"sensors-{name}",
        f"Sensors: {name}",
        f"{len(channels)} of {data.sizes[sensor]} channels, evenly chosen, each without its mean; "
        f"neighbouring baselines are {spread:.3g} apart. The unit follows from the lead field.",
        figure,
    )
