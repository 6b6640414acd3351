"""ReducedWongWangExcInh of tvb-library."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from tvb_nest_cosim.tvb_service.compiled.window import implements

NAMES = (
    "a_e", "b_e", "d_e", "gamma_e", "tau_e", "w_p", "W_e", "J_N", "a_i", "b_i", "d_i",
    "gamma_i", "tau_i", "W_i", "J_i", "G", "lamda", "I_o", "I_ext",
)  # fmt: skip
(
    _A_E, _B_E, _D_E, _GAMMA_E, _TAU_E, _W_P, _W_E, _J_N, _A_I, _B_I, _D_I,
    _GAMMA_I, _TAU_I, _W_I, _J_I, _G, _LAMDA, _I_O, _I_EXT,
) = range(19)  # fmt: skip


class WongWangExcInh(NamedTuple):
    """Its parameters, float64 [parameter, region]."""

    table: Any


@implements(WongWangExcInh)
def _derivative(model: Any, state: Any, coupling: Any, slope: Any) -> None:
    table = model.table
    for region in range(state.shape[1]):
        s_e, s_i = state[0, region], state[1, region]
        j_n, i_o = table[_J_N, region], table[_I_O, region]
        others = table[_G, region] * j_n * (coupling[region] + 0.0 * s_e)
        own = j_n * s_e
        x = (
            table[_W_P, region] * own
            - table[_J_I, region] * s_i
            + table[_W_E, region] * i_o
            + others
            + table[_I_EXT, region]
        )
        x = table[_A_E, region] * x - table[_B_E, region]
        rate = x / (1 - math.exp(-table[_D_E, region] * x))
        slope[0, region] = (
            -(s_e / table[_TAU_E, region]) + (1.0 - s_e) * rate * table[_GAMMA_E, region]
        )
        x = own - s_i + table[_W_I, region] * i_o + table[_LAMDA, region] * others
        x = table[_A_I, region] * x - table[_B_I, region]
        rate = x / (1 - math.exp(-table[_D_I, region] * x))
        slope[1, region] = -(s_i / table[_TAU_I, region]) + rate * table[_GAMMA_I, region]
