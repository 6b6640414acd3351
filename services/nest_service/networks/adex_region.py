"""The AdEx region of excitatory and inhibitory cells, built from the experiment's ``adex``.

The network of Zerlaut et al. 2018 (J Comput Neurosci 44, 45-61) and di Volo et al. 2019 (Neural
Comput 31, 653-680), whose mean field TVB integrates: exponential integrate-and-fire cells with
adaptation and conductance synapses (``aeif_cond_exp``), joined at random with fixed in-degree.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.model.experiment.adex import AdexCell, AdexRegion
from tvb_nest_cosim.cosim_core.model.experiment.base import NonNegative, Part
from tvb_nest_cosim.nest_service.context import NetworkContext, Nodes


class AdexExtras(Part):
    """Parameters of the spiking network that the mean field does not have.

    All are off by default, so that both sides describe the same neurons.
    """

    V_sigma_mV: NonNegative = 0.0
    """Standard deviation of the initial membrane potential around E_L."""
    w_mean_pA: float = 0.0
    """Mean of the initial adaptation current."""
    w_sigma_pA: NonNegative = 0.0
    """Standard deviation of the initial adaptation current."""
    I_sigma_pA: NonNegative = 0.0
    """Standard deviation, over cells, of a constant input current of mean 0."""
    noise_std_pA: NonNegative = 0.0
    """Standard deviation of Gaussian noise current, drawn anew for every cell and 1 ms."""
    background_hz: float = Field(default=0.0, ge=0)
    """Rate of Poisson spikes into every cell, of weight Q_e."""


def build(context: NetworkContext) -> dict[str, Nodes]:
    """Builds the populations ``excitatory`` and ``inhibitory``.

    Raises:
        ExperimentError: If the experiment has no ``adex``, or on unknown parameters.
    """
    adex = context.adex
    if adex is None:
        raise ExperimentError.single(
            "module",
            "adex_region takes its cells from the section `adex`, which the experiment lacks; add "
            "`adex: {}` for the defaults, or name another network",
        )
    if not adex.inhibitory_neurons or not adex.excitatory_neurons:
        raise ExperimentError.single(
            "module",
            f"adex has {adex.excitatory_neurons} excitatory and {adex.inhibitory_neurons} "
            "inhibitory cells; raise adex.neurons until there are both",
        )
    extras = context.parse_parameters(AdexExtras)
    populations = {
        "excitatory": _cells(context, adex, extras, adex.excitatory, adex.excitatory_neurons),
        "inhibitory": _cells(context, adex, extras, adex.inhibitory, adex.inhibitory_neurons),
    }
    everyone = populations["excitatory"] + populations["inhibitory"]
    for source, weight in (("excitatory", adex.Q_e_nS), ("inhibitory", -adex.Q_i_nS)):
        indegree = round(adex.p_connect * len(populations[source]))
        if indegree:
            context.nest.Connect(
                populations[source],
                everyone,
                {"rule": "fixed_indegree", "indegree": indegree},
                {"weight": weight, "delay": context.dt_ms},
            )
    _add_background(context, adex, extras, everyone)
    return populations


def _cells(
    context: NetworkContext, adex: AdexRegion, extras: AdexExtras, cell: AdexCell, number: int
) -> Nodes:
    return context.nest.Create(
        "aeif_cond_exp",
        number,
        params=nest_parameters(adex, cell)
        | {
            "V_m": _spread(context, cell.E_L_mV, extras.V_sigma_mV),
            "w": _spread(context, extras.w_mean_pA, extras.w_sigma_pA),
            "I_e": _spread(context, 0.0, extras.I_sigma_pA),
        },
    )


def nest_parameters(adex: AdexRegion, cell: AdexCell) -> dict[str, float]:
    """Names the parameters of a cell as ``aeif_cond_exp`` does; the units are the same."""
    return {
        "C_m": cell.C_m_pF,
        "g_L": cell.g_L_nS,
        "E_L": cell.E_L_mV,
        "V_reset": cell.V_reset_mV,
        "V_th": cell.V_th_mV,
        "Delta_T": cell.Delta_T_mV,
        "t_ref": cell.t_ref_ms,
        "a": cell.a_nS,
        "b": cell.b_pA,
        "tau_w": cell.tau_w_ms,
        "tau_syn_ex": adex.tau_e_ms,
        "tau_syn_in": adex.tau_i_ms,
        "E_ex": adex.E_e_mV,
        "E_in": adex.E_i_mV,
    }


def _spread(context: NetworkContext, mean: float, sigma: float) -> Any:
    """Returns a number, or NEST's normal distribution if there is a spread."""
    return context.nest.random.normal(mean, sigma) if sigma else mean


def _add_background(
    context: NetworkContext, adex: AdexRegion, extras: AdexExtras, cells: Nodes
) -> None:
    nest = context.nest
    if extras.background_hz:
        source = nest.Create("poisson_generator", params={"rate": extras.background_hz})
        nest.Connect(source, cells, syn_spec={"weight": adex.Q_e_nS, "delay": context.dt_ms})
    if extras.noise_std_pA:
        noise = nest.Create("noise_generator", params={"std": extras.noise_std_pA, "dt": 1.0})
        nest.Connect(noise, cells, syn_spec={"delay": context.dt_ms})
