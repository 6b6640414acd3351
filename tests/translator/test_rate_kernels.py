"""Kernels from spikes to rates: causal, conserving, the same bits for any window."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from window_partitions import partitions

from tvb_nest_cosim.cosim_core.model.experiment import Rate
from tvb_nest_cosim.cosim_core.model.timegrid import InexactTimeError, Window
from tvb_nest_cosim.translator.spikes_to_rates import (
    Boxcar,
    FiniteKernel,
    Kernel,
    gaussian_shape,
    kernel_of,
)

DT_MS = 0.1
KINDS = ["boxcar", "exponential", "gaussian"]
TICKS = 400


def kernel(kind: str, width_ms: float = 2.0) -> Kernel:
    return kernel_of(Rate.model_validate({"kind": kind, "width_ms": width_ms}), DT_MS, 1000)


def smooth(kernel: Kernel, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return kernel.smooth(kernel.initial(counts.shape[0]), counts)[0]


@pytest.mark.parametrize("kind", KINDS)
@given(windows=partitions(TICKS), seed=st.integers(0, 99), width=st.sampled_from([0.1, 2.0, 7.3]))
@settings(max_examples=15, deadline=None)
def test_rates_do_not_depend_on_windows(
    kind: str, windows: list[Window], seed: int, width: float
) -> None:
    counts = np.random.default_rng(seed).integers(0, 40, (3, TICKS))
    whole = smooth(kernel(kind, width), counts)
    one, pieces = kernel(kind, width), []
    state = one.initial(3)
    for window in windows:
        piece, state = one.smooth(state, counts[:, window.start : window.stop])
        pieces.append(piece)
    assert np.array_equal(np.concatenate(pieces, axis=1), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_rate_holds_no_spike_from_the_future(kind: str) -> None:
    counts = np.random.default_rng(1).integers(0, 5, (1, TICKS))
    late = counts.copy()
    late[:, 200:] += 7
    assert np.array_equal(
        smooth(kernel(kind), counts)[:, :200], smooth(kernel(kind), late)[:, :200]
    )


@pytest.mark.parametrize("kind", ["boxcar", "exponential"])
def test_spike_counts_in_its_own_tick(kind: str) -> None:
    counts = np.zeros((1, 10), dtype=np.int64)
    counts[0, 4] = 1
    rates = smooth(kernel(kind), counts)[0]
    assert not rates[:4].any()
    assert rates[4] == pytest.approx(1 / 20 if kind == "boxcar" else 1 - np.exp(-1 / 20))


@pytest.mark.parametrize("kind", KINDS)
def test_every_spike_is_counted_once(kind: str) -> None:
    counts = np.random.default_rng(2).integers(0, 30, (2, TICKS))
    padded = np.concatenate([counts, np.zeros((2, 2000), dtype=np.int64)], axis=1)
    total = smooth(kernel(kind), padded).sum(axis=1)
    assert np.allclose(total, counts.sum(axis=1), rtol=1e-12)


def test_boxcar_is_the_mean_of_the_last_ticks() -> None:
    counts = np.random.default_rng(3).integers(0, 9, (1, 60))
    rates = smooth(Boxcar(20), counts)[0]
    expected = [counts[0, max(0, s - 19) : s + 1].sum() / 20 for s in range(60)]
    assert np.array_equal(rates, expected)


def test_gaussian_is_delayed_by_three_standard_deviations() -> None:
    counts = np.zeros((1, 200), dtype=np.int64)
    counts[0, 10] = 1
    rates = smooth(kernel("gaussian", 2.0), counts)[0]
    assert np.argmax(rates) == 10 + 60
    assert np.flatnonzero(rates).tolist() == list(range(10, 10 + 121))
    lags = np.arange(200) - 70
    assert np.sqrt((rates * lags**2).sum()) == pytest.approx(20.0, rel=0.02)


@pytest.mark.parametrize("population", [1, 1000, 400_000])
def test_finite_kernels_are_exact_sums(population: int) -> None:
    """Weights lie on a binary grid on which even the largest sums do not round."""
    one = FiniteKernel(gaussian_shape(20.0), population)
    assert one.weights.sum() == 1.0
    exact = gaussian_shape(20.0) / gaussian_shape(20.0).sum()
    assert np.abs(one.weights - exact).max() < 1e-7
    counts = np.full((1, 300), 16 * population, dtype=np.int64)
    assert smooth(one, counts)[0, -1] == 16 * population


def test_constant_firing_gives_its_rate() -> None:
    counts = np.full((1, 3000), 3, dtype=np.int64)
    for kind in KINDS:
        assert smooth(kernel(kind), counts)[0, -1] == pytest.approx(3.0, rel=1e-12)


@pytest.mark.parametrize("width_ms", [0.25, 1e-12])
def test_boxcar_off_the_grid_is_refused(width_ms: float) -> None:
    with pytest.raises(InexactTimeError, match="tick"):
        kernel("boxcar", width_ms)
