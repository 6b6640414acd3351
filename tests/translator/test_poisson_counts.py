"""Inversion of the Poisson distribution: right everywhere, and element by element."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import pdtr

from tvb_nest_cosim.translator.poisson import poisson_counts

MEANS = [1e-9, 0.003, 0.2, 1.0, 3.9999, 4.0, 4.5, 9.0, 30.0, 300.0, 5000.0, 200_000.0]
TAILS = [2.0**-53, 1e-12, 1e-6, 1e-3, 0.5, 1 - 1e-3, 1 - 1e-6, 1 - 1e-12, 1 - 2.0**-53]


@pytest.mark.parametrize("mean", MEANS)
def test_count_is_the_smallest_whose_probability_reaches_the_uniform(mean: float) -> None:
    uniforms = np.concatenate([np.random.default_rng(1).random(20_000), TAILS])
    counts = poisson_counts(uniforms, np.full(uniforms.shape, mean))
    # Summed probabilities differ from scipy's distribution function by rounding.
    slack = 1e-14
    assert (pdtr(counts.astype(float), mean) >= uniforms - slack).all()
    above = counts > 0
    assert (pdtr(counts[above] - 1.0, mean) < uniforms[above] + slack).all()


def test_mean_of_zero_gives_nothing() -> None:
    uniforms = np.array(TAILS)
    assert not poisson_counts(uniforms, np.zeros(uniforms.shape)).any()


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_count_does_not_depend_on_its_neighbours(data: st.DataObject) -> None:
    number = data.draw(st.integers(1, 40))
    uniforms = np.random.default_rng(data.draw(st.integers(0, 1000))).random(number)
    means = np.array(data.draw(st.lists(st.sampled_from(MEANS), min_size=number, max_size=number)))
    together = poisson_counts(uniforms, means)
    cut = data.draw(st.integers(0, number))
    halves = [
        poisson_counts(uniforms[part], means[part]) for part in (slice(cut), slice(cut, None))
    ]
    assert np.array_equal(np.concatenate(halves), together)
    alone = [poisson_counts(uniforms[i : i + 1], means[i : i + 1])[0] for i in range(number)]
    assert np.array_equal(alone, together)


def test_means_are_broadcast_over_neurons() -> None:
    uniforms = np.random.default_rng(2).random((3, 50))
    means = np.array([[0.1], [3.0], [50.0]])
    rows = [poisson_counts(uniforms[i], np.full(50, means[i, 0])) for i in range(3)]
    assert np.array_equal(poisson_counts(uniforms, means), rows)


@pytest.mark.parametrize("mean", [0.2, 3.0, 30.0, 3000.0])
def test_mean_and_variance_are_those_of_poisson(mean: float) -> None:
    number = 100_000
    counts = poisson_counts(np.random.default_rng(3).random(number), np.full(number, mean))
    # Five standard errors: of the mean sqrt(m/n), of the variance m * sqrt((2 + 1/m) / n).
    assert abs(counts.mean() - mean) < 5 * np.sqrt(mean / number)
    assert abs(counts.var() - mean) < 5 * mean * np.sqrt((2 + 1 / mean) / number)
