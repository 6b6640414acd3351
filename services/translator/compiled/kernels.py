"""Arithmetic on few numbers, for which NumPy would need many calls.

Every operation rounds by itself, in the order written here, so the bits are NumPy's.
"""

from __future__ import annotations

import math
from typing import Any

from numba import njit


@njit("void(float64[::1], float64[:,::1], float64[::1])", cache=True)
def leaky_sum(keep: Any, series: Any, state: Any) -> None:
    """Replaces x by y[s] = keep * y[s-1] + x[s], row by row, with two roundings per tick.

    The exponential kernel and the noise share it. A tick needs the one before it, so NumPy would be
    called twice per tick.

    Args:
        keep: Factor, float64 [row].
        series: x, [row, tick]; overwritten with y.
        state: y at the last tick before the window, [row]; overwritten with y at the last tick.
    """
    for row in range(series.shape[0]):
        last = state[row]
        for tick in range(series.shape[1]):
            last = keep[row] * last + series[row, tick]
            series[row, tick] = last
        state[row] = last


@njit("void(int64[:,:], int64[:,:], float64[:,::1], int64[:,::1])", cache=True, error_model="numpy")
def sliding_mean(state: Any, counts: Any, smoothed: Any, after: Any) -> None:
    """Computes means over as many ticks as the state has; see ``spikes_to_rates.Boxcar``.

    Args:
        state: Counts cumulated since the start, at each of the last ticks, [row, tick].
        counts: Counts of the window, [row, tick].
        smoothed: Overwritten with the means, [row, tick].
        after: Overwritten with the state after the window, [row, tick].
    """
    ticks, width = counts.shape[1], state.shape[1]
    for row in range(counts.shape[0]):
        for tick in range(ticks, width):
            after[row, tick - ticks] = state[row, tick]
        total = left = state[row, width - 1]
        for tick in range(ticks):
            total += counts[row, tick]
            if tick < width:
                left = state[row, tick]
            else:
                left += counts[row, tick - width]
            smoothed[row, tick] = (total - left) / width
            if tick >= ticks - width:
                after[row, tick - ticks + width] = total


@njit(
    "boolean(float64[:,::1], float64[::1], float64[:,:], int64[::1], float64[::1], float64[::1])",
    cache=True,
)
def total_input(
    coupling: Any, external: Any, noise: Any, noisy: Any, least: Any, synapses: Any
) -> bool:
    """Replaces coupling by synapses * max(least, coupling + external + noise), [region, tick].

    Args:
        coupling: In Hz.
        external: In Hz, [region].
        noise: In Hz, [noisy region, tick].
        noisy: Rows of the noisy regions.
        least: In Hz, [region].
        synapses: [region].

    Returns:
        Whether every coupling was finite.
    """
    is_finite = True
    regions, ticks = coupling.shape
    for row in range(regions):
        for tick in range(ticks):
            is_finite &= math.isfinite(coupling[row, tick])
            coupling[row, tick] += external[row]
    for index, row in enumerate(noisy):
        for tick in range(ticks):
            coupling[row, tick] += noise[index, tick]
    for row in range(regions):
        for tick in range(ticks):
            coupling[row, tick] = max(coupling[row, tick], least[row]) * synapses[row]
    return is_finite
