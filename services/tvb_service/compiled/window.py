"""A whole window in one call: coupling, derivative, scheme, history."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numba.extending import overload

from tvb_nest_cosim.tvb_service.compiled.scheme import Scheme, euler, heun
from tvb_nest_cosim.tvb_service.compiled.tracts import Tracts, incoming


class Pinned(NamedTuple):
    """The proxies, whose states come from outside.

    Attributes:
        regions: Their indices, int64 [proxy].
        states: Where they start every tick, float64 [state variable, proxy].
    """

    regions: Any
    states: Any


def derivative(model: Any, state: Any, coupling: Any, slope: Any) -> None:
    """Computes the derivative of all regions.

    Every model has its own implementation, chosen at compilation by the type of ``model``.

    Args:
        model: The model's parameters, a tuple of a type of its own.
        state: float64 [state variable, region].
        coupling: float64 [region].
        slope: Gets the derivative, float64 [state variable, region].
    """
    raise NotImplementedError


def implements(kind: type) -> Any:
    """Makes a function of the arguments of :func:`derivative` its implementation for a model.

    Args:
        kind: Type of the model's parameters.
    """

    def register(function: Any) -> Any:
        def choose(model: Any, state: Any, coupling: Any, slope: Any) -> Any:
            return function if getattr(model, "instance_class", None) is kind else None

        overload(derivative, jit_options={"error_model": "numpy"})(choose)
        return function

    return register


@njit(error_model="numpy", cache=True)
def advance(
    model: Any,
    tracts: Tracts,
    scheme: Scheme,
    pinned: Pinned,
    ring: Any,
    tick: int,
    state: Any,
    noise: Any,
    stimulus: Any,
    states: Any,
    couplings: Any,
) -> None:
    """Integrates a window.

    Args:
        model: Parameters of the model.
        tracts: The tracts.
        scheme: The scheme.
        pinned: The proxies.
        ring: History, float32 [tick modulo length, region], flattened; gets the new states.
        tick: Tick of ``state``.
        state: float64 [state variable, region]; gets the last state.
        noise: Increments by noise, float64 [tick, state variable, region]; one tick for all.
        stimulus: The same of the stimulus.
        states: Gets the states of the window, float64 [tick, state variable, region].
        couplings: Gets the couplings that led to them, float64 [tick, region].
    """
    slopes = np.empty((2, *state.shape))
    regions = state.shape[1]
    products = np.empty(regions, dtype=np.float32)
    for row in range(len(states)):
        present = (tick + row) * regions % len(ring)
        kick, push = noise[min(row, len(noise) - 1)], stimulus[min(row, len(stimulus) - 1)]
        for region in range(regions):
            couplings[row, region] = incoming(tracts, ring, present, region, products)
        # one place that calls the model, which is long and would be compiled twice
        for stage in range(2 if scheme.corrects else 1):
            at, to = (state, slopes[0]) if stage == 0 else (states[row], slopes[1])
            derivative(model, at, couplings[row], to)
            if stage == 0:
                euler(scheme, state, slopes[0], kick, push, states[row])
            else:
                heun(scheme, state, slopes[0], slopes[1], kick, push, states[row])
        _pin(pinned, states[row])
        following = (present + regions) % len(ring)
        for region in range(regions):
            ring[following + region] = states[row, 0, region]
            for variable in range(state.shape[0]):
                state[variable, region] = states[row, variable, region]


@njit(error_model="numpy")
def _pin(pinned: Pinned, state: Any) -> None:
    for column in range(len(pinned.regions)):
        for variable in range(state.shape[0]):
            state[variable, pinned.regions[column]] = pinned.states[variable, column]


@njit(error_model="numpy", cache=True)
def couple(tracts: Tracts, ring: Any, ticks: Any, regions: Any, result: Any) -> None:
    """Computes the coupling into some regions at some ticks.

    Args:
        tracts: The tracts.
        ring: History, float32 [tick modulo length, region], flattened.
        ticks: int64 [tick].
        regions: Indices, int64 [region].
        result: Gets the coupling, float64 [tick, region].
    """
    count = len(tracts.first) - 1
    products = np.empty(count, dtype=np.float32)
    for row in range(len(result)):
        present = (ticks[row] - 1) * count % len(ring)
        for column in range(len(regions)):
            result[row, column] = incoming(tracts, ring, present, regions[column], products)
