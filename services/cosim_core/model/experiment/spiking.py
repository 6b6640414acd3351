"""Spiking regions: their network, their drive, what goes back to TVB, what is recorded."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from tvb_nest_cosim.cosim_core.model.experiment.base import (
    Count,
    Fraction,
    Name,
    NonNegative,
    Part,
    PlainName,
    Positive,
)

DriveKind = Literal["poisson", "mip", "sip", "trains", "current"]
RateKind = Literal["boxcar", "exponential", "gaussian"]

HOP_TICKS: dict[DriveKind, int] = {"poisson": 1, "mip": 2, "sip": 2, "trains": 1, "current": 1}
"""Ticks between a device's emission and its arrival at the neuron, by drive kind: one per synapse
on the way (device to neuron, or device to parrot to neuron), each of NEST's minimal delay."""

ADEX_NETWORK = "tvb_nest_cosim.nest_service.networks.adex_region:build"
"""The shipped network that builds what ``adex`` declares."""


class Network(Part):
    """The function that builds a region's network in NEST."""

    module: Name = ADEX_NETWORK
    """``package.module:function``; called with a ``NetworkContext``, returns populations by name.
    Modules beside the experiment file are found."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Handed to the function; ``adex_region`` takes cells and synapses from ``adex`` instead."""


class Drive(Part):
    """How TVB's input to a region becomes input to its neurons.

    Every driven neuron stands for ``synapses`` afferents that fire at
    max(0, coupling + external + noise), so its total input rate is ``synapses`` times that. (Beside
    the first-order Zerlaut model it is max(0, coupling + noise) + external, as in that model.)
    """

    kind: DriveKind = "poisson"
    """``poisson``: independent trains, made inside NEST. ``mip``: copies of a mother train, each
    spike kept with probability ``correlation``. ``sip``: a shared train (share ``correlation``)
    and own trains. ``trains``: explicit train per neuron. ``current``: step current."""
    targets: list[PlainName] | None = None
    """Populations that get the drive; none: all."""
    weight: float | None = None
    """Synaptic weight in NEST's unit for the neuron model (nS or pA); with ``adex``: Q_e."""
    synapses: Positive | None = None
    """Afferents per neuron; with ``adex``: K_ext."""
    external_hz: NonNegative | None = None
    """Rate of every afferent beyond TVB's coupling; with ``adex``: its external_hz."""
    correlation: Fraction = 0.0
    """``mip``: probability p in (0, 1], the pairwise correlation; ``sip``: the shared part."""
    current_pA_per_hz: float = 1.0
    """``current``: current per Hz of total input rate."""
    coupling_variable: Name | None = None
    """Which of the model's coupling variables drives; none: its first."""
    hz_per_unit: float | None = None
    """Hz per unit of TVB's coupling; known for the Zerlaut models (kHz), else required."""
    translator: Name | None = None
    """User class ``module:Class`` or entry point in place of the built-in translation."""
    translator_parameters: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the user class."""


class Rate(Part):
    """How spikes become the rates that TVB sees."""

    kind: RateKind = "boxcar"
    """Causal kernel: sliding mean, exponential, or Gaussian (delayed to be causal)."""
    width_ms: Positive = 20.0
    """``boxcar``: length. ``exponential``: time constant. ``gaussian``: standard deviation."""
    translator: Name | None = None
    """User class ``module:Class`` or entry point in place of the built-in kernel."""
    translator_parameters: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the user class."""


class Feed(Part):
    """One state variable of the proxy, fed from the rate of a population."""

    variable: Name
    """State variable of the model; every coupling variable needs a feed."""
    population: PlainName
    """Population of the network."""
    unit_per_hz: float = 1.0
    """Value of the variable per Hz (0.001 for a rate in kHz)."""
    offset: float = 0.0
    """Value at 0 Hz."""


class Tracts(Part):
    """Tracts from other spiking regions into this one.

    They are real synapses in NEST with the tract's delay, and TVB's own edges between spiking
    regions are removed, so that nothing is counted twice. Each neuron gets on average
    ``synapses_per_weight`` times the connectome's weight (and times the slope of TVB's coupling)
    synapses from the source population.
    """

    mode: Literal["synapses", "rates", "none"] = "synapses"
    """``rates``: no synapses; TVB carries the other spiking regions' rates with its own coupling
    and delay, like those of any region, and they become part of the drive. The longest exact
    window is then at most half of these tracts' delays. ``none`` leaves spiking regions without
    tracts among them."""
    source: PlainName = "excitatory"
    """Population that projects."""
    targets: list[PlainName] | None = None
    """Populations that receive; none: those that get the drive."""
    synapses_per_weight: NonNegative | None = None
    """Default: what makes the synapses deliver the rate that TVB's coupling would."""
    weight: float | None = None
    """Synaptic weight; default: the drive's."""


class Analog(Part):
    """Continuous recording from chosen neurons."""

    population: PlainName
    """Population of the network."""
    variables: list[Name] = Field(default=["V_m"], min_length=1)
    """Recordables of the neuron model, e.g. V_m, w, g_ex, g_in."""
    neurons: Count | list[Annotated[int, Field(ge=0)]] = 5
    """The first so many neurons, or indices within the population."""
    interval_ms: Positive = 1.0
    """Sampling interval."""


class Record(Part):
    """What is recorded from a spiking region."""

    spikes: bool | list[PlainName] = True
    """All populations, none, or those named."""
    analog: list[Analog] = Field(default_factory=list)
    """Multimeter recordings."""


class SpikingGroup(Part):
    """Regions that are spiking networks of the same make."""

    regions: list[Name] = Field(min_length=1)
    """Region names of the connectome."""
    network: Network = Network()
    """How each region is built."""
    drive: Drive = Drive()
    """How TVB drives it."""
    rate: Rate = Rate()
    """How its spikes become rates."""
    feed: list[Feed] | None = None
    """What TVB gets; with ``adex``: E from excitatory and I from inhibitory, in kHz. Variables that
    are not fed are missing (NaN) in these regions' results."""
    tracts: Tracts = Tracts()
    """Connections from other spiking regions."""
    record: Record = Record()
    """What is kept."""
