"""Ornstein-Uhlenbeck noise on the external input, as TVB's regions have it in ``ou_drift``.

The equation is dx = -x / tau dt + sqrt(2 nsig) dW with x = 0 at t = 0: the last state variable of
tvb-library's Zerlaut models under ``Additive`` noise. TVB integrates it by the scheme of
``HeunStochastic``; for this linear equation, with h = dt / tau and noise n of the step,

    predictor  y = x - h x + n
    step       x' = x - h (x + y) / 2 + n = (1 - h + h^2 / 2) x + (1 - h / 2) n

which is used here as it stands, so the noise of both sides has the same law.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from tvb_nest_cosim.cosim_core.model.experiment.adex import DriveNoise
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.translator.random_numbers import CounterStream, uniforms_of
from tvb_nest_cosim.translator.recursion import leaky_sum

Reals = npt.NDArray[np.float64]

_AHEAD_TICKS = 512


class OrnsteinUhlenbeck:
    """Noise of several regions, each its own realisation.

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
        self._weight_hz = np.array([[noise.weight_hz] for noise in noises])
        self._streams = tuple(streams)

    def initial(self) -> Reals:
        """Returns the state at tick 0, float64 [region]."""
        return np.zeros(len(self._streams))

    def advance(self, state: Reals, window: Window) -> tuple[Reals, Reals]:
        """Integrates through a window.

        Args:
            state: State at the last tick before the window, float64 [region].
            window: Which ticks.

        Returns:
            Input rate by noise in Hz, float64 [region, tick], and the state at the last tick.
        """
        normals = ndtri(uniforms_of(np.stack([stream.words(window) for stream in self._streams])))
        path, state = leaky_sum(self._keep, self._kick * normals, state)
        return self._weight_hz * path, state


class NoiseInOrder:
    """The noise of one window after the other, made for several at once.

    Windows are so short that the overhead of making noise is most of its cost.

    Args:
        noise: The noise.
    """

    def __init__(self, noise: OrnsteinUhlenbeck) -> None:
        self._noise = noise
        self._state = noise.initial()
        self._made = np.empty((self._state.size, 0))

    def of(self, window: Window) -> Reals:
        """Returns the input rate by noise in Hz, float64 [region, tick], of the next window."""
        if self._made.shape[1] < window.ticks:
            start = window.start + self._made.shape[1]
            ahead = Window(window.index, start, max(window.stop, start + _AHEAD_TICKS))
            fresh, self._state = self._noise.advance(self._state, ahead)
            self._made = np.concatenate((self._made, fresh), axis=1)
        hz, self._made = self._made[:, : window.ticks], self._made[:, window.ticks :]
        return hz
