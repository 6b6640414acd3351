"""Shows the states of a window to TVB's monitors and collects their samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.model.plan import MonitorFacts
from tvb_nest_cosim.cosim_core.model.signals import REAL, Array
from tvb_nest_cosim.tvb_service.monitors import KeyedMonitor


class Sampler:
    """Shows states to the monitors tick by tick, as ``Simulator.__call__`` does.

    Args:
        simulator: The configured simulator.
        built: Its monitors.
        facts: What they deliver, by key.
    """

    def __init__(
        self, simulator: Any, built: list[KeyedMonitor], facts: Mapping[str, MonitorFacts]
    ) -> None:
        self._observe = simulator.model.observe
        self._monitors = built
        self._shapes = {
            key: (len(entry.variables), len(entry.nodes)) for key, entry in facts.items()
        }
        self._modes = simulator.model.number_of_modes

    @property
    def sees_coupling(self) -> bool:
        """Whether a monitor needs the coupling."""
        return any(entry.sees_coupling for entry in self._monitors)

    def sample(
        self, first_tick: int, states: Reals, couplings: list[Reals] | None
    ) -> dict[str, Array]:
        """Collects the samples of a window.

        Args:
            first_tick: Tick of the first state.
            states: float64 [tick, state variable, region, mode].
            couplings: The coupling at each tick, for monitors of the coupling, if there are any.

        Returns:
            ``monitor/KEY/time``, float64 [sample], ms from the start of the run as TVB stamps
            it, and ``monitor/KEY/data``, float64 [sample, variable, node, mode], for every
            monitor; nothing at all if no monitor has a sample.
        """
        times: dict[str, list[float]] = {entry.key: [] for entry in self._monitors}
        data: dict[str, list[Any]] = {entry.key: [] for entry in self._monitors}
        for row, state in enumerate(states):
            observed = self._observe(state)
            for entry in self._monitors:
                seen = couplings[row] if entry.sees_coupling and couplings else observed
                sample = entry.monitor.record(first_tick + row, seen)
                if sample is not None:
                    times[entry.key].append(sample[0])
                    data[entry.key].append(sample[1])
        if not any(times.values()):
            return {}
        arrays: dict[str, Array] = {}
        for key, stamps in times.items():
            arrays[f"monitor/{key}/time"] = np.array(stamps, dtype=REAL)
            arrays[f"monitor/{key}/data"] = self._stacked(key, data[key])
        return arrays

    def _stacked(self, key: str, samples: list[Any]) -> Array:
        if samples:
            return np.array(samples, dtype=REAL)
        return np.empty((0, *self._shapes[key], self._modes), dtype=REAL)
