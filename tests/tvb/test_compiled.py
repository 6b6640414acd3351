"""The compiled engine against tvb-library itself: no bit differs, in long runs and large brains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special
from tvb.datatypes.connectivity import Connectivity

from tvb_brains import KINDS, build, connectivity_of, synthetic
from tvb_nest_cosim.cosim_core.numba_cache import load_kernels
from tvb_nest_cosim.tvb_service.compiled import eligible
from tvb_nest_cosim.tvb_service.compiled.stepper import KERNELS, CompiledStepper
from tvb_nest_cosim.tvb_service.stepper import LoopStepper, Stepper

SCHEMES = ("HeunDeterministic", "HeunStochastic", "EulerDeterministic", "EulerStochastic")
NOBODY = np.array([], dtype=np.intp)


def reference(simulator: Any, ticks: int) -> np.ndarray:
    """States of tvb-library's own run."""
    with np.errstate(all="ignore"):
        ((_, states),) = simulator.run(n_steps=ticks)
    found: np.ndarray = states
    return found


def in_windows(stepper: Stepper, ticks: int, window: int) -> np.ndarray:
    parts = [stepper.advance(min(window, ticks - at)) for at in range(0, ticks, window)]
    return np.concatenate(parts)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", KINDS)
def test_a_long_run_has_the_bits_of_tvb_library(name: str, scheme: str) -> None:
    ticks = KINDS[name].ticks
    expected = reference(build(name, scheme), ticks)
    simulator = build(name, scheme)
    assert eligible.why_not(simulator) is None
    got = in_windows(CompiledStepper(simulator, NOBODY, ticks), ticks, 37)
    assert np.array_equal(got, expected)
    assert np.isfinite(expected).all()
    assert np.ptp(expected[-1], axis=1).max() > 0
    assert not np.array_equal(expected[-1], expected[-2])
    assert simulator.current_step == ticks
    assert np.array_equal(simulator.current_state, expected[-1])


@pytest.mark.parametrize("scheme", ["HeunStochastic", "EulerStochastic"])
def test_both_bounds_hold_where_noise_would_break_them(scheme: str) -> None:
    name, ticks = "ReducedWongWang", 200
    simulators = build(name, scheme), build(name, scheme)
    for simulator in simulators:
        simulator.integrator.noise.nsig = np.array([0.1])
    expected = reference(simulators[0], ticks)
    assert expected.min() == 0.0
    assert expected.max() == 1.0
    got = CompiledStepper(simulators[1], NOBODY, ticks).advance(ticks)
    assert np.array_equal(got, expected)


@pytest.mark.parametrize(
    ("name", "source", "ticks"),
    [
        ("ZerlautAdaptationFirstOrder", "connectivity_192", 200),
        ("ZerlautAdaptationSecondOrder", "connectivity_192", 30),
        ("ReducedWongWang", "1000", 60),
        ("ZerlautAdaptationFirstOrder", "1000", 30),
    ],
)
def test_large_brains_have_the_bits_of_tvb_library(name: str, source: str, ticks: int) -> None:
    def brain() -> Connectivity:
        return synthetic(1000, 0.3) if source == "1000" else connectivity_of(source)

    expected = reference(build(name, "HeunStochastic", brain()), ticks)
    simulator = build(name, "HeunStochastic", brain())
    got = in_windows(CompiledStepper(simulator, NOBODY, ticks), ticks, 13)
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("degree", [0.02, 0.13, 0.2, 0.5, 1.0])
def test_sums_of_any_length_have_numpys_order(degree: float) -> None:
    name = "ReducedWongWang"
    simulator = build(name, "EulerDeterministic", synthetic(1100, degree))
    buffer = simulator.history.buffer
    buffer[:] = np.random.default_rng(4).normal(0, 1, buffer.shape)
    everywhere, ticks = np.arange(1100), [1, 2, 50]
    expected = LoopStepper(simulator, NOBODY, 1).coupling_into(everywhere, ticks)
    got = CompiledStepper(simulator, NOBODY, 1).coupling_into(everywhere, ticks)
    assert np.array_equal(got, expected)
    assert (got[:, 0, 3] == 0).all()


@pytest.mark.parametrize("name", KINDS)
def test_proxies_fed_at_random_leave_the_bits_of_the_plain_loop(name: str) -> None:
    proxies, window = np.array([20, 4, 42]), 5
    ticks = 15 if "Second" in name else 60
    generator = np.random.default_rng(8)
    fed = generator.uniform(0, KINDS[name].high[0], (ticks, 1, len(proxies)))
    results = []
    for kind in (LoopStepper, CompiledStepper):
        stepper = kind(build(name, "HeunStochastic"), proxies, ticks)
        states, incoming = [], []
        for at in range(0, ticks, window):
            incoming.append(stepper.coupling_into(proxies, range(at + 1, at + window + 1)))
            with np.errstate(all="ignore"):
                states.append(stepper.advance(window))
            stepper.feed(at + 1, fed[at : at + window])
        results.append((np.concatenate(states), np.concatenate(incoming)))
    (plain, plain_in), (compiled, compiled_in) = results
    assert np.array_equal(compiled, plain)
    assert np.array_equal(compiled_in, plain_in)
    # and what is fed does matter
    assert np.ptp(compiled_in[window:]) > 0


def test_parameters_may_differ_by_region() -> None:
    name, ticks = "ZerlautAdaptationFirstOrder", 50
    b_e = np.linspace(0.0, 60.0, 76)
    expected = reference(build(name, "HeunDeterministic", b_e=b_e), ticks)
    simulator = build(name, "HeunDeterministic", b_e=b_e)
    assert np.array_equal(CompiledStepper(simulator, NOBODY, ticks).advance(ticks), expected)


def test_erfc_has_scipys_bits() -> None:
    load_kernels(KERNELS)
    from numba import njit

    from tvb_nest_cosim.tvb_service.compiled.erfc import erfc

    @njit
    def everywhere(points: Any, results: Any) -> None:
        for index in range(len(points)):
            results[index] = erfc(points[index])

    generator = np.random.default_rng(1)
    edges = np.array([0.0, 1.0, 8.0, 26.0, 26.543, 26.615717509251260, 26.6287357137514875])
    points = np.concatenate(
        [
            *(generator.normal(0, width, 500_000) for width in (0.1, 1.0, 3.0, 10.0)),
            generator.uniform(-30, 30, 1_000_000),
            generator.uniform(26.5, 26.7, 100_000),
            *(np.nextafter(edges, toward) for toward in (-np.inf, np.inf)),
            *(sign * edges for sign in (-1, 1)),
            [np.inf, -np.inf, np.nan, 1e-300, 5e-324, -5e-324, 1e300],
        ]
    )
    results = np.empty_like(points)
    everywhere(points, results)
    assert results.tobytes() == special.erfc(points).tobytes()


def test_every_model_that_is_said_to_be_compiled_is() -> None:
    load_kernels(KERNELS)
    from tvb_nest_cosim.tvb_service.compiled.models import READERS

    assert set(READERS) == set(eligible.MODELS) == set(KINDS)
