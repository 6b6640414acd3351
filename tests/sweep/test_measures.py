"""Statistics against values computed by hand."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from results.synthetic_run import POPULATIONS, REGIONS, Activity, completed, write_run
from tvb_nest_cosim.cosim_core.results import open_run
from tvb_nest_cosim.orchestrator.sweep.model import Measures
from tvb_nest_cosim.orchestrator.sweep.statistics import (
    mean_correlation,
    mean_cv,
    measure,
    peaks_hz,
    synchrony,
)

# elephant 1.2 and neo 0.14 still pass an argument that quantities 0.16 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity is deprecated")


def test_cv_is_the_mean_over_neurons_that_have_two_intervals() -> None:
    # Neuron 0 fires regularly (CV 0), neuron 2 at intervals 1 and 3 (mean 2, deviation 1: 0.5),
    # neuron 1 has one interval only, and what neuron 3 has lies in the transient.
    trains = {0: [10, 20, 30, 40], 1: [11, 13], 2: [10, 11, 14], 3: [9, 10, 17]}
    spikes = sorted((time, neuron) for neuron, times in trains.items() for time in times)
    times_ms = np.array([time for time, _ in spikes], np.float64)
    neurons = np.array([neuron for _, neuron in spikes], np.uint64)
    assert mean_cv(times_ms, neurons, Measures(discard_ms=9)) == pytest.approx(0.25)
    # With the transient, neuron 3 has intervals 1 and 7: mean 4, deviation 3.
    assert mean_cv(times_ms, neurons, Measures()) == pytest.approx((0 + 0.5 + 0.75) / 3)
    assert math.isnan(mean_cv(times_ms[:2], neurons[:2], Measures()))
    assert math.isnan(mean_cv(times_ms[:0], neurons[:0], Measures()))


def test_synchrony_is_variance_over_mean() -> None:
    assert synchrony(np.array([1.0, 3.0, 1.0, 3.0])) == pytest.approx(1 / 2)
    assert synchrony(np.array([2.0, 2.0])) == 0
    independent = np.random.default_rng(1).poisson(30, 20_000).astype(np.float64)
    assert synchrony(independent) == pytest.approx(1, abs=0.05)
    assert math.isnan(synchrony(np.zeros(5)))
    assert math.isnan(synchrony(np.ones(1)))


def test_correlation_is_the_mean_over_pairs_of_what_varies() -> None:
    a, b = np.array([0.0, 1, 0, 1]), np.array([0.0, 0, 1, 1])
    assert mean_correlation(np.stack([a, a])) == pytest.approx(1)
    assert mean_correlation(np.stack([a, -a, b])) == pytest.approx((-1 + 0 + 0) / 3)
    constant, unfed = np.ones(4), np.full(4, math.nan)
    assert mean_correlation(np.stack([a, constant, -a, unfed])) == pytest.approx(-1)
    assert math.isnan(mean_correlation(np.stack([a, constant])))
    assert math.isnan(mean_correlation(np.ones((2, 1))))


def test_peaks_are_where_the_power_is() -> None:
    times_s = np.arange(0, 2, 0.002)
    series = np.stack(
        [
            5 + np.sin(2 * np.pi * 20 * times_s),
            np.sin(2 * np.pi * 40 * times_s) + 0.5 * np.sin(2 * np.pi * 10 * times_s),
            np.ones_like(times_s),
            np.full_like(times_s, math.nan),
        ],
        axis=1,
    )
    found = peaks_hz(series, 2.0, Measures(frequency_resolution_hz=5))
    assert found[:2].tolist() == [20, 40]
    assert np.isnan(found[2:]).all()
    assert np.isnan(peaks_hz(series[:99], 2.0, Measures(frequency_resolution_hz=5))).all()
    assert peaks_hz(series[:100, :1], 2.0, Measures(frequency_resolution_hz=5)).tolist() == [20]


@pytest.fixture(scope="module")
def activity() -> Activity:
    return Activity.make()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, activity: Activity) -> Path:
    root = write_run(tmp_path_factory.mktemp("measures") / "run", activity, 20, 1)
    completed(root)
    return root


MEASURES = Measures(discard_ms=12, bin_ms=3, frequency_resolution_hz=50)


def counted(activity: Activity, region: str, first: int, stop: int) -> np.ndarray:
    """Spikes of some neurons in the sixteen bins after the transient, the slow and safe way."""
    bins = np.zeros(16)
    for tick, neuron in activity.spikes[region]:
        if tick > 120 and first <= neuron < stop:
            bins[(tick - 121) // 30] += 1
    return bins


def test_a_run_becomes_a_row(root: Path, activity: Activity) -> None:
    row = measure(root, MEASURES)
    both = {}
    for region in REGIONS:
        excitatory = counted(activity, region, 0, 80)
        inhibitory = counted(activity, region, 80, 100)
        both[region] = excitatory + inhibitory
        for name, bins in (("excitatory", excitatory), ("inhibitory", inhibitory)):
            rate = bins.sum() / POPULATIONS[name] / 0.048
            assert row[f"rate_hz.{region}.{name}"] == pytest.approx(rate)
            assert row[f"synchrony.{region}.{name}"] == pytest.approx(bins.var() / bins.mean())
    expected = np.corrcoef(both["rHC"], both["lHC"])[0, 1]
    assert row["correlation.rHC.lHC"] == pytest.approx(expected)
    series = activity.tvb[12:, 0, :, 0]  # samples at 13, 14, ..., 60 ms
    assert row["tvb_mean_hz"] == pytest.approx(1000 * series.mean())
    assert row["tvb_correlation"] == pytest.approx(mean_correlation(series.T))
    regions = [name for name in row if name.startswith("tvb_peak_hz.")]
    assert len(regions) == 76
    assert row["tvb_median_peak_hz"] == np.median([row[name] for name in regions])


def test_nothing_is_read_that_a_server_does_not_send(root: Path, tmp_path: Path) -> None:
    whole = measure(root, MEASURES)
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    for name in (
        "manifest.json",
        "plan.json",
        "spikes.h5",
        "rates.nc",
        "tvb.nc",
        "analog.nc",
        "timing.csv",
    ):
        (fetched / name).write_bytes((root / name).read_bytes())
    assert measure(fetched, MEASURES) == whole


def test_the_time_axis_says_that_a_tick_ends_at_its_time(root: Path) -> None:
    """The transient is cut by position; were the first tick 0, all would be off by one."""
    with open_run(root) as run:
        assert run.rates["time"].values[:2].tolist() == [0.1, 0.2]


def test_a_silent_run_has_a_row_without_warnings(tmp_path: Path) -> None:
    activity = Activity.make()
    activity.spikes = {region: rows[:0] for region, rows in activity.spikes.items()}
    root = write_run(tmp_path / "run", activity, 20, 1)
    completed(root)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        row = measure(root, MEASURES)
    assert row["rate_hz.rHC.excitatory"] == 0
    for name in ("cv_isi.rHC.excitatory", "synchrony.rHC.excitatory", "correlation.rHC.lHC"):
        assert math.isnan(row[name])


def test_measuring_starts_no_mpi() -> None:
    """In a fresh interpreter, since another test may have imported it."""
    code = (
        "import sys; from tvb_nest_cosim.orchestrator.sweep.lazy_elephant import elephant; "
        "elephant('statistics').cv; "
        "print([name for name in sys.modules if name.startswith('mpi4py.MPI')])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True
    )
    assert answer.stdout.strip() == "[]"
