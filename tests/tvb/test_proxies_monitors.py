"""What monitors see of proxies, and what a proxy must never do to others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tvb.simulator import coupling, integrators, models, monitors

from tvb_cases import Case, Result, connectome_of, plain_tvb, run_case
from tvb_nest_cosim.cosim_core.errors import ExperimentError, SimulationError
from tvb_nest_cosim.cosim_core.model.experiment.tvb import Engine
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.model.signals import TRANSLATOR_TO_TVB, TVB_TO_TRANSLATOR
from tvb_nest_cosim.tvb_service.simulator import TvbSimulator
from tvb_nest_cosim.tvb_service.stepper import Stepper

PROXIES = (20, 4)
EEG = {
    "name": "EEG",
    "period_ms": 1.0,
    "sensors": "eeg_brainstorm_65.txt",
    "projection": "projection_eeg_65_surface_16k.npy",
    "region_mapping": "regionMapping_16k_76.txt",
    "parameters": {"obsnoise": "none"},
}
ONE_VARIABLE = Case(
    tvb={
        "model": {"name": "ReducedWongWang"},
        "coupling": {"name": "Linear", "parameters": {"a": 0.05}},
        "monitors": [
            {"name": "TemporalAverage", "period_ms": 0.7},
            {"name": "GlobalAverage", "period_ms": 0.5},
            {"name": "Bold", "period_ms": 8.0, "parameters": {"hrf_length": 200.0}},
            EEG,
            {"name": "SubSample", "period_ms": 0.1},
        ],
    },
    proxies=PROXIES,
    feeds={"S": 1.0},
    ticks=170,
)
TWO_VARIABLES = Case(
    tvb={
        "model": {"name": "Generic2dOscillator", "variables_of_interest": ["V", "W"]},
        "coupling": {"name": "Linear", "parameters": {"a": 0.1}},
        "monitors": [{"name": "Raw"}],
    },
    proxies=PROXIES,
    feeds={"V": 0.1},
    ticks=60,
)


def constant(case: Case, hz: float) -> Any:
    return lambda region, first, last: np.full((len(case.feeds), last - first + 1), hz)


def plain_samples(initial: np.ndarray) -> list[Any]:
    made = (
        monitors.TemporalAverage(period=0.7),
        monitors.GlobalAverage(period=0.5),
        monitors.Bold(period=8.0, hrf_length=200.0),
        monitors.EEG.from_file(period=1.0, obsnoise=None),
        monitors.Raw(),
    )
    simulator = plain_tvb(
        ONE_VARIABLE,
        initial,
        made,
        model=models.ReducedWongWang(),
        coupling=coupling.Linear(a=np.array([0.05])),
        integrator=integrators.HeunDeterministic(dt=0.1),
    )
    samples: list[Any] = simulator.run(n_steps=ONE_VARIABLE.ticks)
    return samples


@pytest.mark.parametrize(("part", "lookahead"), [(1, 1), (2, 2)])
def test_monitors_see_the_fed_values_at_their_true_ticks(part: int, lookahead: int) -> None:
    case = replace(ONE_VARIABLE, window=ONE_VARIABLE.limit() // part, lookahead=lookahead)
    initial = run_case(replace(case, ticks=case.window), constant(case, 0.0)).initial
    samples = plain_samples(initial)
    states = samples[-1][1]
    labels = list(connectome_of(case.experiment()).labels)
    result = run_case(
        case,
        lambda region, first, last: states[first - 1 : last, 0, labels.index(region), 0][None],
    )
    for declared, (times, data) in zip(case.tvb["monitors"], samples, strict=True):
        assert np.array_equal(result.times[declared["name"]], times)
        assert np.array_equal(result.data[declared["name"]], data)
        assert len(times) > 1


def test_what_tvb_does_not_know_of_a_proxy_is_nan() -> None:
    data = run_case(TWO_VARIABLES, constant(TWO_VARIABLES, 5.0)).data["Raw"]
    assert (data[:, 0][:, PROXIES] == 0.1 * 5.0).all()
    assert np.isnan(data[:, 1][:, PROXIES]).all()
    assert np.isnan(data).sum() == data.shape[0] * len(PROXIES)


@pytest.mark.parametrize(
    "declared",
    [
        {"name": "GlobalAverage"},
        {"name": "SpatialAverage"},
        {**EEG, "parameters": {"variables_of_interest": [1.0]}},
        {"name": "AfferentCoupling"},
    ],
)
def test_monitors_that_cannot_work_with_proxies_are_refused(declared: dict[str, Any]) -> None:
    case = replace(TWO_VARIABLES, tvb={**TWO_VARIABLES.tvb, "monitors": [declared]})
    with pytest.raises(ExperimentError) as caught:
        run_case(case, constant(case, 5.0))
    (fault,) = caught.value.faults
    assert fault.path == "tvb.monitors.0"
    assert declared["name"] in fault.message


def test_a_projection_of_the_fed_variable_works_with_proxies() -> None:
    declared = {**EEG, "parameters": {"variables_of_interest": [0.0], "obsnoise": "none"}}
    case = replace(TWO_VARIABLES, tvb={**TWO_VARIABLES.tvb, "monitors": [declared]})
    data = run_case(case, constant(case, 5.0)).data["EEG"]
    assert data.shape == (6, 1, 65, 1)
    assert np.isfinite(data).all()


@pytest.mark.parametrize("engine", ["tvb", "compiled"])
def test_the_placeholder_of_a_proxy_acts_on_no_bit(
    monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    case = replace(TWO_VARIABLES, engine=engine)
    rates = constant(case, 5.0)
    expected = run_case(case, rates)
    make, made = Stepper.__init__, []

    def other_placeholder(self: Stepper, *arguments: Any) -> None:
        make(self, *arguments)
        self._resting = self._resting + 3.0
        made.append(self)

    monkeypatch.setattr(Stepper, "__init__", other_placeholder)
    got = run_case(case, rates)
    assert made
    assert np.array_equal(got.data["Raw"], expected.data["Raw"], equal_nan=True)
    for name, values in expected.coupling.items():
        assert np.array_equal(got.coupling[name], values)


def test_a_proxy_rests_at_its_initial_state_however_it_would_move() -> None:
    simulator = build(replace(TWO_VARIABLES, ticks=400, window=10))
    before = simulator._assembly.simulator.current_state[:, PROXIES].copy()
    window = simulator._plan.grid.window(0)
    simulator.advance(window)
    assert np.array_equal(simulator._assembly.simulator.current_state[:, PROXIES], before)


def build(case: Case) -> TvbSimulator:
    simulator = TvbSimulator()
    simulator.build(case.plan(), 0, lambda window, arrays: None)
    plan: RunPlan = simulator._plan
    simulator.start({region.name: {"of_V": 0} for region in plan.regions})
    return simulator


def test_edges_and_lookahead_follow_from_the_plan() -> None:
    alone = build(replace(TWO_VARIABLES, proxies=(), feeds={}))
    assert (alone.in_edge, alone.out_edge, alone.lag, alone.lead) == (None, None, 0, 0)
    coupled = build(replace(TWO_VARIABLES, lookahead=2, window=5))
    assert (coupled.in_edge, coupled.out_edge) == (TRANSLATOR_TO_TVB, TVB_TO_TRANSLATOR)
    assert (coupled.lag, coupled.lead) == (2, 2)


def test_the_drive_is_in_hz_and_covers_every_tick() -> None:
    unit = run_case(TWO_VARIABLES, constant(TWO_VARIABLES, 5.0)).coupling
    case = replace(TWO_VARIABLES, hz_per_unit=1000.0, window=7)
    scaled = run_case(case, constant(case, 5.0)).coupling
    for name, values in unit.items():
        assert values.shape == (case.ticks,)
        assert values.dtype == np.float64
        assert np.array_equal(scaled[name], values * 1000.0)


def blocks(hz: float = 5.0, ticks: int = 10) -> dict[str, np.ndarray]:
    return {f"rates/{name}": np.full((1, ticks), hz) for name in ("rPFCM", "rCCP")}


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, "rates of rPFCM in window 0 are missing"),
        (blocks(ticks=9), r"shape \(1, 9\), expected \(1, 10\)"),
        (blocks(hz=np.nan), "not finite: population 0 at tick 1 is nan"),
    ],
)
def test_wrong_rates_are_refused(arrays: dict[str, np.ndarray], words: str) -> None:
    simulator = build(TWO_VARIABLES)
    window = simulator._plan.grid.window(0)
    simulator.advance(window)
    with pytest.raises(SimulationError, match=words):
        simulator.absorb(window, arrays)


def test_a_population_that_the_network_lacks_is_named() -> None:
    simulator = TvbSimulator()
    simulator.build(TWO_VARIABLES.plan(), 0, lambda window, arrays: None)
    with pytest.raises(ExperimentError, match="no population 'of_V'; its network has: pyramidal"):
        simulator.start({"rPFCM": {"pyramidal": 10}, "rCCP": {"pyramidal": 10}})


def test_an_infinite_coupling_is_an_error_with_its_place() -> None:
    # tvb-library reads it at every tick, the compiled engine once
    simulator = build(replace(TWO_VARIABLES, engine="tvb"))
    simulator._assembly.simulator.coupling.a = np.array([1e308])
    with pytest.raises(SimulationError, match=r"coupling into rPFCM is -?inf at tick 2 \(0.2 ms\)"):
        simulator.prologue(simulator._plan.grid.window(0))


def test_feeds_of_ticks_that_nobody_reads_any_more_are_dropped() -> None:
    simulator = build(TWO_VARIABLES)
    stepper: Stepper = simulator._stepper
    history = stepper.simulator.history
    stepper.tick = history.n_time + 10
    kept = history.buffer.copy()
    stepper.feed(1, np.full((10, 1, 2), 99.0))
    assert np.array_equal(history.buffer, kept)
    stepper.feed(11, np.full((1, 1, 2), 99.0))
    assert (history.buffer[11 % history.n_time, 0, PROXIES, 0] == 99.0).all()


def test_the_result_does_not_depend_on_windows_whatever_is_fed() -> None:
    generator = np.random.default_rng(3)
    drawn = {name: generator.uniform(0, 20, (1, TWO_VARIABLES.ticks)) for name in ("rPFCM", "rCCP")}

    def rates(region: str, first: int, last: int) -> np.ndarray:
        return drawn[region][:, first - 1 : last]

    results: list[Result] = [
        run_case(replace(TWO_VARIABLES, window=window, lookahead=lookahead), rates)
        for window, lookahead in ((15, 1), (7, 2), (1, 1))
    ]
    for other in results[1:]:
        assert np.array_equal(other.data["Raw"], results[0].data["Raw"], equal_nan=True)
        for name, values in results[0].coupling.items():
            assert np.array_equal(other.coupling[name], values)
