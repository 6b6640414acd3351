"""Brunel's balanced random network of integrate-and-fire cells (J Comput Neurosci 8, 183-208).

As in NEST's examples ``brunel_delta_nest.py`` and ``brunel_alpha_nest.py``: every cell gets
``epsilon`` of the cells of each population, inhibition is ``g`` times stronger, and a Poisson
background of ``eta`` times the rate that alone would bring the mean potential to threshold.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.model.experiment.base import (
    Count,
    Fraction,
    NonNegative,
    Part,
    Positive,
)
from tvb_nest_cosim.cosim_core.model.timegrid import InexactTimeError, ms_of, ticks_of
from tvb_nest_cosim.nest_service.context import NetworkContext, Nodes

_NEWTON_STEPS = 50


class BrunelParameters(Part):
    """Parameters of the network; potentials are relative to rest."""

    model: Literal["iaf_psc_delta", "iaf_psc_alpha"] = "iaf_psc_delta"
    """Cell: jumps of the potential, or alpha-shaped synaptic currents."""
    neurons: Count = 1250
    """Cells of both populations."""
    inhibitory_fraction: float = Field(default=0.2, gt=0, lt=1)
    """Share of inhibitory cells."""
    epsilon: Fraction = 0.1
    """Connection probability; in-degrees are its share of each population, rounded."""
    J_mV: Positive = 0.1
    """Peak of the postsynaptic potential of one excitatory spike."""
    g: NonNegative = 5.0
    """Strength of inhibitory synapses relative to excitatory ones."""
    eta: NonNegative = 2.0
    """Background rate relative to the threshold rate."""
    delay_ms: Positive = 1.5
    """Delay of all synapses."""
    tau_m_ms: Positive = 20.0
    """Time constant of the membrane."""
    tau_syn_ms: Positive = 0.5
    """Rise time of the synaptic current (``iaf_psc_alpha``)."""
    C_m_pF: Positive = 250.0
    """Capacitance; to ``iaf_psc_delta`` it matters for input currents only."""
    t_ref_ms: NonNegative = 2.0
    """Refractory time."""
    V_th_mV: Positive = 20.0
    """Threshold."""
    V_reset_mV: float = 0.0
    """Reset potential."""

    @model_validator(mode="after")
    def _synapses_faster_than_membrane(self) -> BrunelParameters:
        if self.model == "iaf_psc_alpha" and self.tau_syn_ms >= self.tau_m_ms:
            raise ValueError(
                f"tau_syn_ms = {self.tau_syn_ms:g} must be below tau_m_ms = {self.tau_m_ms:g}"
            )
        return self

    @property
    def inhibitory_neurons(self) -> int:
        """Inhibitory cells."""
        return round(self.neurons * self.inhibitory_fraction)

    @property
    def indegrees(self) -> tuple[int, int]:
        """Excitatory and inhibitory synapses per cell."""
        inhibitory = self.inhibitory_neurons
        return (
            round(self.epsilon * (self.neurons - inhibitory)),
            round(self.epsilon * inhibitory),
        )

    @property
    def weight(self) -> float:
        """Weight of an excitatory synapse: mV (``iaf_psc_delta``) or pA (``iaf_psc_alpha``)."""
        if self.model == "iaf_psc_delta":
            return self.J_mV
        return self.J_mV / psp_peak(self.tau_m_ms, self.tau_syn_ms, self.C_m_pF)

    @property
    def background_hz(self) -> float:
        """Total rate of the Poisson background of a cell.

        The threshold rate is that at which the mean potential, weight times the integral of one
        postsynaptic potential times the rate, equals the threshold.
        """
        potential_per_khz = self.weight * self.tau_m_ms
        if self.model == "iaf_psc_alpha":
            potential_per_khz *= math.e * self.tau_syn_ms / self.C_m_pF
        return 1000.0 * self.eta * self.V_th_mV / potential_per_khz


def psp_peak(tau_m_ms: float, tau_syn_ms: float, C_m_pF: float) -> float:  # noqa: N803
    """Computes the peak of the potential that an alpha current of 1 pA amplitude evokes.

    With a = tau_m / tau_syn and b = 1 / tau_syn - 1 / tau_m, the peak is at t = (y - 1/a) / b,
    where y > 1 solves y - ln y = 1/a + ln a (y is minus the branch -1 of Lambert's W).

    Args:
        tau_m_ms: Time constant of the membrane.
        tau_syn_ms: Rise time of the current, below ``tau_m_ms``.
        C_m_pF: Capacitance.

    Returns:
        The peak in mV per pA.
    """
    a, b = tau_m_ms / tau_syn_ms, 1.0 / tau_syn_ms - 1.0 / tau_m_ms
    right_side = 1.0 / a + math.log(a)
    y = 2.0 * right_side + 1.0
    for _ in range(_NEWTON_STEPS):
        y -= (y - math.log(y) - right_side) / (1.0 - 1.0 / y)
    time = (y - 1.0 / a) / b
    fast, slow = math.exp(-time / tau_syn_ms), math.exp(-time / tau_m_ms)
    return math.e / (tau_syn_ms * C_m_pF * b) * ((slow - fast) / b - time * fast)


def build(context: NetworkContext) -> dict[str, Nodes]:
    """Builds the populations ``excitatory`` and ``inhibitory``.

    Raises:
        ExperimentError: On parameters that are unknown or do not fit.
    """
    parameters = context.parse_parameters(BrunelParameters)
    nest = context.nest
    try:
        delay_ms = ms_of(ticks_of(parameters.delay_ms, context.dt_ms), context.dt_ms)
    except InexactTimeError as error:
        raise ExperimentError.single("parameters.delay_ms", str(error)) from error
    number = parameters.inhibitory_neurons
    if not 0 < number < parameters.neurons:
        raise ExperimentError.single(
            "parameters.neurons",
            f"{parameters.neurons} neurons leave one population empty; raise the number",
        )
    cell = _cell(parameters)
    populations = {
        "excitatory": nest.Create(parameters.model, parameters.neurons - number, params=cell),
        "inhibitory": nest.Create(parameters.model, number, params=cell),
    }
    everyone = populations["excitatory"] + populations["inhibitory"]
    weights = (parameters.weight, -parameters.g * parameters.weight)
    for source, indegree, weight in zip(
        populations.values(), parameters.indegrees, weights, strict=True
    ):
        if indegree:
            nest.Connect(
                source,
                everyone,
                {"rule": "fixed_indegree", "indegree": indegree},
                {"weight": weight, "delay": delay_ms},
            )
    background = nest.Create("poisson_generator", params={"rate": parameters.background_hz})
    nest.Connect(background, everyone, syn_spec={"weight": parameters.weight, "delay": delay_ms})
    return populations


def _cell(parameters: BrunelParameters) -> dict[str, float]:
    cell = {
        "C_m": parameters.C_m_pF,
        "tau_m": parameters.tau_m_ms,
        "t_ref": parameters.t_ref_ms,
        "E_L": 0.0,
        "V_m": 0.0,
        "V_reset": parameters.V_reset_mV,
        "V_th": parameters.V_th_mV,
    }
    if parameters.model == "iaf_psc_alpha":
        cell |= {
            "tau_syn_ex": parameters.tau_syn_ms,
            "tau_syn_in": parameters.tau_syn_ms,
        }
    return cell
