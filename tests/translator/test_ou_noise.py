"""Noise of the external input: the law of TVB's ``ou_drift``, the same for any window."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from window_partitions import partitions
from scipy.special import ndtri

from cosim_core.experiment.adex import DriveNoise
from cosim_core.timegrid import Window
from translator.counters import CounterStream
from translator.noise import OrnsteinUhlenbeck

TICKS = 300
NOISES = [DriveNoise(tau_ms=20.0, weight_hz=2.0, nsig=0.5), DriveNoise(tau_ms=5.0, weight_hz=1.0)]


def make_noise(dt_ms: float = 0.1, seed: int = 3) -> OrnsteinUhlenbeck:
    streams = [CounterStream(seed, name, "noise") for name in ("r0", "r1")]
    return OrnsteinUhlenbeck(NOISES, streams, dt_ms)


@given(windows=partitions(TICKS))
@settings(max_examples=20, deadline=None)
def test_noise_does_not_depend_on_windows(windows: list[Window]) -> None:
    noise = make_noise()
    whole, last = noise.advance(noise.initial(), Window(0, 0, TICKS))
    again, state, pieces = make_noise(), noise.initial(), []
    for window in windows:
        piece, state = again.advance(state, window)
        pieces.append(piece)
    assert np.array_equal(np.concatenate(pieces, axis=1), whole)
    assert np.array_equal(state, last)


def test_steps_are_those_of_tvbs_stochastic_heun() -> None:
    """Repeats HeunStochastic.scheme of tvb-library 2.10 with Additive noise, step by step."""
    dt_ms = 0.1
    path, _ = make_noise(dt_ms).advance(np.zeros(2), Window(0, 0, TICKS))
    for row, (name, noise) in enumerate(zip(("r0", "r1"), NOISES, strict=True)):
        normals = ndtri(CounterStream(3, name, "noise").uniforms(Window(0, 0, TICKS))[:, 0])
        x, expected = 0.0, []
        for normal in normals:
            kick = np.sqrt(2.0 * noise.nsig) * np.sqrt(dt_ms) * normal
            slope = -x / noise.tau_ms
            predictor = x + dt_ms * slope + kick
            x = x + dt_ms * (slope - predictor / noise.tau_ms) / 2.0 + kick
            expected.append(noise.weight_hz * x)
        assert np.allclose(path[row], expected, rtol=1e-11, atol=1e-12)


def test_stationary_variance_and_correlation_time() -> None:
    """Variance nsig * tau; correlation exp(-lag / tau); both within five standard errors."""
    dt_ms, ticks = 0.5, 400_000
    path, _ = make_noise(dt_ms).advance(np.zeros(2), Window(0, 0, ticks))
    for row, noise in enumerate(NOISES):
        x = path[row, 2000:] / noise.weight_hz
        independent = x.size * dt_ms / (2.0 * noise.tau_ms)
        assert abs(x.var() / (noise.nsig * noise.tau_ms) - 1.0) < 5.0 * np.sqrt(2.0 / independent)
        lag = round(noise.tau_ms / dt_ms)
        correlation = np.mean(x[:-lag] * x[lag:]) / x.var()
        assert abs(correlation - np.exp(-1.0)) < 5.0 * np.sqrt(1.0 / independent)


def test_regions_have_their_own_noise() -> None:
    path, _ = make_noise(0.5).advance(np.zeros(2), Window(0, 0, 100_000))
    assert abs(np.corrcoef(path)[0, 1]) < 0.1
    other, _ = make_noise(0.5, seed=4).advance(np.zeros(2), Window(0, 0, 100_000))
    assert abs(np.corrcoef(path[0], other[0])[0, 1]) < 0.1
