"""ZerlautAdaptationFirstOrder of tvb-library."""

from __future__ import annotations

from typing import Any, NamedTuple

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
    SPONTANEOUS,
    TAU_OU,
    WEIGHT_NOISE,
    G,
    T,
    adapt,
    fluctuations,
    neuron,
)


class FirstOrder(NamedTuple):
    """Its parameters.

    Attributes:
        shared: Of both populations, float64 [parameter, region].
        excitatory: Of the excitatory population.
        inhibitory: Of the inhibitory population.
    """

    shared: Any
    excitatory: Any
    inhibitory: Any


@implements(FirstOrder)
def _derivative(model: Any, state: Any, coupling: Any, slope: Any) -> None:
    shared, populations = model.shared, (model.excitatory, model.inhibitory)
    for region in range(state.shape[1]):
        e, i, drift = state[0, region], state[1, region], state[4, region]
        external_e = coupling[region] + 0.0 * e + shared[WEIGHT_NOISE, region] * drift
        if external_e * shared[K_EXT_E, region] < 0:
            external_e = 0.0
        g = shared[G, region]
        own_e = (e + SPONTANEOUS) * (1.0 - g) * shared[P_CONNECT_E, region] * shared[N_TOT, region]
        own_i = (i + SPONTANEOUS) * g * shared[P_CONNECT_I, region] * shared[N_TOT, region]
        for number in range(2):
            population = populations[number]
            rate, adaptation = state[number, region], state[2 + number, region]
            from_e = external_e + population[FROM_EXCITATORY, region]
            from_i = 0.0 * i + population[FROM_INHIBITORY, region]
            distance, t_v, mu_v = fluctuations(
                neuron(shared, population, region),
                own_e + from_e * shared[K_EXT_E, region],
                own_i + from_i * shared[K_EXT_I, region],
                adaptation,
            )
            target = erfc(distance) / (2 * t_v)
            slope[number, region] = (target - rate) / shared[T, region]
            slope[2 + number, region] = adapt(population, region, adaptation, rate, mu_v)
        slope[4, region] = -drift / shared[TAU_OU, region]
