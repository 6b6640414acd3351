"""Two translators of a user: spikes to rates by an alpha function, rates to drive with depression.

Both carry their state from tick to tick, so the results do not depend on the length of windows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.translator.interfaces import DriveContext, RateContext, Spikes

Reals = npt.NDArray[np.float64]


class AlphaRate:
    """Rate of every population, seen through an alpha function t / tau^2 exp(-t / tau).

    Args:
        context: The region.
        tau_ms: Time of the function's peak.
    """

    def __init__(self, context: RateContext, tau_ms: float = 10.0) -> None:
        dt_ms = context.grid.dt_ms
        sizes = np.array(list(context.populations.values()), dtype=np.float64)
        self._keep = float(np.exp(-dt_ms / tau_ms))
        self._hz_per_spike = 1000.0 / (dt_ms * sizes)
        self._rise = np.zeros(len(sizes))
        self._rate = np.zeros(len(sizes))

    def translate(self, window: Window, counts: npt.NDArray[np.uint32], spikes: Spikes) -> Reals:
        """Returns rates in Hz, float64 [population, tick]."""
        rates = np.empty(counts.shape)
        for tick in range(counts.shape[1]):
            # two exponential filters of unit area, one after the other, make the alpha function
            raw = counts[:, tick] * self._hz_per_spike
            self._rise = self._keep * self._rise + (1.0 - self._keep) * raw
            self._rate = self._keep * self._rate + (1.0 - self._keep) * self._rise
            rates[:, tick] = self._rate
        return rates


class DepressingDrive:
    """Poisson drive through synapses with short-term depression (Tsodyks and Markram 1997).

    Args:
        context: The region.
        release: Share of a synapse's resources that one spike uses, in (0, 1].
        recovery_ms: Time constant with which resources recover.
    """

    def __init__(
        self, context: DriveContext, release: float = 0.5, recovery_ms: float = 100.0
    ) -> None:
        self._dt_s = context.grid.dt_ms / 1000.0
        self._recovery_s = recovery_ms / 1000.0
        self._release = release
        self._synapses = context.drive.synapses
        self._resources = 1.0

    def translate(self, window: Window, input_hz: Reals) -> dict[str, Reals]:
        """Returns the rate of a driven neuron's input that gets through, float64 [tick]."""
        passed = np.empty_like(input_hz)
        for tick, total_hz in enumerate(input_hz):
            passed[tick] = self._resources * total_hz
            used = self._release * self._resources * total_hz / self._synapses
            recovered = (1.0 - self._resources) / self._recovery_s
            self._resources += self._dt_s * (recovered - used)
        return {"rate": passed}
