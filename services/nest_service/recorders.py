"""Recorders: every spike of every region, and continuous variables of chosen neurons.

One ``spike_recorder`` serves all populations of all regions, since the cost of a recorder is per
device and not per spike. All recorders are read by one call and emptied by another in every window,
so the cost per window is flat in time. On an MPI rank they hold what its own neurons did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.model.arrays import Integers
from tvb_nest_cosim.cosim_core.model.experiment.spiking import Analog
from tvb_nest_cosim.cosim_core.model.signals import COUNT, NEURON, REAL, TICK, Array
from tvb_nest_cosim.cosim_core.model.timegrid import Window, ms_of, ticks_of
from tvb_nest_cosim.nest_service.checks import chosen_neurons
from tvb_nest_cosim.nest_service.context import Nest
from tvb_nest_cosim.nest_service.refusals import refusals
from tvb_nest_cosim.nest_service.regions import Region


@dataclass(frozen=True)
class _Ranges:
    """A region's neurons and populations in the numbering over all regions: half-open ranges."""

    name: str
    neurons: tuple[int, int]
    populations: tuple[int, int]
    recorded: bool
    sent: bool


Events = Mapping[str, npt.NDArray[Any]]
"""Events of a recorder by NEST's names, one array entry per event."""


class Recorders:
    """All recorders of a network.

    Args:
        nest: The module ``nest``.
        regions: The regions.
        dt_ms: Length of a tick in ms.
    """

    def __init__(self, nest: Nest, regions: Sequence[Region], dt_ms: float) -> None:
        self._spikes = SpikeTap(nest, regions, dt_ms)
        self._analog = [
            AnalogTap(nest, region, index, dt_ms)
            for region in regions
            for index in range(len(region.group.record.analog))
        ]
        self._devices = self._spikes.device
        for tap in self._analog:
            self._devices += tap.device
        # As a list: given one dictionary, NEST would first read everything that the recorders hold.
        self._empty = [{"n_events": 0}] * len(self._devices)

    def read(self, window: Window) -> tuple[dict[str, Array], dict[str, Array]]:
        """Reads the recorders after a window and empties them.

        Args:
            window: The window just simulated.

        Returns:
            The signals for the translator, and those for the recording.
        """
        # NEST returns a tuple for several devices only.
        events = self._devices.get("events") if self._analog else (self._devices.get("events"),)
        self._devices.set(self._empty)
        sent, recorded = self._spikes.read(window, events[0])
        for tap, samples in zip(self._analog, events[1:], strict=True):
            recorded |= tap.read(window, samples)
        return sent, recorded


class SpikeTap:
    """Makes signals of the spikes of all regions, window by window.

    Neurons and populations are numbered over all regions in order; one table maps NEST's node
    ids to neurons, another maps neurons to populations.

    Args:
        nest: The module ``nest``.
        regions: The regions.
        dt_ms: Length of a tick in ms.
    """

    def __init__(self, nest: Nest, regions: Sequence[Region], dt_ms: float) -> None:
        self.device = nest.Create("spike_recorder", params={"time_in_steps": True})
        ids, sizes, recorded = [], [], []
        for region in regions:
            for name, nodes in region.populations.items():
                what = f"a spike recorder to population '{name}' of {region.name}"
                remedy = "the network must be built of neurons that emit spikes"
                with refusals(nest, f"{region.path}.network.module", what, remedy):
                    nest.Connect(nodes, self.device, syn_spec={"delay": ms_of(1, dt_ms)})
                ids.append(np.asarray(nodes))
                sizes.append(len(nodes))
                recorded.append(_is_recorded(region, name))
        nodes_in_order = np.concatenate(ids)
        self._neuron_of_node = np.zeros(nodes_in_order.max() + 1, np.int64)
        self._neuron_of_node[nodes_in_order] = np.arange(nodes_in_order.size)
        self._population_of_neuron = np.repeat(np.arange(len(sizes)), sizes)
        self._is_recorded = np.repeat(np.array(recorded), sizes)
        self._ranges = list(_ranges(regions))

    def read(self, window: Window, events: Events) -> tuple[dict[str, Array], dict[str, Array]]:
        """Turns the spikes of a window into signals, see :meth:`Recorders.read`."""
        neuron = self._neuron_of_node[events["senders"].astype(np.int64)]
        tick = events["times"].astype(np.int64) - window.start
        sent = self._counts(neuron, tick, window.ticks)
        kept = self._is_recorded[neuron]
        recorded: dict[str, Array] = {}
        for ranges in self._ranges:
            inside = (neuron >= ranges.neurons[0]) & (neuron < ranges.neurons[1])
            if ranges.sent:
                sent |= _spikes(ranges, neuron[inside], tick[inside])
            if ranges.recorded:
                recorded |= _spikes(ranges, neuron[inside & kept], tick[inside & kept])
        return sent, recorded

    def _counts(self, neuron: Integers, tick: Integers, ticks: int) -> dict[str, Array]:
        rows = self._ranges[-1].populations[1]
        cell = self._population_of_neuron[neuron] * ticks + tick - 1
        counts = np.bincount(cell, minlength=rows * ticks).reshape(rows, ticks).astype(COUNT)
        return {
            f"counts/{ranges.name}": counts[slice(*ranges.populations)] for ranges in self._ranges
        }


def _is_recorded(region: Region, population: str) -> bool:
    spikes = region.group.record.spikes
    return spikes if isinstance(spikes, bool) else population in spikes


def _ranges(regions: Sequence[Region]) -> Iterator[_Ranges]:
    neuron = population = 0
    for region in regions:
        neurons = (neuron, neuron + sum(region.sizes.values()))
        populations = (population, population + len(region.sizes))
        yield _Ranges(
            name=region.name,
            neurons=neurons,
            populations=populations,
            recorded=any(_is_recorded(region, name) for name in region.populations),
            sent=region.group.rate.translator is not None,
        )
        neuron, population = neurons[1], populations[1]


def _spikes(ranges: _Ranges, neuron: Integers, tick: Integers) -> dict[str, Array]:
    return {
        f"spikes/{ranges.name}/neuron": (neuron - ranges.neurons[0]).astype(NEURON),
        f"spikes/{ranges.name}/tick": tick.astype(TICK),
    }


class AnalogTap:
    """Makes signals of the samples of one multimeter.

    NEST delivers the sample of a tick while it computes the next one. So the sample of a
    window's last tick comes with the next window, labelled there as tick 0, which is the same
    tick; that of a run's very last tick is not recorded, as is usual in NEST.

    Args:
        nest: The module ``nest``.
        region: The region.
        index: Index of the recording in ``record.analog``.
        dt_ms: Length of a tick in ms.
    """

    def __init__(self, nest: Nest, region: Region, index: int, dt_ms: float) -> None:
        analog: Analog = region.group.record.analog[index]
        self._prefix = f"analog/{region.name}/{index}"
        self._variables = analog.variables
        nodes = region.populations[analog.population][chosen_neurons(analog)]
        self._ids = np.asarray(nodes)
        self._neurons = np.array(chosen_neurons(analog), NEURON)
        self.device = nest.Create(
            "multimeter",
            params={
                "record_from": analog.variables,
                "interval": ms_of(ticks_of(analog.interval_ms, dt_ms), dt_ms),
                "time_in_steps": True,
            },
        )
        path = f"{region.path}.record.analog.{index}"
        what = f"a multimeter to population '{analog.population}' of {region.name}"
        with refusals(nest, path, what, "record variables of other neurons, or none"):
            nest.Connect(self.device, nodes, syn_spec={"delay": ms_of(1, dt_ms)})

    def read(self, window: Window, events: Events) -> dict[str, Array]:
        """Turns the samples of a window into signals.

        Args:
            window: The window just simulated.
            events: What the multimeter holds.

        Returns:
            Signals for the recording: ``tick`` (0 ... W, counted from the start of the window),
            ``neuron`` (index within the population) and the variables, of equal lengths.
        """
        signals: dict[str, Array] = {
            f"{self._prefix}/tick": (events["times"].astype(np.int64) - window.start).astype(TICK),
            f"{self._prefix}/neuron": self._neurons[np.searchsorted(self._ids, events["senders"])],
        }
        return signals | {
            f"{self._prefix}/{name}": events[name].astype(REAL) for name in self._variables
        }
