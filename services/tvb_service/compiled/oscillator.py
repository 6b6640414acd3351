"""Generic2dOscillator of tvb-library."""

from __future__ import annotations

from typing import Any, NamedTuple

from tvb_nest_cosim.tvb_service.compiled.window import implements

NAMES = ("tau", "I", "a", "b", "c", "d", "e", "f", "g", "beta", "alpha", "gamma")
_TAU, _I, _A, _B, _C, _D, _E, _F, _G, _BETA, _ALPHA, _GAMMA = range(12)


class Oscillator(NamedTuple):
    """Its parameters, float64 [parameter, region]."""

    table: Any


@implements(Oscillator)
def _derivative(model: Any, state: Any, coupling: Any, slope: Any) -> None:
    table = model.table
    for region in range(state.shape[1]):
        v, w = state[0, region], state[1, region]
        tau, d, gamma = table[_TAU, region], table[_D, region], table[_GAMMA, region]
        v2 = v * v
        slope[0, region] = d * tau * (
            table[_ALPHA, region] * w
            - table[_F, region] * v2 * v
            + table[_E, region] * v2
            + table[_G, region] * v
            + gamma * table[_I, region]
            + gamma * coupling[region]
            + 0.0 * v
        )  # fmt: skip
        slope[1, region] = (
            d
            * (
                table[_A, region]
                + table[_B, region] * v
                + table[_C, region] * v2
                - table[_BETA, region] * w
            )
            / tau
        )
