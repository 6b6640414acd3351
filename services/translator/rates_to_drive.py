"""From the input rate of a region's neurons to what its devices emit, by kind of drive.

The input rate r[s] of one driven neuron is spread over neurons in five ways. ``poisson``: NEST
makes independent trains of rate r. ``mip`` (multiple interaction process, Kuhn et al. 2003, Neural
Comput 15, 67-101): a mother train of rate r / p, each spike of which reaches each neuron with
probability p. ``sip`` (single interaction process): a shared train of rate p r and own trains of
rate (1 - p) r. ``trains``: independent trains of rate r, made here. ``current``: a current in
proportion to r.

All regions of a kind are translated at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.model.experiment.spiking import DriveKind
from tvb_nest_cosim.cosim_core.model.plan import DrivePlan
from tvb_nest_cosim.cosim_core.model.signals import COUNT, NEURON, TICK, Array
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.translator.poisson import poisson_counts
from tvb_nest_cosim.translator.random_numbers import CounterStream, uniforms_of

Reals = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_UNIFORMS_AT_ONCE = 1 << 18
"""Bound on the random numbers of explicit trains that are in memory at the same time."""


@dataclass(frozen=True)
class DrivenRegion:
    """A region as its drive is made.

    Attributes:
        name: Region name.
        plan: Its drive.
        neurons: Number of driven neurons.
        stream: Its random numbers.
    """

    name: str
    plan: DrivePlan
    neurons: int
    stream: CounterStream


class DriveTranslation(Protocol):
    """One kind of drive for several regions."""

    def translate(self, window: Window, input_hz: Reals) -> dict[str, Array]:
        """Translates one window.

        Args:
            window: The ticks at which devices emit.
            input_hz: Total input rate of a driven neuron, float64 [region, tick].

        Returns:
            The signals ``drive/REGION/...`` of all regions.
        """


class IndependentTrains:
    """Kind ``poisson``: only the rate is needed, NEST draws the trains."""

    def __init__(self, regions: Sequence[DrivenRegion], dt_ms: float) -> None:
        self._names = [f"drive/{region.name}/rate" for region in regions]

    def translate(self, window: Window, input_hz: Reals) -> dict[str, Array]:
        """See :meth:`DriveTranslation.translate`."""
        return dict(zip(self._names, input_hz, strict=True))


class StepCurrent:
    """Kind ``current``."""

    def __init__(self, regions: Sequence[DrivenRegion], dt_ms: float) -> None:
        self._names = [f"drive/{region.name}/amplitude" for region in regions]
        self._scale = np.array([[region.plan.current_pA_per_hz] for region in regions])

    def translate(self, window: Window, input_hz: Reals) -> dict[str, Array]:
        """See :meth:`DriveTranslation.translate`."""
        return dict(zip(self._names, self._scale * input_hz, strict=True))


class CommonTrain:
    """One train per region that several neurons share, as counts per tick.

    Args:
        regions: The regions.
        mean_per_hz: Mean count per tick and Hz of input rate, float64 [region].
    """

    def __init__(self, regions: Sequence[DrivenRegion], mean_per_hz: Reals) -> None:
        self._regions = tuple(regions)
        self._mean_per_hz = mean_per_hz[:, np.newaxis]

    def translate(self, window: Window, input_hz: Reals) -> dict[str, Array]:
        """See :meth:`DriveTranslation.translate`."""
        words = np.stack([region.stream.words(window) for region in self._regions])
        counts = poisson_counts(uniforms_of(words), self._mean_per_hz * input_hz)
        rows, columns = np.nonzero(counts)
        ticks = (columns + 1).astype(TICK)
        nonzero = counts[rows, columns].astype(COUNT)
        ends = np.searchsorted(rows, np.arange(len(self._regions) + 1))
        arrays: dict[str, Array] = {}
        for row, region in enumerate(self._regions):
            part = slice(ends[row], ends[row + 1])
            arrays[f"drive/{region.name}/tick"] = ticks[part]
            arrays[f"drive/{region.name}/count"] = nonzero[part]
        return arrays


class MultipleInteraction(CommonTrain):
    """Kind ``mip``: the mother train."""

    def __init__(self, regions: Sequence[DrivenRegion], dt_ms: float) -> None:
        correlation = np.array([region.plan.correlation for region in regions])
        super().__init__(regions, dt_ms / 1000.0 / correlation)


class SingleInteraction(CommonTrain):
    """Kind ``sip``: the shared train and the rate of the own trains."""

    def __init__(self, regions: Sequence[DrivenRegion], dt_ms: float) -> None:
        correlation = np.array([region.plan.correlation for region in regions])
        super().__init__(regions, dt_ms / 1000.0 * correlation)
        self._names = [f"drive/{region.name}/rate" for region in regions]
        self._own = 1.0 - correlation[:, np.newaxis]

    def translate(self, window: Window, input_hz: Reals) -> dict[str, Array]:
        """See :meth:`DriveTranslation.translate`."""
        arrays = super().translate(window, input_hz)
        arrays.update(zip(self._names, self._own * input_hz, strict=True))
        return arrays


class ExplicitTrains:
    """Kind ``trains``: a train for every driven neuron; cost grows with their number."""

    def __init__(self, regions: Sequence[DrivenRegion], dt_ms: float) -> None:
        self._regions = tuple(regions)
        self._dt_s = dt_ms / 1000.0

    def translate(self, window: Window, input_hz: Reals) -> dict[str, Array]:
        """See :meth:`DriveTranslation.translate`; spikes are listed by tick, then by neuron."""
        arrays: dict[str, Array] = {}
        for region, means in zip(self._regions, input_hz * self._dt_s, strict=True):
            step = max(1, _UNIFORMS_AT_ONCE // max(1, region.neurons))
            parts = [
                self._spikes(region, window, means, first, min(first + step, window.ticks))
                for first in range(0, window.ticks, step)
            ]
            arrays[f"drive/{region.name}/neuron"] = np.concatenate([part[0] for part in parts])
            arrays[f"drive/{region.name}/tick"] = np.concatenate([part[1] for part in parts])
        return arrays

    @staticmethod
    def _spikes(
        region: DrivenRegion, window: Window, means: Reals, first: int, last: int
    ) -> tuple[Array, Array]:
        part = Window(window.index, window.start + first, window.start + last)
        uniforms = region.stream.uniforms(part, region.neurons)
        counts = poisson_counts(uniforms, means[first:last, np.newaxis])
        ticks, neurons = np.nonzero(counts)
        repeats = counts[ticks, neurons]
        return (
            np.repeat(neurons, repeats).astype(NEURON),
            np.repeat(ticks + first + 1, repeats).astype(TICK),
        )


BUILT_IN: dict[
    DriveKind,
    type[
        IndependentTrains | MultipleInteraction | SingleInteraction | ExplicitTrains | StepCurrent
    ],
] = {
    "poisson": IndependentTrains,
    "mip": MultipleInteraction,
    "sip": SingleInteraction,
    "trains": ExplicitTrains,
    "current": StepCurrent,
}
"""The built-in translation of every kind of drive."""
