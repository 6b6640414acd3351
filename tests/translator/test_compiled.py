"""Compiled functions have the bits of the same operations done one by one."""

from __future__ import annotations

import math

import numpy as np

from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.translator.compiled import kernels
from tvb_nest_cosim.translator.spikes_to_rates import Exponential


def by_hand(keep: Reals, inputs: Reals, state: Reals) -> Reals:
    paths = []
    for factor, row, last in zip(keep.tolist(), inputs.tolist(), state.tolist(), strict=True):
        path = []
        for x in row:
            last = factor * last + x
            path.append(last)
        paths.append(path)
    return np.array(paths)


def test_leaky_sum_rounds_after_the_product_and_after_the_sum() -> None:
    generator = np.random.default_rng(1)
    keep, state = generator.uniform(0.5, 1.0, 7), generator.normal(size=7)
    inputs = generator.normal(size=(7, 5000))
    expected = by_hand(keep, inputs, state)
    kernels.leaky_sum(keep, inputs, state)
    assert inputs.tobytes() == expected.tobytes()
    assert state.tobytes() == expected[:, -1].tobytes()


def test_an_exponential_kernel_has_the_bits_of_python_and_leaves_the_state_before() -> None:
    generator = np.random.default_rng(3)
    counts, state = generator.integers(0, 50, (3, 400)), generator.uniform(0.0, 9.0, 3)
    before, keep = state.copy(), math.exp(-1.0 / 20.0)
    expected = by_hand(np.full(3, keep), (1.0 - keep) * counts, before)
    smoothed, after = Exponential(20.0).smooth(state, counts)
    assert smoothed.tobytes() == expected.tobytes()
    assert after.tobytes() == expected[:, -1].tobytes()
    assert state.tobytes() == before.tobytes()


def test_total_input_is_that_of_numpy_and_noise_goes_to_its_own_regions() -> None:
    generator = np.random.default_rng(2)
    coupling, noise = generator.normal(5.0, 3.0, (4, 30)), generator.normal(size=(2, 30))
    external, least, synapses = (generator.uniform(0.0, 9.0, 4) for _ in range(3))
    expected = coupling + external[:, np.newaxis]
    expected[[1, 3]] += noise
    expected = np.maximum(expected, least[:, np.newaxis]) * synapses[:, np.newaxis]
    assert (expected == (least * synapses)[:, np.newaxis]).any()
    assert kernels.total_input(coupling, external, noise, np.array([1, 3]), least, synapses)
    assert coupling.tobytes() == expected.tobytes()
