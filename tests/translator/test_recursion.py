"""The compiled recursion: the bits of two roundings per tick, as Python's own numbers have them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from translator.recursion import leaky_sum

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


def test_it_rounds_after_the_product_and_after_the_sum() -> None:
    generator = np.random.default_rng(1)
    keep, state = generator.uniform(0.5, 1.0, 7), generator.normal(size=7)
    inputs = generator.normal(size=(7, 5000))
    expected = by_hand(keep, inputs, state)
    path, after = leaky_sum(keep, inputs, state)
    assert path.tobytes() == expected.tobytes()
    assert after.tobytes() == expected[:, -1].tobytes()


def test_the_state_before_is_left_as_it_was() -> None:
    state = np.ones(1)
    leaky_sum(np.full(1, 0.5), np.ones((1, 3)), state)
    assert state == 1.0
