"""ReducedWongWang of tvb-library."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from tvb_nest_cosim.tvb_service.compiled.window import implements

NAMES = ("a", "b", "d", "gamma", "tau_s", "w", "J_N", "I_o")
_A, _B, _D, _GAMMA, _TAU_S, _W, _J_N, _I_O = range(8)


class WongWang(NamedTuple):
    """Its parameters, float64 [parameter, region]."""

    table: Any


@implements(WongWang)
def _derivative(model: Any, state: Any, coupling: Any, slope: Any) -> None:
    table = model.table
    for region in range(state.shape[1]):
        s, j_n = state[0, region], table[_J_N, region]
        incoming = coupling[region] + 0.0 * s
        x = table[_W, region] * j_n * s + table[_I_O, region] + j_n * incoming
        drive = table[_A, region] * x - table[_B, region]
        rate = drive / (1 - math.exp(-table[_D, region] * drive))
        slope[0, region] = -(s / table[_TAU_S, region]) + (1.0 - s) * rate * table[_GAMMA, region]
