"""Noise of the external input: the law of TVB's ``ou_drift``, the same for any window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.special import ndtri
from window_partitions import partitions

from tvb_nest_cosim.cosim_core.model.experiment.adex import DriveNoise
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.translator.input_rate import AHEAD_TICKS, OrnsteinUhlenbeck
from tvb_nest_cosim.translator.random_numbers import CounterStream

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
        before, unchanged = state, state.copy()
        piece, state = again.advance(before, window)
        assert np.array_equal(before, unchanged)
        pieces.append(piece)
    assert np.array_equal(np.concatenate(pieces, axis=1), whole)
    assert np.array_equal(state, last)


@pytest.mark.parametrize("length", [1, 20, AHEAD_TICKS + 3])
def test_noise_made_ahead_is_that_of_one_integration(length: int) -> None:
    ticks = 3 * AHEAD_TICKS
    noise, whole = make_noise(), make_noise()
    expected, _ = whole.advance(whole.initial(), Window(0, 0, ticks))
    windows = [Window(k, a, min(a + length, ticks)) for k, a in enumerate(range(0, ticks, length))]
    pieces = [noise.following(window) for window in windows]
    assert [piece.shape[1] for piece in pieces] == [window.ticks for window in windows]
    assert np.concatenate(pieces, axis=1).tobytes() == expected.tobytes()


class _Normals(np.random.RandomState):
    """Stands in for TVB's random stream: hands out given numbers one by one."""

    def __init__(self, normals: np.ndarray) -> None:
        super().__init__()
        self._normals = iter(normals)

    def normal(self, size: tuple[int, ...]) -> np.ndarray:
        return np.full(size, next(self._normals))


def test_path_is_that_of_tvbs_own_integrator() -> None:
    """The same normal numbers through tvb-library's HeunStochastic with Additive noise."""
    reason = "tvb-library is not installed: in a clone of tvb-nest-cosim, pip install '.[tvb]'"
    integrators = pytest.importorskip("tvb.simulator.integrators", reason=reason)
    tvb_noise = pytest.importorskip("tvb.simulator.noise", reason=reason)
    dt_ms, window = 0.1, Window(0, 0, TICKS)
    path, _ = make_noise(dt_ms).advance(np.zeros(2), window)
    for row, (name, noise) in enumerate(zip(("r0", "r1"), NOISES, strict=True)):
        additive = tvb_noise.Additive(nsig=np.array([noise.nsig]))
        heun = integrators.HeunStochastic(dt=dt_ms, noise=additive)
        additive.configure_white(dt_ms)
        normals = ndtri(CounterStream(3, name, "noise").uniforms(window)[:, 0])
        additive.random_stream = _Normals(normals)
        x, expected = np.zeros((1, 1, 1)), []
        for _ in range(TICKS):
            x = heun.scheme(x, lambda x, *_, tau=noise.tau_ms: -x / tau, 0.0, 0.0, 0.0)
            expected.append(noise.weight_hz * x.item())
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
