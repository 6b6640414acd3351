"""Euler's and Heun's schemes in tvb-library's order of operations."""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import njit


class Scheme(NamedTuple):
    """An integration scheme.

    Attributes:
        dt_ms: Step.
        corrects: Whether it is Heun's, which corrects the step of Euler's.
        is_stochastic: Whether noise is added.
        low: Lower bound of each state variable, NaN where there is none, float64.
        high: Upper bound.
    """

    dt_ms: Any
    corrects: Any
    is_stochastic: Any
    low: Any
    high: Any


@njit(error_model="numpy")
def euler(scheme: Scheme, state: Any, slope: Any, noise: Any, stimulus: Any, result: Any) -> None:
    """Makes a step of Euler's, which is the first half of one of Heun's.

    Args:
        scheme: The scheme.
        state: float64 [state variable, region], as all others.
        slope: Derivative at ``state``.
        noise: Increments by noise; not read without noise.
        stimulus: Stimulus.
        result: Gets the state after the step.
    """
    dt_ms = scheme.dt_ms
    for variable in range(state.shape[0]):
        for region in range(state.shape[1]):
            here = variable, region
            if scheme.is_stochastic:
                result[here] = (
                    state[here] + dt_ms * slope[here] + noise[here] + dt_ms * stimulus[here]
                )
            else:
                result[here] = state[here] + dt_ms * (slope[here] + stimulus[here])
    _bound(scheme, result)


@njit(error_model="numpy")
def heun(
    scheme: Scheme, state: Any, slope: Any, later: Any, noise: Any, stimulus: Any, result: Any
) -> None:
    """Makes a step of Heun's; ``later`` is the derivative where Euler's step has led."""
    dt_ms = scheme.dt_ms
    for variable in range(state.shape[0]):
        for region in range(state.shape[1]):
            here = variable, region
            moved = state[here] + (slope[here] + later[here]) * dt_ms / 2.0
            if scheme.is_stochastic:
                moved += noise[here]
            result[here] = moved + dt_ms * stimulus[here]
    _bound(scheme, result)


@njit(error_model="numpy")
def _bound(scheme: Scheme, state: Any) -> None:
    """Compares as tvb-library does: NaN stays."""
    for variable in range(state.shape[0]):
        low, high = scheme.low[variable], scheme.high[variable]
        for region in range(state.shape[1]):
            if state[variable, region] < low:
                state[variable, region] = low
            if state[variable, region] > high:
                state[variable, region] = high
