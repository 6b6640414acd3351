"""The first-order recursion that the exponential kernel and the noise share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.translator.compiled import kernels

Reals = npt.NDArray[np.float64]


def leaky_sum(keep: Reals, inputs: Reals, state: Reals) -> tuple[Reals, Reals]:
    """Computes y[s] = keep * y[s-1] + x[s], two roundings per tick whatever the window.

    A tick needs the one before it, so NumPy would be called twice per tick.

    Args:
        keep: Factor, float64 [row].
        inputs: x, float64 [row, tick], contiguous; overwritten with y.
        state: y at the last tick before the window, float64 [row].

    Returns:
        y, float64 [row, tick], and y at the last tick.
    """
    after = state.copy()
    kernels.leaky_sum(keep, inputs, after)
    return inputs, after
