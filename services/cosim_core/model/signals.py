"""Data that crosses a boundary: blocks, and the specification of what a block must hold.

A *block* is the frozen data of one *edge* (a directed stream between two participants) for one
window, sent by one rank. It holds named arrays, the *signals*, e.g. ``coupling/rHC``.

======================  ==========  ===================  =====  ====================================
signal                  dtype       shape                unit   meaning
======================  ==========  ===================  =====  ====================================
``coupling/REGION``     float64     [tick]               Hz     TVB's delayed input to the region,
                                                                before synapses and external drive
``rates/REGION``        float64     [channel, tick]      Hz     mean rate of each fed population
``counts/REGION``       uint32      [population, tick]   1      spikes per population and tick
``spikes/REGION/...``   see below                               single spikes
``drive/REGION/...``    see below                               what the devices of the region emit
======================  ==========  ===================  =====  ====================================

Single spikes are two arrays of equal length: ``neuron`` (uint32, index within the region, over
its populations in order) and ``tick`` (uint16, 1 ... W, tick within the window).

Drive, by kind (ticks are those at which the device emits, see :mod:`cosim_core.model.plan`):
``poisson``: ``rate`` (float64 [tick], Hz per neuron). ``mip``: ``tick``, ``count`` (mother
spikes). ``sip``: ``tick``, ``count`` (shared spikes) and ``rate`` (float64 [tick], Hz, own part).
``trains``: ``neuron`` (uint32, index among the driven neurons, their populations in the region's
order), ``tick``. ``current``: ``amplitude`` (float64 [tick], pA). ``tick`` is uint16, ``count``
uint32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

# "as Array": modules that still import the type from here may do so under strict typing.
from tvb_nest_cosim.cosim_core.model.arrays import Array as Array
from tvb_nest_cosim.cosim_core.model.timegrid import Window

TICK = np.dtype("<u2")
"""Tick within a window, 1 ... W."""

NEURON = np.dtype("<u4")
"""Index of a neuron within its region."""

COUNT = np.dtype("<u4")
"""Number of spikes."""

REAL = np.dtype("<f8")
"""Rates, couplings and currents."""

MAX_WINDOW_TICKS = int(np.iinfo(TICK).max)
"""Longest window that ``tick`` can address."""

TVB_TO_TRANSLATOR = "tvb>translator"
TRANSLATOR_TO_NEST = "translator>nest"
NEST_TO_TRANSLATOR = "nest>translator"
TRANSLATOR_TO_TVB = "translator>tvb"
EDGES = (TVB_TO_TRANSLATOR, TRANSLATOR_TO_NEST, NEST_TO_TRANSLATOR, TRANSLATOR_TO_TVB)


KeepSignals = Callable[[Window, Mapping[str, Array]], None]
"""Keeps private signals of a window (monitors, spikes, multimeters) in a journal."""


def receiver_of(edge: str) -> str:
    """Returns the participant that an edge leads to."""
    return edge.split(">")[1]


def sender_of(edge: str) -> str:
    """Returns the participant that an edge starts from."""
    return edge.split(">")[0]


@dataclass(frozen=True)
class Block:
    """Frozen data of one edge for one window from one rank.

    Attributes:
        edge: Name of the edge, one of :data:`EDGES` or a private recording edge.
        window: Index of the window that the data cover.
        rank: MPI rank of the sender, 0 for a sender with one process.
        arrays: Signals by name. They are made read-only.
    """

    edge: str
    window: int
    rank: int
    arrays: Mapping[str, Array]

    def __post_init__(self) -> None:
        for array in self.arrays.values():
            array.flags.writeable = False
        object.__setattr__(self, "arrays", MappingProxyType(dict(self.arrays)))


def group_signals(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """Selects the signals under ``prefix/`` and strips that part of their names."""
    start = f"{prefix}/"
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}
