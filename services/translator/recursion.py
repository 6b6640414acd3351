"""The first-order recursion that the exponential kernel and the noise share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

Reals = npt.NDArray[np.float64]


def leaky_sum(keep: float, inputs: Reals, state: Reals) -> tuple[Reals, Reals]:
    """Computes y[s] = keep * y[s-1] + x[s], two roundings per tick whatever the window.

    Args:
        keep: Factor.
        inputs: x, float64 [row, tick].
        state: y at the last tick before the window, float64 [row].

    Returns:
        y, float64 [row, tick], and y at the last tick.
    """
    # The filter's own state is the part of its next output that the past contributes. Products by
    # its other factors, 1 and 0, round nothing.
    past = keep * state
    sums, _ = lfilter([1.0], [1.0, -keep], inputs, axis=1, zi=past[:, np.newaxis])
    return sums, sums[:, -1].copy()
