"""The interface of a user's own translator: its arguments and the result that it must return.

A translator is a class, named in the experiment as ``module:Class`` (modules beside the
experiment file are found) or as an entry point of the group ``translators``. One
object is made per region, as ``Class(context, **translator_parameters)``, just before the run
starts; ``translate`` is called once per window, in order. Every result is checked.

For results that do not depend on the length of windows, a translator must treat tick after tick
the same way wherever a window ends, and take its random numbers from ``context.uniforms``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.model.arrays import Array, Counts, Reals
from tvb_nest_cosim.cosim_core.model.plan import DrivePlan
from tvb_nest_cosim.cosim_core.model.timegrid import TimeGrid, Window

ENTRY_POINTS = "tvb_nest_cosim.translators"
"""Group of entry points under which packages offer translators."""


@dataclass(frozen=True)
class Spikes:
    """The spikes of one region in one window, by tick and then by neuron.

    Attributes:
        neuron: Index within the region, over its populations in order; uint32 [spike].
        tick: Tick within the window, 1 ... W; uint16 [spike].
    """

    neuron: npt.NDArray[np.uint32]
    tick: npt.NDArray[np.uint16]


@dataclass(frozen=True)
class RateContext:
    """Facts about the region of a translator from spikes to rates.

    Attributes:
        region: Name.
        populations: Number of neurons by population, in the order of neuron indices.
        grid: The run's ticks and windows.
        uniforms: Random numbers by tick: ``uniforms(window, per_tick)`` gives float64
            [tick, per_tick] in (0, 1), the same for a tick whatever the window; ``per_tick``
            must not change between calls.
    """

    region: str
    populations: Mapping[str, int]
    grid: TimeGrid
    uniforms: Callable[[Window, int], Reals]


@dataclass(frozen=True)
class DriveContext(RateContext):
    """Facts about the region of a translator from rates to drive.

    Attributes:
        drive: Kind of drive and its parameters.
        driven_neurons: Number of neurons that get the drive.
    """

    drive: DrivePlan
    driven_neurons: int


class SpikesToRate(Protocol):
    """A user's translator from spikes to rates."""

    def translate(self, window: Window, counts: Counts, spikes: Spikes) -> Reals:
        """Translates one window.

        Args:
            window: The ticks of the spikes.
            counts: Spikes per population and tick, uint32 [population, tick].
            spikes: The same spikes one by one.

        Returns:
            Mean rate per neuron in Hz, float64 [population, tick], not negative.
        """


class RateToDrive(Protocol):
    """A user's translator from rates to drive."""

    def translate(self, window: Window, input_hz: Reals) -> Mapping[str, Array]:
        """Translates one window.

        Args:
            window: The ticks at which the devices emit.
            input_hz: Total input rate of a driven neuron, float64 [tick], not negative.

        Returns:
            The signals of the region's drive kind, as listed in ``cosim_core.model.signals``,
            without the prefix ``drive/REGION/``.
        """
