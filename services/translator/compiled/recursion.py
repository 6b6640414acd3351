"""The first-order recursion, tick by tick."""

from __future__ import annotations

from typing import Any

from numba import njit


@njit("void(float64[::1], float64[:,::1], float64[::1])", cache=True)
def leaky_sum(keep: Any, series: Any, state: Any) -> None:
    """Replaces x by y[s] = keep * y[s-1] + x[s], row by row; see :mod:`translator.recursion`."""
    for row in range(series.shape[0]):
        last = state[row]
        for tick in range(series.shape[1]):
            last = keep[row] * last + series[row, tick]
            series[row, tick] = last
        state[row] = last
