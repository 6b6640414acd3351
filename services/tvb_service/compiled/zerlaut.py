"""Parameters and transfer function of Zerlaut's model, for both its orders."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from numba import njit

SHARED = (
    "g_L", "C_m", "Q_e", "tau_e", "E_e", "Q_i", "tau_i", "E_i", "N_tot", "p_connect_e",
    "p_connect_i", "g", "K_ext_e", "K_ext_i", "T", "weight_noise", "tau_OU", "S_i",
)  # fmt: skip
(
    G_L, C_M, Q_E, TAU_E, E_E, Q_I, TAU_I, E_I, N_TOT, P_CONNECT_E,
    P_CONNECT_I, G, K_EXT_E, K_EXT_I, T, WEIGHT_NOISE, TAU_OU, S_I,
) = range(18)  # fmt: skip

EXCITATORY = ("external_input_ex_ex", "external_input_ex_in", "E_L_e", "a_e", "b_e", "tau_w_e")
INHIBITORY = ("external_input_in_ex", "external_input_in_in", "E_L_i", "a_i", "b_i", "tau_w_i")
FROM_EXCITATORY, FROM_INHIBITORY, E_L, A, B, TAU_W, P = range(7)
"""Rows of a population's table; from P on the ten coefficients of its threshold."""

SPONTANEOUS = 1.0e-6
"""Spontaneous release of transmitter, kHz."""
_SQRT_2 = math.sqrt(2)


class Neuron(NamedTuple):
    """Parameters of the neurons of a population in a region, in tvb-library's units."""

    g_l: Any
    c_m: Any
    q_e: Any
    tau_e: Any
    e_e: Any
    q_i: Any
    tau_i: Any
    e_i: Any
    e_l: Any
    threshold: Any
    """Ten coefficients."""


@njit(error_model="numpy", forceinline=True)
def neuron(shared: Any, population: Any, region: int) -> Neuron:
    """Takes parameters out of the tables, so that a loop over rates need not."""
    return Neuron(
        shared[G_L, region],
        shared[C_M, region],
        shared[Q_E, region],
        shared[TAU_E, region],
        shared[E_E, region],
        shared[Q_I, region],
        shared[TAU_I, region],
        shared[E_I, region],
        population[E_L, region],
        (
            population[P, region],
            population[P + 1, region],
            population[P + 2, region],
            population[P + 3, region],
            population[P + 4, region],
            population[P + 5, region],
            population[P + 6, region],
            population[P + 7, region],
            population[P + 8, region],
            population[P + 9, region],
        ),
    )


@njit(error_model="numpy", forceinline=True)
def fluctuations(cell: Neuron, fe: float, fi: float, adaptation: float) -> Any:
    """Computes how the membrane potential fluctuates.

    The rate of the population is ``erfc(distance) / (2 * t_v)``.

    Args:
        cell: The neurons.
        fe: Rate of all their excitatory synapses, kHz.
        fi: The same of the inhibitory ones.
        adaptation: pA.

    Returns:
        Distance of the threshold, autocorrelation time t_v in ms, mean potential in mV.
    """
    mu_ge = cell.q_e * cell.tau_e * fe
    mu_gi = cell.q_i * cell.tau_i * fi
    mu_g = cell.g_l + mu_ge + mu_gi
    t_m = cell.c_m / mu_g
    mu_v = (mu_ge * cell.e_e + mu_gi * cell.e_i + cell.g_l * cell.e_l - adaptation) / mu_g
    u_e = cell.q_e / mu_g * (cell.e_e - mu_v) * cell.tau_e
    u_i = cell.q_i / mu_g * (cell.e_i - mu_v) * cell.tau_i
    from_e, from_i = fe * (u_e * u_e), fi * (u_i * u_i)
    variance = from_e / (2.0 * (cell.tau_e + t_m)) + from_i / (2.0 * (cell.tau_i + t_m))
    sigma_v = math.sqrt(variance)
    t_v = (from_e + from_i) / (from_e / (cell.tau_e + t_m) + from_i / (cell.tau_i + t_m))
    threshold = _threshold(cell.threshold, mu_v, sigma_v, t_v * cell.g_l / cell.c_m) * 1e3
    return (threshold - mu_v) / (_SQRT_2 * sigma_v), t_v, mu_v


@njit(error_model="numpy", forceinline=True)
def _threshold(p: Any, mu_v: float, sigma_v: float, t_v: float) -> Any:
    """Computes the effective threshold, V."""
    v, s, t = (mu_v + 60.0) / 10.0, (sigma_v - 4.0) / 6.0, t_v - 0.5
    return (
        p[0]
        + p[1] * v
        + p[2] * s
        + p[3] * t
        + p[4] * (v * v)
        + p[5] * (s * s)
        + p[6] * (t * t)
        + p[7] * v * s
        + p[8] * v * t
        + p[9] * s * t
    )


@njit(error_model="numpy")
def adapt(population: Any, region: int, adaptation: float, rate: float, mu_v: float) -> Any:
    """Returns the derivative of the adaptation, pA per ms."""
    tau_w = population[TAU_W, region]
    return (
        -adaptation / tau_w
        + population[B, region] * rate
        + population[A, region] * (mu_v - population[E_L, region]) / tau_w
    )
