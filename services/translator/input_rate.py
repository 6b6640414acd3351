"""Total input rate of a region's neurons: TVB's coupling, external input, and noise on it.

The noise is the Ornstein-Uhlenbeck process that TVB's regions have as ``ou_drift``, the last state
variable of tvb-library's Zerlaut models under ``Additive`` noise: dx = -x / tau dt + sqrt(2 nsig)
dW with x = 0 at t = 0. TVB integrates it by the scheme of ``HeunStochastic``; for this linear
equation, with h = dt / tau and noise n of the step,

    predictor  y = x - h x + n
    step       x' = x - h (x + y) / 2 + n = (1 - h + h^2 / 2) x + (1 - h / 2) n

The same scheme is used here, so the noise of both sides has the same law.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from tvb_nest_cosim.cosim_core.errors import SimulationError
from tvb_nest_cosim.cosim_core.model.arrays import Array, Reals
from tvb_nest_cosim.cosim_core.model.experiment.adex import DriveNoise
from tvb_nest_cosim.cosim_core.model.plan import RegionPlan, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import TVB_TO_TRANSLATOR
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.translator.compiled import kernels
from tvb_nest_cosim.translator.random_numbers import CounterStream, uniforms_of

AHEAD_TICKS = 512
"""Ticks of noise made at once: for one short window, the calls cost more than the numbers."""


class OrnsteinUhlenbeck:
    """Noise of several regions, each with its own realisation.

    Args:
        noises: One declaration per region.
        streams: One stream per region.
        dt_ms: Length of a tick.
    """

    def __init__(
        self, noises: Sequence[DriveNoise], streams: Sequence[CounterStream], dt_ms: float
    ) -> None:
        h = np.array([dt_ms / noise.tau_ms for noise in noises])
        nsig = np.array([noise.nsig for noise in noises])
        kick = (1.0 - 0.5 * h) * np.sqrt(2.0 * nsig) * np.sqrt(dt_ms)
        self._keep = 1.0 - h + 0.5 * h * h
        self._kick = kick[:, np.newaxis]
        self._weight_hz = np.array([[noise.weight_hz] for noise in noises]).reshape(-1, 1)
        self._streams = tuple(streams)
        self._state = self.initial()
        self._ahead = np.empty((len(streams), 0))

    def initial(self) -> Reals:
        """Returns the state at tick 0, float64 [region]."""
        return np.zeros(len(self._streams))

    def advance(self, state: Reals, window: Window) -> tuple[Reals, Reals]:
        """Integrates through a window.

        Args:
            state: State at the last tick before the window, float64 [region].
            window: The ticks.

        Returns:
            Input rate by noise in Hz, float64 [region, tick], and the state at the last tick.
        """
        normals = ndtri(uniforms_of(np.stack([stream.words(window) for stream in self._streams])))
        path, last = self._kick * normals, state.copy()
        kernels.leaky_sum(self._keep, path, last)
        return self._weight_hz * path, last

    def following(self, window: Window) -> Reals:
        """Returns the input rate by noise in Hz, float64 [region, tick]; windows come in order."""
        if not self._streams:
            return self._ahead
        if self._ahead.shape[1] < window.ticks:
            start = window.start + self._ahead.shape[1]
            more = Window(window.index, start, max(window.stop, start + AHEAD_TICKS))
            noise_hz, self._state = self.advance(self._state, more)
            self._ahead = np.concatenate((self._ahead, noise_hz), axis=1)
        noise_hz, self._ahead = self._ahead[:, : window.ticks], self._ahead[:, window.ticks :]
        return noise_hz


class InputRate:
    """Total input rate of a driven neuron, by region. Windows come in order, each once.

    Args:
        plan: The plan of the run.
        regions: The regions, in the order of the rows of all arrays.
    """

    def __init__(self, plan: RunPlan, regions: Sequence[RegionPlan]) -> None:
        self._names = [region.name for region in regions]
        self._external_hz = np.array([region.drive.external_hz for region in regions], np.float64)
        self._least_hz = np.array([region.drive.least_hz for region in regions], np.float64)
        self._synapses = np.array([region.drive.synapses for region in regions], np.float64)
        noises = {
            row: region.drive.noise
            for row, region in enumerate(regions)
            if region.drive.noise is not None and region.drive.noise.weight_hz > 0.0
        }
        seed, dt_ms = plan.experiment.seed, plan.experiment.dt_ms
        streams = [CounterStream(seed, self._names[row], "noise") for row in noises]
        self._noisy = np.array(list(noises), dtype=np.int64)
        self._noise = OrnsteinUhlenbeck(list(noises.values()), streams, dt_ms)

    def of(self, window: Window, coupling: Sequence[Array]) -> Reals:
        """Computes synapses * max(least, coupling + external + noise).

        Args:
            window: The ticks at which devices emit.
            coupling: One float64 [tick] per region, Hz.

        Returns:
            float64 [region, tick], Hz.

        Raises:
            SimulationError: If a coupling is not finite.
        """
        # For equal lengths this gives what np.stack gives, in half the time.
        input_hz = np.concatenate(coupling, dtype=np.float64).reshape(len(coupling), window.ticks)
        noise_hz = self._noise.following(window)
        if not kernels.total_input(
            input_hz, self._external_hz, noise_hz, self._noisy, self._least_hz, self._synapses
        ):
            row, tick = (int(i) for i in np.argwhere(~np.isfinite(coupling))[0])
            raise SimulationError(
                f"edge {TVB_TO_TRANSLATOR}, window {window.index}: coupling/{self._names[row]} is "
                f"{coupling[row][tick]} for the device tick {window.start + 1 + tick}; TVB's model "
                "has probably left the range in which it is stable"
            )
        return input_hz
