"""A run in a few numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tvb_nest_cosim.cosim_core.model.experiment.adex import ZERLAUT_MODELS
from tvb_nest_cosim.cosim_core.results.growing import plain_name
from tvb_nest_cosim.cosim_core.results.run import Run

if TYPE_CHECKING:
    import xarray as xr

GROUPS = ("spiking", "connected to spiking", "other")
"""Groups of regions: spiking networks, their direct neighbours, and the rest."""

_KEEP_THE_UNIT = ("Raw", "RawVoi", "SubSample", "TemporalAverage")
"""Monitors whose values are states of regions; others filter or mix them."""


@dataclass(frozen=True)
class Summary:
    """What a user looks at first.

    Attributes:
        windows: Complete windows.
        windows_planned: Windows of the whole run.
        simulated_ms: Simulated time of the complete windows.
        rates_hz: Mean rate per neuron, by spiking region and population.
        series: Which TVB series ``groups`` is about, e.g. ``TemporalAverage E``; may be empty.
        unit: Its unit; empty if the model's variable has none that is known.
        groups: Mean of that series over time and regions, by group of :data:`GROUPS`; a group
            without regions or data is left out.
    """

    windows: int
    windows_planned: int
    simulated_ms: float
    rates_hz: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    series: str = ""
    unit: str = ""
    groups: Mapping[str, float] = field(default_factory=dict)


def summary(run: Run) -> Summary:
    """Computes the summary of a run whose results have been collected."""
    series = first_series(run)
    return Summary(
        windows=run.records.complete_windows,
        windows_planned=run.plan.grid.window_count,
        simulated_ms=run.records.simulated_ms,
        rates_hz=_rates(run),
        series="" if series is None else f"{series.name} {series.attrs['variable']}",
        unit="" if series is None else series.attrs["units"],
        groups={} if series is None else _group_means(run, series),
    )


def first_series(run: Run) -> xr.DataArray | None:
    """Returns the first variable of the first monitor that looks at regions (time, region).

    Bold comes last, since it lags behind by seconds. Rates of the Zerlaut models are turned from
    kHz into Hz; the attributes ``variable`` and ``units`` say what the values are.
    """
    if not run.has("tvb"):
        return None
    model = run.experiment.tvb.model.name
    for monitor in sorted(run.experiment.tvb.monitors, key=lambda entry: entry.name == "Bold"):
        data = run.tvb.get(plain_name(monitor.key))
        if data is not None and "region" in data.dims and data.shape[0]:
            single = data.isel({str(data.dims[1]): 0})
            single = single.isel({str(d): 0 for d in single.dims[2:]})
            variable = str(single.coords[f"variable_{data.name}"].item())
            factor, unit = shown_unit(model, monitor.name, variable)
            return (single * factor).assign_attrs(variable=variable, units=unit)
    return None


def shown_unit(model: str, monitor: str, variable: str) -> tuple[float, str]:
    """Returns by what a series of TVB is multiplied to be shown, and the unit it has then.

    Rates of the Zerlaut models are in kHz and shown in Hz; of all else the unit is not known.
    """
    is_rate = model in ZERLAUT_MODELS and variable in ("E", "I")
    return (1000.0, "Hz") if is_rate and monitor in _KEEP_THE_UNIT else (1.0, "")


def region_groups(run: Run) -> dict[str, list[str]]:
    """Sorts the connectome's regions into :data:`GROUPS`, in the connectome's order."""
    connectome = run.connectome
    spiking = [region.index for region in run.plan.regions]
    near = (connectome.weights[spiking] > 0).any(axis=0) | (connectome.weights[:, spiking] > 0).any(
        axis=1
    )
    kind = np.where(near, GROUPS[1], GROUPS[2])
    kind[spiking] = GROUPS[0]
    return {
        group: [name for name, own in zip(connectome.labels, kind, strict=True) if own == group]
        for group in GROUPS
    }


def _rates(run: Run) -> dict[str, dict[str, float]]:
    seconds = run.records.simulated_ms / 1000.0
    if not seconds or not run.populations:
        return {}
    return {
        region: {
            population: _spike_count(run, region, population) / neurons / seconds
            for population, neurons in populations.items()
            if _is_known(run, region, population)
        }
        for region, populations in run.populations.items()
    }


def _is_known(run: Run, region: str, population: str) -> bool:
    return _is_counted(run, region) or population in run.records.recorded(region)


def _is_counted(run: Run, region: str) -> bool:
    return run.has("rates") and plain_name("counts", region) in run.rates


def _spike_count(run: Run, region: str, population: str) -> int:
    """Counts spikes from the population counts if there are any, since these are complete."""
    if _is_counted(run, region):
        counts = run.rates[plain_name("counts", region)]
        counts = counts.sel({plain_name("population", region): population})
        return int(counts.sum(dtype=np.int64))
    return len(run.spikes(region, population)[0])


def _group_means(run: Run, series: xr.DataArray) -> dict[str, float]:
    means = {}
    for group, regions in region_groups(run).items():
        values = series.sel(region=regions).values
        if np.isfinite(values).any():
            means[group] = float(np.nanmean(values))
    return means
