"""ZerlautAdaptationSecondOrder of tvb-library.

tvb-library takes derivatives of the transfer function by finite differences and evaluates it 17
times per population. Only nine points differ: rates shifted by -1, 0 or 1 steps.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from tvb_nest_cosim.tvb_service.compiled.erfc import erfc
from tvb_nest_cosim.tvb_service.compiled.window import implements
from tvb_nest_cosim.tvb_service.compiled.zerlaut import (
    FROM_EXCITATORY,
    FROM_INHIBITORY,
    K_EXT_E,
    K_EXT_I,
    N_TOT,
    P_CONNECT_E,
    P_CONNECT_I,
    S_I,
    SPONTANEOUS,
    TAU_OU,
    WEIGHT_NOISE,
    G,
    T,
    adapt,
    fluctuations,
    neuron,
)

_STEP = 1e-7
"""Of the finite differences, kHz."""
# as tvb-library writes them: the last bit depends on the order
_TWICE = 2 * _STEP * 1e3
_SQUARE = (_STEP * 1e3) ** 2

SHIFTS = np.array([(e, i) for e in (-_STEP, 0.0, _STEP) for i in (-_STEP, 0.0, _STEP)]).T.copy()
"""By which the rates e and i differ from the state, float64 [2, point].

An argument of the kernel, not a constant: of loops whose length is known, LLVM makes one long
sequence of single operations instead of several at once.
"""


class SecondOrder(NamedTuple):
    """Its parameters.

    Attributes:
        shared: Of both populations, float64 [parameter, region].
        excitatory: Of the excitatory population.
        inhibitory: Of the inhibitory population.
    """

    shared: Any
    excitatory: Any
    inhibitory: Any
    shifts: Any
    """:data:`SHIFTS`."""


class _Transfer(NamedTuple):
    """Transfer function of a population and its derivatives by the rates e and i."""

    rate: float
    by_e: float
    by_i: float
    by_ee: float
    by_ei: float
    by_ie: float
    by_ii: float
    mu_v: float


@implements(SecondOrder)
def _derivative(model: Any, state: Any, coupling: Any, slope: Any) -> None:
    shared = model.shared
    points = np.empty((5, model.shifts.shape[1]))
    for region in range(state.shape[1]):
        e, i, drift = state[0, region], state[1, region], state[7, region]
        from_others, noise = coupling[region], shared[WEIGHT_NOISE, region] * drift
        into_e = _external(model.excitatory, region, from_others, e, noise)
        into_i = _external(model.inhibitory, region, shared[S_I, region] * from_others, e, noise)
        w_e, w_i = state[5, region], state[6, region]
        at_e = _evaluate(model, model.excitatory, region, (e, i, into_e), w_e, points)
        at_i = _evaluate(model, model.inhibitory, region, (e, i, into_i), w_i, points)
        _moments(shared, region, state, at_e, at_i, slope)
        slope[5, region] = adapt(model.excitatory, region, w_e, e, at_e.mu_v)
        slope[6, region] = adapt(model.inhibitory, region, w_i, i, at_i.mu_v)
        slope[7, region] = -drift / shared[TAU_OU, region]


@njit(error_model="numpy")
def _moments(
    shared: Any, region: int, state: Any, at_e: _Transfer, at_i: _Transfer, slope: Any
) -> None:
    """Computes the derivatives of rates and covariances."""
    e, i = state[0, region], state[1, region]
    c_ee, c_ei, c_ii = state[2, region], state[3, region], state[4, region]
    time, count, g = shared[T, region], shared[N_TOT, region], shared[G, region]
    off_e, off_i = at_e.rate - e, at_i.rate - i
    slope[0, region] = _rate_slope(at_e, e, c_ee, c_ei, c_ii) / time
    slope[1, region] = _rate_slope(at_i, i, c_ee, c_ei, c_ii) / time
    slope[2, region] = (
        at_e.rate * (1.0 / time - at_e.rate) / (count * (1 - g))
        + off_e * off_e
        + 2.0 * c_ee * at_e.by_e
        + 2.0 * c_ei * at_e.by_i
        - 2.0 * c_ee
    ) / time
    slope[3, region] = (
        off_e * off_i
        + c_ee * at_e.by_e
        + c_ei * at_i.by_e
        + c_ei * at_e.by_i
        + c_ii * at_i.by_i
        - 2.0 * c_ei
    ) / time
    slope[4, region] = (
        at_i.rate * (1.0 / time - at_i.rate) / (count * g)
        + off_i * off_i
        + 2.0 * c_ii * at_i.by_i
        + 2.0 * c_ei * at_i.by_e
        - 2.0 * c_ii
    ) / time


@njit(error_model="numpy")
def _external(population: Any, region: int, coupling: float, e: float, noise: float) -> float:
    """Returns the rate that comes from outside the region, which is never negative."""
    rate = coupling + 0.0 * e + population[FROM_EXCITATORY, region] + noise
    return 0.0 if rate < 0 else rate


@njit(error_model="numpy")
def _evaluate(
    model: Any, population: Any, region: int, rates: Any, adaptation: float, points: Any
) -> Any:
    """Evaluates the transfer function around a state.

    Args:
        model: Parameters.
        population: Those of the population.
        region: The region.
        rates: Own excitatory and inhibitory and external excitatory rate, kHz.
        adaptation: pA.
        points: Scratch, float64 [5, point].
    """
    shared, (e, i, external_e) = model.shared, rates
    external_i = 0.0 * i + population[FROM_INHIBITORY, region]
    g, count = shared[G, region], shared[N_TOT, region]
    p_e, p_i = shared[P_CONNECT_E, region], shared[P_CONNECT_I, region]
    others_e, others_i = external_e * shared[K_EXT_E, region], external_i * shared[K_EXT_I, region]
    for point in range(points.shape[1]):
        own_e, own_i = e + model.shifts[0, point], i + model.shifts[1, point]
        points[0, point] = (own_e + SPONTANEOUS) * (1.0 - g) * p_e * count + others_e
        points[1, point] = (own_i + SPONTANEOUS) * g * p_i * count + others_i
    cell = neuron(shared, population, region)
    # nothing but arithmetic, so that the processor computes several points at once
    for point in range(points.shape[1]):
        points[2, point], points[3, point], points[4, point] = fluctuations(
            cell, points[0, point], points[1, point], adaptation
        )
    results = points[0]
    for point in range(points.shape[1]):
        results[point] = erfc(points[2, point]) / (2 * points[3, point])
    return _around(results, points[4, 4])


@njit(error_model="numpy")
def _around(r: Any, mu_v: float) -> _Transfer:
    """Takes differences; the rates are those at e-, e and e+, each with i-, i and i+."""
    return _Transfer(
        r[4],
        (r[7] - r[1]) / _TWICE,
        (r[5] - r[3]) / _TWICE,
        (r[7] - 2 * r[4] + r[1]) / _SQUARE,
        ((r[8] - r[2]) / _TWICE - (r[6] - r[0]) / _TWICE) / _TWICE,
        ((r[8] - r[6]) / _TWICE - (r[2] - r[0]) / _TWICE) / _TWICE,
        (r[5] - 2 * r[4] + r[3]) / _SQUARE,
        mu_v,
    )


@njit(error_model="numpy")
def _rate_slope(at: _Transfer, rate: float, c_ee: float, c_ei: float, c_ii: float) -> float:
    return (
        at.rate
        - rate
        + 0.5 * c_ee * at.by_ee
        + 0.5 * c_ei * at.by_ei
        + 0.5 * c_ei * at.by_ie
        + 0.5 * c_ii * at.by_ii
    )
