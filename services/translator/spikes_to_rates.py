"""Causal kernels that turn spike counts into rates.

The rate at tick s uses spikes of ticks <= s only. Each kernel has an integral of one, so the sum
of a rate over time is the number of spikes. A kernel is a pure function: the state that is passed
in and out holds all that the past contributes. The bits are the same for any division of time
into windows: ``boxcar`` works on integers, ``exponential`` repeats the same two roundings per
tick, and finite kernels have weights on a binary grid so coarse that all products and sums are
exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.model.arrays import Integers, Reals
from tvb_nest_cosim.cosim_core.model.experiment.spiking import Rate
from tvb_nest_cosim.cosim_core.model.timegrid import InexactTimeError, ticks_of
from tvb_nest_cosim.translator.compiled import kernels

State = npt.NDArray[Any]

GAUSSIAN_DELAY = 3.0
"""Standard deviations by which the Gaussian is shifted to be causal; its support is twice that."""

_PIECE_TICKS = 32
"""Ticks that a finite kernel handles at once, which bounds the size of its matrix."""

_EXACT_BITS = 53
_SPARE_BITS = 4


class Kernel(Protocol):
    """A causal filter of counts with an integral of one."""

    def initial(self, rows: int) -> State:
        """Returns the state of ``rows`` populations that have never fired."""

    def smooth(self, state: State, counts: Integers) -> tuple[Reals, State]:
        """Filters one window.

        Args:
            state: State after the last tick before the window.
            counts: Spikes, int64 [row, tick].

        Returns:
            Smoothed counts per tick, float64 [row, tick], and the state after the window.
        """


@dataclass(frozen=True)
class Boxcar:
    """Mean over the last ``width_ticks`` ticks, the present one included."""

    width_ticks: int

    def initial(self, rows: int) -> Integers:
        """Returns int64 [row, tick]: the sums since the start at the last ``width_ticks`` ticks."""
        return np.zeros((rows, self.width_ticks), dtype=np.int64)

    def smooth(self, state: Integers, counts: Integers) -> tuple[Reals, Integers]:
        """Sums the window exactly, then divides by the width once."""
        smoothed, after = np.empty(counts.shape), np.empty_like(state)
        kernels.sliding_mean(state, counts, smoothed, after)
        return smoothed, after


@dataclass(frozen=True)
class Exponential:
    """y[s] = a y[s-1] + (1 - a) x[s] with a = exp(-1 / time_constant_ticks)."""

    time_constant_ticks: float

    def initial(self, rows: int) -> Reals:
        """Returns float64 [row]: the smoothed counts at the last tick."""
        return np.zeros(rows)

    def smooth(self, state: Reals, counts: Integers) -> tuple[Reals, Reals]:
        """Rounds after the product and after the sum of every tick."""
        keep = math.exp(-1.0 / self.time_constant_ticks)
        smoothed, after = (1.0 - keep) * counts.astype(np.float64), state.copy()
        kernels.leaky_sum(np.full(len(smoothed), keep), smoothed, after)
        return smoothed, after


class FiniteKernel:
    """Weighted sum over the last ticks.

    With integer weights / 2**q that sum to one, and counts below 2**(53 - q), every product and
    every partial sum is exact in float64. So the fastest matrix product may be used, in whatever
    order it adds. The grid is finer than 1e-9 for populations below half a million neurons.

    Args:
        shape: Kernel at lags 0, 1, ... ticks, float64 [lag], not negative, any scale.
        largest_population: Neurons of the largest population; up to 16 spikes per neuron and tick
            stay exact.
    """

    def __init__(self, shape: Reals, largest_population: int) -> None:
        scale = 2.0 ** (_EXACT_BITS - _SPARE_BITS - largest_population.bit_length())
        whole = np.rint(shape / shape.sum() * scale)
        whole[np.argmax(whole)] += scale - whole.sum()
        self.weights: Reals = whole / scale
        taps, piece = shape.size, _PIECE_TICKS
        lags = np.arange(piece) + (taps - 1) - np.arange(taps - 1 + piece)[:, np.newaxis]
        inside = (lags >= 0) & (lags < taps)
        self._matrix: Reals = np.where(inside, self.weights[np.clip(lags, 0, taps - 1)], 0.0)

    def initial(self, rows: int) -> Reals:
        """Returns float64 [row, tick]: the counts of all ticks that the kernel still reaches."""
        return np.zeros((rows, self.weights.size - 1))

    def smooth(self, state: Reals, counts: Integers) -> tuple[Reals, Reals]:
        """Multiplies counts and matrix, as many ticks at once as the matrix has."""
        ticks, reach = counts.shape[1], self.weights.size - 1
        history = np.concatenate((state, counts.astype(np.float64)), axis=1)
        smoothed = np.empty(counts.shape)
        for first in range(0, ticks, _PIECE_TICKS):
            last = min(first + _PIECE_TICKS, ticks)
            size = last - first
            matrix = self._matrix[: reach + size, :size]
            smoothed[:, first:last] = history[:, first : last + reach] @ matrix
        return smoothed, history[:, history.shape[1] - reach :].copy()


def gaussian_shape(std_ticks: float) -> Reals:
    """Samples a Gaussian, shifted by three standard deviations and cut at six.

    Args:
        std_ticks: Standard deviation in ticks.

    Returns:
        Values at lags 0, 1, ... ticks, not normalised.
    """
    delay = GAUSSIAN_DELAY * std_ticks
    lags = np.arange(math.floor(2.0 * delay) + 1)
    shape: Reals = np.exp(-0.5 * ((lags - delay) / std_ticks) ** 2)
    return shape


def kernel_of(rate: Rate, dt_ms: float, largest_population: int) -> Kernel:
    """Makes the kernel that an experiment asks for.

    Raises:
        InexactTimeError: If a boxcar's width is not a whole number of ticks, at least one.
    """
    match rate.kind:
        case "boxcar":
            width_ticks = ticks_of(rate.width_ms, dt_ms)
            if width_ticks == 0:
                raise InexactTimeError(
                    f"a boxcar of {rate.width_ms:g} ms is shorter than a tick of {dt_ms:g} ms"
                )
            return Boxcar(width_ticks)
        case "exponential":
            return Exponential(rate.width_ms / dt_ms)
        case "gaussian":
            return FiniteKernel(gaussian_shape(rate.width_ms / dt_ms), largest_population)
