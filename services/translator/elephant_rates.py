"""Example of a user's translator: rates by kernels of elephant, the electrophysiology toolkit.

In an experiment: ``rate: {translator: elephant, translator_parameters: {kernel: AlphaKernel}}``.

It is slow: neo and elephant need milliseconds per region and window where the built-in kernels
need microseconds, and their import takes longer than the start of the whole translator. Use the
built-in kernels in production, and this class as a pattern for translations that need elephant.
"""

from __future__ import annotations

import importlib
import itertools
from typing import Any

import numpy as np

from tvb_nest_cosim.cosim_core.errors import ExperimentError, install_hint
from tvb_nest_cosim.cosim_core.model.arrays import Counts, Reals
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.translator.interfaces import RateContext, Spikes
from tvb_nest_cosim.translator.spikes_to_rates import FiniteKernel

CAUSAL_KERNELS = ("AlphaKernel", "ExponentialKernel")
"""Kernels of elephant that are zero before the spike."""

ENCLOSED = 0.9999
"""Part of a kernel's area that is kept; what is left is scaled to an area of one."""


class ElephantRate:
    """Bins single spikes with elephant and smooths them with one of its causal kernels.

    The kernel is sampled in the middle of each tick and applied to the counts of a sliding buffer
    that reaches back to where the kernel ends, so a rate holds no spike from the future and does
    not depend on the length of windows.

    Args:
        context: The region.
        kernel: Class in ``elephant.kernels``, one of :data:`CAUSAL_KERNELS`.
        sigma_ms: Standard deviation of the kernel.

    Raises:
        ExperimentError: If elephant is not installed or a parameter is out of range.
    """

    def __init__(
        self, context: RateContext, kernel: str = "AlphaKernel", sigma_ms: float = 20.0
    ) -> None:
        path = f"translator of region '{context.region}'"
        if kernel not in CAUSAL_KERNELS:
            raise ExperimentError.single(
                path,
                f"kernel '{kernel}' is unknown or not causal; take {', '.join(CAUSAL_KERNELS)}",
            )
        if not sigma_ms > 0.0:
            raise ExperimentError.single(path, f"sigma_ms must be above 0, got {sigma_ms!r}")
        self._neo: Any = _module("neo", path)
        self._units: Any = _module("quantities", path)
        self._conversion: Any = _module("elephant.conversion", path)
        kernels: Any = _module("elephant.kernels", path)
        self._dt_ms = context.grid.dt_ms
        sizes = list(context.populations.values())
        self._first_neurons = np.array([0, *itertools.accumulate(sizes)])
        self._hz_per_count = 1000.0 / self._dt_ms / np.array(sizes)[:, np.newaxis]
        shape = self._sampled(getattr(kernels, kernel)(sigma=sigma_ms * self._units.ms))
        self._kernel = FiniteKernel(shape, max(sizes))
        self._buffer = self._kernel.initial(len(sizes))

    def _sampled(self, kernel: Any) -> Reals:
        units = self._units
        reach_ms = float(kernel.boundary_enclosing_area_fraction(ENCLOSED).rescale(units.ms))
        middles_ms = (np.arange(int(reach_ms / self._dt_ms) + 1) + 0.5) * self._dt_ms
        return np.array(kernel(middles_ms * units.ms).magnitude, dtype=np.float64)

    def translate(self, window: Window, counts: Counts, spikes: Spikes) -> Reals:
        """Bins the single spikes and smooths them; ``counts`` only says how many populations."""
        units = self._units
        length = window.ticks * self._dt_ms * units.ms
        # A spike of tick s lies in the interval that ends at s; its middle is safe from rounding.
        times_ms = (spikes.tick.astype(np.float64) - 0.5) * self._dt_ms
        population = np.searchsorted(self._first_neurons, spikes.neuron, side="right") - 1
        trains = [
            self._neo.SpikeTrain(times_ms[population == row] * units.ms, t_stop=length)
            for row in range(counts.shape[0])
        ]
        binned = self._conversion.BinnedSpikeTrain(
            trains, bin_size=self._dt_ms * units.ms, n_bins=window.ticks, t_start=0.0 * units.ms
        )
        binned_counts = binned.to_array().astype(np.int64)
        smoothed, self._buffer = self._kernel.smooth(self._buffer, binned_counts)
        return smoothed * self._hz_per_count


def _module(name: str, path: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ExperimentError.single(
            path, f"needs {name}: {install_hint('elephant')} ({error})"
        ) from error
