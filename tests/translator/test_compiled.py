"""What is compiled has the bits of the same operations done one by one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.translator.compiled import kernels
from tvb_nest_cosim.translator.recursion import leaky_sum

Reals = npt.NDArray[np.float64]


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
    path, after = leaky_sum(keep, inputs, state)
    assert path.tobytes() == expected.tobytes()
    assert after.tobytes() == expected[:, -1].tobytes()


def test_the_state_before_a_leaky_sum_is_left_as_it_was() -> None:
    state = np.ones(1)
    leaky_sum(np.full(1, 0.5), np.ones((1, 3)), state)
    assert state == 1.0


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
