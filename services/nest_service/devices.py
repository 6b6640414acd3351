"""Drive: devices that turn the translator's blocks into input to neurons.

Blocks are labelled by the tick at which a device *emits*; the input acts ``hop_ticks`` later, the
sum of the delays of all synapses on the way (see :mod:`cosim_core.model.plan`). Measured with NEST
3.10 and held by tests: a rate or amplitude that is set for time e*dt governs exactly the emission
tick e, first and last tick of a window included.

=========  ==========================================  =========================================
kind       devices                                     delays, in ticks
=========  ==========================================  =========================================
poisson    inhomogeneous_poisson_generator             hop
mip        spike_generator, parrot, bernoulli_synapse  1 to the parrot, hop - 1 to the neurons
sip        spike_generator, parrot; and                1 to the parrot, hop - 1 to the neurons;
           inhomogeneous_poisson_generator             hop
trains     one spike_generator per neuron              hop
current    step_current_generator                      hop
=========  ==========================================  =========================================

One call per window updates all devices of a type, however many regions there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.model.experiment.spiking import DriveKind
from tvb_nest_cosim.cosim_core.model.signals import Array
from tvb_nest_cosim.nest_service.context import Nest, Nodes
from tvb_nest_cosim.nest_service.regions import Region

Times = npt.NDArray[np.float64]
"""Times in ms of all ticks of a window, by tick - 1."""


class _Devices(Protocol):
    """All devices of one type."""

    kinds: ClassVar[frozenset[DriveKind]]

    def __init__(self, nest: Nest, regions: list[Region], dt_ms: float) -> None: ...

    def emit(self, times: Times, arrays: Mapping[str, Array]) -> None:
        """Sets what the devices emit in a window.

        Args:
            times: Times of the window's ticks in ms.
            arrays: Signals ``drive/REGION/...`` of the window.
        """


class Drive:
    """The drive devices of all regions.

    Args:
        nest: The module ``nest``.
        regions: The regions to drive.
        dt_ms: Length of a tick in ms.
    """

    def __init__(self, nest: Nest, regions: Iterable[Region], dt_ms: float) -> None:
        self._dt_ms = dt_ms
        self._devices: list[_Devices] = []
        regions = list(regions)
        types: list[type[_Devices]] = [_Rates, _Mothers, _Trains, _Currents]
        for devices in types:
            driven = [region for region in regions if region.plan.drive.kind in devices.kinds]
            if driven:
                self._devices.append(devices(nest, driven, dt_ms))

    def emit(self, start: int, ticks: int, arrays: Mapping[str, Array]) -> None:
        """Sets what all devices emit in the ``ticks`` ticks after tick ``start``."""
        times = times_ms(np.arange(start + 1, start + ticks + 1), self._dt_ms)
        for devices in self._devices:
            devices.emit(times, arrays)


def times_ms(ticks: npt.NDArray[np.int64], dt_ms: float) -> Times:
    """Converts ticks to times in ms as NEST accepts them: 3 * 0.1 must be 0.3."""
    times: Times = np.round(ticks * dt_ms, 6)
    return times


def _synapse(region: Region, delay_ticks: int, dt_ms: float, **parameters: Any) -> dict[str, Any]:
    return {
        "weight": region.plan.drive.weight,
        "delay": float(np.round(delay_ticks * dt_ms, 6)),
        **parameters,
    }


def _piecewise(what: str, times: Times, values: Iterable[Array]) -> list[dict[str, Any]]:
    """Returns the parameters of generators whose value changes at every tick, one dict each.

    They hold lists, since NEST converts numbers of Python faster than those of NumPy.
    """
    listed = times.tolist()
    return [{f"{what}_times": listed, f"{what}_values": each.tolist()} for each in values]


class _Rates:
    """Independent Poisson spikes: every target gets its own realisation of the rate."""

    kinds: ClassVar[frozenset[DriveKind]] = frozenset({"poisson", "sip"})

    def __init__(self, nest: Nest, regions: list[Region], dt_ms: float) -> None:
        self._names = [f"drive/{region.name}/rate" for region in regions]
        # With its default start of 0 this generator could not emit at tick 1.
        self._generators = nest.Create(
            "inhomogeneous_poisson_generator", len(regions), params={"start": -np.inf}
        )
        for generator, region in zip(self._generators, regions, strict=True):
            synapse = _synapse(region, region.plan.drive.hop_ticks, dt_ms)
            nest.Connect(generator, region.nodes(region.driven), syn_spec=synapse)

    def emit(self, times: Times, arrays: Mapping[str, Array]) -> None:
        self._generators.set(_piecewise("rate", times, [arrays[name] for name in self._names]))


class _Mothers:
    """Shared spikes: copied at random with probability p (``mip``), or all (``sip``)."""

    kinds: ClassVar[frozenset[DriveKind]] = frozenset({"mip", "sip"})

    def __init__(self, nest: Nest, regions: list[Region], dt_ms: float) -> None:
        self._names = [f"drive/{region.name}" for region in regions]
        self._generators = nest.Create("spike_generator", len(regions))
        # A parrot, since devices cannot send through a stochastic synapse: they would draw anew
        # on every thread.
        parrots = nest.Create("parrot_neuron", len(regions))
        to_parrot = {"delay": float(np.round(dt_ms, 6))}
        nest.Connect(self._generators, parrots, "one_to_one", to_parrot)
        for parrot, region in zip(parrots, regions, strict=True):
            drive = region.plan.drive
            synapse = _synapse(region, drive.hop_ticks - 1, dt_ms)
            if drive.kind == "mip":
                synapse |= {"synapse_model": "bernoulli_synapse", "p_transmit": drive.correlation}
            nest.Connect(parrot, region.nodes(region.driven), syn_spec=synapse)

    def emit(self, times: Times, arrays: Mapping[str, Array]) -> None:
        self._generators.set(
            [
                {
                    "spike_times": times[arrays[f"{name}/tick"].astype(np.intp) - 1],
                    "spike_multiplicities": arrays[f"{name}/count"].astype(np.int64),
                }
                for name in self._names
            ]
        )


class _Trains:
    """An explicit train for every driven neuron; the cost grows with their number."""

    kinds: ClassVar[frozenset[DriveKind]] = frozenset({"trains"})

    def __init__(self, nest: Nest, regions: list[Region], dt_ms: float) -> None:
        self._first: dict[str, int] = {}
        total = 0
        for region in regions:
            self._first[region.name] = total
            total += sum(region.sizes[name] for name in region.driven)
        self._generators = nest.Create("spike_generator", total)
        for region in regions:
            self._connect(nest, region, dt_ms)

    def _connect(self, nest: Nest, region: Region, dt_ms: float) -> None:
        first = self._first[region.name]
        for name in region.driven:
            last = first + region.sizes[name]
            nest.Connect(
                self._generators[first:last],
                region.populations[name],
                "one_to_one",
                _synapse(region, region.plan.drive.hop_ticks, dt_ms),
            )
            first = last

    def emit(self, times: Times, arrays: Mapping[str, Array]) -> None:
        neurons = np.concatenate(
            [arrays[f"drive/{name}/neuron"].astype(np.intp) + f for name, f in self._first.items()]
        )
        ticks = np.concatenate(
            [arrays[f"drive/{name}/tick"].astype(np.intp) for name in self._first]
        )
        if neurons.size == 0:
            return
        order = np.lexsort((ticks, neurons))
        active, begin = np.unique(neurons[order], return_index=True)
        trains = np.split(times[ticks[order] - 1], begin[1:])
        # Generators without new spikes keep times that lie in the past, which NEST ignores.
        self._generators[active.tolist()].set([{"spike_times": train} for train in trains])


class _Currents:
    """The same step current into every driven neuron."""

    kinds: ClassVar[frozenset[DriveKind]] = frozenset({"current"})

    def __init__(self, nest: Nest, regions: list[Region], dt_ms: float) -> None:
        self._names = [f"drive/{region.name}/amplitude" for region in regions]
        self._generators: Nodes = nest.Create("step_current_generator", len(regions))
        for generator, region in zip(self._generators, regions, strict=True):
            # The block holds pA already; the weight of the drive is for spikes.
            synapse = _synapse(region, region.plan.drive.hop_ticks, dt_ms, weight=1.0)
            nest.Connect(generator, region.nodes(region.driven), syn_spec=synapse)

    def emit(self, times: Times, arrays: Mapping[str, Array]) -> None:
        self._generators.set(_piecewise("amplitude", times, [arrays[name] for name in self._names]))
