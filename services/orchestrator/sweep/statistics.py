"""Reduces a run to one row of numbers.

elephant takes the intervals between spikes and the spectra. Only files are read, no journals, so
that runs from a server are measured like those of this machine.

Names of columns are ``MEASURE_UNIT.REGION.POPULATION``:

===================== ==========================================================================
rate_hz               spikes per neuron and second
cv_isi                coefficient of variation of the intervals between spikes, mean over the
                      neurons with at least two intervals
synchrony             variance of the population's spike count over its mean, in bins of
                      ``bin_ms``: 1 if neurons fire independently (Potjans and Diesmann 2014,
                      Cereb Cortex 24, 785-806)
peak_hz               where the power of the population's rate is greatest (Welch)
correlation           Pearson's, between the spike counts of two spiking regions, all neurons
tvb_mean_hz           mean of TVB's first series over regions and time
tvb_correlation       mean of Pearson's correlation over all pairs of regions
tvb_median_peak_hz    median over regions of ``tvb_peak_hz``
tvb_peak_hz           where the power of a region's series is greatest
===================== ==========================================================================

What is not defined is missing (NaN): nothing fired, nothing varied, too short for a spectrum.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.errors import Fault, RunDirectoryError
from tvb_nest_cosim.cosim_core.model.arrays import Integers, Reals
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.model.timegrid import InexactTimeError, ticks_of
from tvb_nest_cosim.cosim_core.results import Run, first_series, open_run, plain_name
from tvb_nest_cosim.orchestrator.sweep.lazy_elephant import elephant
from tvb_nest_cosim.orchestrator.sweep.model import Measures


def measure_faults(experiment: Experiment, measures: Measures) -> Iterator[Fault]:
    """Finds out whether the measures make sense for a run."""
    for name in ("discard_ms", "bin_ms"):
        try:
            ticks_of(getattr(measures, name), experiment.dt_ms)
        except InexactTimeError as error:
            yield Fault(f"statistics.{name}", str(error))
    if measures.discard_ms + measures.bin_ms > experiment.duration_ms:
        yield Fault(
            "statistics.discard_ms",
            f"of {experiment.duration_ms:g} ms nothing is left when {measures.discard_ms:g} ms are "
            f"discarded (bins have {measures.bin_ms:g} ms)",
        )


def measure(root: Path, measures: Measures) -> dict[str, float]:
    """Computes the row of a run that finished.

    Args:
        root: Run directory.
        measures: How.

    Raises:
        RunDirectoryError: If the run is not complete, or a file that its plan calls for is missing
            or damaged.
    """
    with open_run(root) as run:
        _check_series(run)
        return {**_spiking(run, measures), **_brain(run, measures)}


def _check_series(run: Run) -> None:
    """Makes sure that TVB's series are there; reading spikes or rates that are not raises."""
    is_planned = run.plan.participants.get("tvb") and run.experiment.tvb.monitors
    if is_planned and not run.has("tvb"):
        raise RunDirectoryError(
            f"{run.root} has no {run.records.layout.tvb.name}, though its plan has monitors of "
            f"TVB. Remove {run.records.layout.manifest.name} and say 'cosim report {run.root}'"
        )


def _spiking(run: Run, measures: Measures) -> dict[str, float]:
    row: dict[str, float] = {}
    regions: dict[str, Reals] = {}
    for region, populations in run.populations.items():
        counts = _counts(run, region, measures)
        binned = _binned(counts, ticks_of(measures.bin_ms, run.experiment.dt_ms))
        regions[region] = binned.sum(axis=1)
        for index, (population, neurons) in enumerate(populations.items()):
            name = f"{region}.{population}"
            seconds = len(counts) * run.experiment.dt_ms / 1000.0
            row[f"rate_hz.{name}"] = float(counts[:, index].sum()) / neurons / seconds
            if population in run.records.recorded(region):
                row[f"cv_isi.{name}"] = mean_cv(*run.spikes(region, population), measures)
            row[f"synchrony.{name}"] = synchrony(binned[:, index])
            row[f"peak_hz.{name}"] = float(
                peaks_hz(binned[:, [index]], measures.bin_ms, measures)[0]
            )
    for one, other in itertools.combinations(regions, 2):
        pair = np.stack([regions[one], regions[other]])
        row[f"correlation.{one}.{other}"] = mean_correlation(pair)
    return row


def _counts(run: Run, region: str, measures: Measures) -> Integers:
    """Spikes by tick and population, without the transient."""
    counts: Integers = run.rates[plain_name("counts", region)].values.astype(np.int64)
    return counts[ticks_of(measures.discard_ms, run.experiment.dt_ms) :]


def _brain(run: Run, measures: Measures) -> dict[str, float]:
    series = first_series(run)
    if series is None:
        return {}
    times_ms = series[series.dims[0]].values
    values = series.values[times_ms > measures.discard_ms].astype(np.float64)
    unit = f"_{series.attrs['units'].lower()}" if series.attrs["units"] else ""
    row = {
        f"tvb_mean{unit}": float(np.nanmean(values)) if np.isfinite(values).any() else math.nan,
        "tvb_correlation": mean_correlation(values.T),
    }
    if len(times_ms) < 2:
        return row
    peaks = peaks_hz(values, float(np.median(np.diff(times_ms))), measures)
    found = peaks[np.isfinite(peaks)]
    row["tvb_median_peak_hz"] = float(np.median(found)) if len(found) else math.nan
    labels = series["region"].values
    return row | {f"tvb_peak_hz.{n}": float(p) for n, p in zip(labels, peaks, strict=True)}


def _binned(counts: Integers, ticks: int) -> Reals:
    bins = len(counts) // ticks
    binned: Reals = counts[: bins * ticks].reshape(bins, ticks, -1).sum(axis=1).astype(np.float64)
    return binned


def mean_cv(times_ms: Reals, neurons: npt.NDArray[np.uint64], measures: Measures) -> float:
    """Computes the mean CV of intervals between spikes.

    Args:
        times_ms: Times of spikes, sorted; shape (spike,).
        neurons: Who fired; shape (spike,).
        measures: Says what to discard.
    """
    statistics = elephant("statistics")
    kept = times_ms > measures.discard_ms
    order = np.argsort(neurons[kept], kind="stable")
    starts = np.flatnonzero(np.diff(neurons[kept][order])) + 1
    trains = np.split(times_ms[kept][order], starts)
    cvs = [statistics.cv(statistics.isi(train)) for train in trains if len(train) >= 3]
    return float(np.mean(cvs)) if cvs else math.nan


def synchrony(counts: Reals) -> float:
    """Computes the variance of spike counts over their mean; shape (bin,)."""
    mean = counts.mean() if len(counts) > 1 else 0.0
    return float(counts.var() / mean) if mean else math.nan


def mean_correlation(series: Reals) -> float:
    """Computes the mean of Pearson's correlation over all pairs; shape (series, sample)."""
    if series.shape[1] < 2:
        return math.nan
    varying = series[np.isfinite(series).all(axis=1) & (np.ptp(series, axis=1) > 0)]
    if len(varying) < 2:
        return math.nan
    matrix = np.corrcoef(varying)
    return float(matrix[np.triu_indices(len(varying), 1)].mean())


def peaks_hz(series: Reals, step_ms: float, measures: Measures) -> Reals:
    """Finds the frequency of greatest power, above 0 Hz, of every series.

    Args:
        series: Shape (sample, series).
        step_ms: Time between two samples.
        measures: Says the resolution of the spectra.

    Returns:
        Shape (series,); NaN where a series is too short, constant or not finite.
    """
    rate_hz = 1000.0 / step_ms
    peaks = np.full(series.shape[1], math.nan)
    segment = int(rate_hz / measures.frequency_resolution_hz)
    varying = np.isfinite(series).all(axis=0)
    varying &= np.ptp(np.nan_to_num(series), axis=0) > 0
    if 2 <= segment <= len(series) and varying.any():
        frequencies, power = elephant("spectral").welch_psd(
            series[:, varying].T,
            fs=rate_hz,
            frequency_resolution=measures.frequency_resolution_hz,
            detrend="constant",
        )
        peaks[varying] = frequencies[1:][power[:, 1:].argmax(axis=1)]
    return peaks


def missing_packages() -> list[str]:
    """Names what has to be installed before sweeps can be run."""
    return [name for name in ("elephant", "pyarrow", "scipy") if find_spec(name) is None]
