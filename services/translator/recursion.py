"""The first-order recursion that the exponential kernel and the noise share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]


def leaky_sum(keep: Reals | float, inputs: Reals, state: Reals) -> tuple[Reals, Reals]:
    """Computes y[s] = keep * y[s-1] + x[s], two roundings per tick whatever the window.

    Args:
        keep: Factor, one for all rows or one per row.
        inputs: x, float64 [row, tick]; overwritten with y.
        state: y at the last tick before the window, float64 [row].

    Returns:
        y, float64 [row, tick], and y at the last tick.
    """
    for column in inputs.T:
        column += keep * state
        state = column
    return inputs, state.copy()
