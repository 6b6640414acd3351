"""From the input rate of a region's neurons to what its devices emit, by kind of drive.

The input rate r[s] of one driven neuron is spread over neurons in five ways. ``poisson``: NEST
makes independent trains of rate r. ``mip`` (multiple interaction process, Kuhn et al. 2003, Neural
Comput 15, 67-101): a mother train of rate r / p, each spike of which reaches each neuron with
probability p. ``sip`` (single interaction process): a shared train of rate p r and own trains of
rate (1 - p) r. ``trains``: independent trains of rate r, made here. ``current``: a current in
proportion to r.

Each kind is a function of the regions, the window (the ticks at which devices emit) and the input
rate (float64 [region, tick], Hz). It returns the signals ``drive/REGION/...``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tvb_nest_cosim.cosim_core.model.arrays import Array, Reals
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.model.experiment.spiking import DriveKind
from tvb_nest_cosim.cosim_core.model.plan import RegionPlan
from tvb_nest_cosim.cosim_core.model.signals import COUNT, NEURON, TICK
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.translator.poisson import poisson_counts
from tvb_nest_cosim.translator.random_numbers import CounterStream, uniforms_of

_UNIFORMS_AT_ONCE = 1 << 18
"""Bound on the random numbers of explicit trains that are in memory at the same time."""


@dataclass(frozen=True)
class DrivenRegions:
    """The regions of a group as their drive is made; every sequence has an entry per region.

    Attributes:
        names: Region names.
        neurons: Numbers of driven neurons.
        streams: Their random numbers.
        correlation: float64 [region, 1].
        current_pA_per_hz: float64 [region, 1].
        dt_s: Length of a tick.
    """

    names: Sequence[str]
    neurons: Sequence[int]
    streams: Sequence[CounterStream]
    correlation: Reals
    current_pA_per_hz: Reals
    dt_s: float

    @classmethod
    def of(
        cls, regions: Sequence[RegionPlan], neurons: Sequence[int], experiment: Experiment
    ) -> DrivenRegions:
        """Takes what the plans of regions say; ``neurons`` are the numbers of driven ones."""
        return cls(
            [region.name for region in regions],
            neurons,
            [CounterStream(experiment.seed, region.name, "drive") for region in regions],
            np.array([[region.drive.correlation] for region in regions]),
            np.array([[region.drive.current_pA_per_hz] for region in regions]),
            experiment.dt_ms / 1000.0,
        )

    def per_tick(self, signal: str, values: Reals) -> dict[str, Array]:
        """Returns ``drive/REGION/SIGNAL`` [tick] for ``values`` [region, tick]."""
        return {f"drive/{name}/{signal}": row for name, row in zip(self.names, values, strict=True)}


def _independent_trains(
    regions: DrivenRegions, window: Window, input_hz: Reals
) -> dict[str, Array]:
    """Kind ``poisson``: only the rate is needed, NEST draws the trains."""
    return regions.per_tick("rate", input_hz)


def _current(regions: DrivenRegions, window: Window, input_hz: Reals) -> dict[str, Array]:
    """Kind ``current``."""
    return regions.per_tick("amplitude", regions.current_pA_per_hz * input_hz)


def _multiple_interaction(
    regions: DrivenRegions, window: Window, input_hz: Reals
) -> dict[str, Array]:
    """Kind ``mip``: the mother train."""
    return _common_train(regions, window, regions.dt_s / regions.correlation * input_hz)


def _single_interaction(
    regions: DrivenRegions, window: Window, input_hz: Reals
) -> dict[str, Array]:
    """Kind ``sip``: the shared train and the rate of the own trains."""
    shared = _common_train(regions, window, regions.dt_s * regions.correlation * input_hz)
    return shared | regions.per_tick("rate", (1.0 - regions.correlation) * input_hz)


def _common_train(regions: DrivenRegions, window: Window, means: Reals) -> dict[str, Array]:
    """Draws one train per region that several neurons share, as counts per tick.

    Args:
        regions: The regions.
        window: The ticks.
        means: Mean count, float64 [region, tick].
    """
    words = np.stack([stream.words(window) for stream in regions.streams])
    counts = poisson_counts(uniforms_of(words), means)
    rows, columns = np.nonzero(counts)
    ticks = (columns + 1).astype(TICK)
    nonzero = counts[rows, columns].astype(COUNT)
    ends = np.searchsorted(rows, np.arange(len(regions.names) + 1))
    arrays: dict[str, Array] = {}
    for row, name in enumerate(regions.names):
        part = slice(ends[row], ends[row + 1])
        arrays[f"drive/{name}/tick"] = ticks[part]
        arrays[f"drive/{name}/count"] = nonzero[part]
    return arrays


def _explicit_trains(regions: DrivenRegions, window: Window, input_hz: Reals) -> dict[str, Array]:
    """Kind ``trains``: a train for every driven neuron, listed by tick, then by neuron.

    Its cost grows with the number of neurons.
    """
    arrays: dict[str, Array] = {}
    for name, neurons, stream, means in zip(
        regions.names, regions.neurons, regions.streams, input_hz * regions.dt_s, strict=True
    ):
        step = max(1, _UNIFORMS_AT_ONCE // max(1, neurons))
        parts = [
            _spikes(stream, neurons, window, means, first, min(first + step, window.ticks))
            for first in range(0, window.ticks, step)
        ]
        arrays[f"drive/{name}/neuron"] = np.concatenate([neuron for neuron, _ in parts])
        arrays[f"drive/{name}/tick"] = np.concatenate([tick for _, tick in parts])
    return arrays


def _spikes(
    stream: CounterStream, neurons: int, window: Window, means: Reals, first: int, last: int
) -> tuple[Array, Array]:
    """Draws the spikes of ticks ``first`` to ``last`` of a window; returns neurons and ticks."""
    part = Window(window.index, window.start + first, window.start + last)
    counts = poisson_counts(stream.uniforms(part, neurons), means[first:last, np.newaxis])
    ticks, indices = np.nonzero(counts)
    repeats = counts[ticks, indices]
    return (
        np.repeat(indices, repeats).astype(NEURON),
        np.repeat(ticks + first + 1, repeats).astype(TICK),
    )


BUILT_IN: dict[DriveKind, Callable[[DrivenRegions, Window, Reals], dict[str, Array]]] = {
    "poisson": _independent_trains,
    "mip": _multiple_interaction,
    "sip": _single_interaction,
    "trains": _explicit_trains,
    "current": _current,
}
"""The built-in translation of every kind of drive."""
