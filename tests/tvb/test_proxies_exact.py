"""Oracle 1: proxies fed with plain TVB's own trajectory leave every other region as it was."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from tvb.simulator import coupling, integrators, models, monitors, noise

from tvb_cases import Case, Result, connectome_of, plain_tvb, run_case
from tvb_nest_cosim.cosim_core.model.experiment.tvb import Engine

PROXIES = (20, 4)
NEIGHBOURS = (4, 42)
"""Two regions with a tract between them that is shorter than those to any other."""
RAW: list[dict[str, Any]] = [{"name": "Raw"}]
SEED = 7

CASES = {
    "ReducedWongWang": Case(
        tvb={
            "model": {"name": "ReducedWongWang", "parameters": {"w": 0.9}},
            "coupling": {"name": "Linear", "parameters": {"a": 0.05}},
        },
        feeds={"S": 1.0},
    ),
    "ReducedWongWangExcInh": Case(
        tvb={
            "model": {"name": "ReducedWongWangExcInh", "parameters": {"lamda": 0.2}},
            "coupling": {"name": "Linear", "parameters": {"a": 0.05}},
        },
        feeds={"S_e": 1.0},
    ),
    "Generic2dOscillator": Case(
        tvb={
            "model": {"name": "Generic2dOscillator", "parameters": {"a": -0.5}},
            "coupling": {"name": "Linear", "parameters": {"a": 0.1}},
        },
        feeds={"V": 1.0},
    ),
    "JansenRit": Case(
        tvb={
            "model": {"name": "JansenRit", "parameters": {"mu": 0.2}},
            "coupling": {"name": "SigmoidalJansenRit", "parameters": {"a": 10.0}},
            "initial": {"y1": [0.0, 20.0], "y2": [0.0, 20.0], "y0": [0.0, 0.2], "y5": [0.0, 1.0]},
        },
        feeds={"y1": 1.0, "y2": 1.0},
    ),
    "ZerlautAdaptationFirstOrder": Case(
        tvb={
            "model": {"name": "ZerlautAdaptationFirstOrder", "parameters": {"b_e": 5.0}},
            "coupling": {"name": "Linear", "parameters": {"a": 0.3}},
        },
        feeds={"E": 1.0},
    ),
    "ZerlautAdaptationSecondOrder": Case(
        tvb={
            "model": {"name": "ZerlautAdaptationSecondOrder", "parameters": {"b_e": 5.0}},
            "coupling": {"name": "Linear", "parameters": {"a": 0.3}},
        },
        feeds={"E": 1.0},
        ticks=40,
    ),
}
SCHEMES = ("HeunDeterministic", "HeunStochastic")
NSIG = 1e-6
ENGINES: tuple[Engine, ...] = ("tvb", "compiled")
RUNS = [(model, engine) for model in CASES for engine in ENGINES if model != "JansenRit"]
RUNS.append(("JansenRit", "tvb"))


def case_of(
    model: str, scheme: str, tracts: str = "synapses", proxies: tuple[int, int] = PROXIES
) -> Case:
    case = CASES[model]
    integrator: dict[str, Any] = {"name": scheme}
    if scheme == "HeunStochastic":
        integrator["noise"] = {"nsig": NSIG}
    tvb = {**case.tvb, "monitors": RAW, "integrator": integrator}
    tvb["model"] = {**tvb["model"], "variables_of_interest": list(variables(model))}
    return replace(case, tvb=tvb, proxies=proxies, tracts=tracts)


def variables(model: str) -> tuple[str, ...]:
    return tuple(getattr(models, model).state_variables)


@cache
def reference(
    model: str, scheme: str, tracts: str = "synapses", proxies: tuple[int, int] = PROXIES
) -> tuple[np.ndarray, np.ndarray]:
    """States and coupling of plain TVB at ticks 1 ... T (coupling up to T + 1)."""
    case = case_of(model, scheme, tracts, proxies)
    initial = fed_with_zeros(case).initial
    tvb = case.tvb
    kinds = {"Linear": coupling.Linear, "SigmoidalJansenRit": coupling.SigmoidalJansenRit}
    integrator = getattr(integrators, scheme)(dt=case.dt_ms)
    if scheme == "HeunStochastic":
        integrator.noise = noise.Additive(nsig=np.array([NSIG]), noise_seed=SEED)
    arrays = {name: np.array([value]) for name, value in tvb["model"]["parameters"].items()}
    simulator = plain_tvb(
        case,
        initial,
        (monitors.Raw(), monitors.AfferentCoupling()),
        model=getattr(models, model)(variables_of_interest=variables(model), **arrays),
        coupling=kinds[tvb["coupling"]["name"]](a=np.array([tvb["coupling"]["parameters"]["a"]])),
        integrator=integrator,
    )
    first = simulator.coupling(1, simulator.history)
    with np.errstate(all="ignore"):  # Jansen and Rit's sigmoid overflows to a harmless 0
        (_, states), (_, afferent) = simulator.run(n_steps=case.ticks)
    return states, np.concatenate([first[None], afferent])


def fed_with_zeros(case: Case) -> Result:
    return run_case(
        replace(case, ticks=case.window), lambda region, first, last: zeros(case, first, last)
    )


def zeros(case: Case, first: int, last: int) -> np.ndarray:
    return np.zeros((len(case.feeds), last - first + 1))


def fed_with_reference(
    model: str, scheme: str, window: int, lookahead: int, **changes: Any
) -> Result:
    case = replace(case_of(model, scheme), window=window, lookahead=lookahead, **changes)
    states, _ = reference(model, scheme, case.tracts, case.proxies)
    rows = [variables(model).index(name) for name in case.feeds]
    labels = list(connectome_of(case.experiment()).labels)

    def rates(region: str, first: int, last: int) -> np.ndarray:
        return states[first - 1 : last, rows, labels.index(region), 0].T.copy()

    result = run_case(case, rates)
    assert case.engine in ("auto", result.built.versions["tvb-engine"])
    return result


def assert_same_as_plain(model: str, scheme: str, result: Result, tracts: str = "synapses") -> None:
    states, afferent = reference(model, scheme, tracts)
    case = case_of(model, scheme)
    others = np.setdiff1d(np.arange(states.shape[2]), PROXIES)
    got = result.data["Raw"]
    assert got.shape == states.shape
    assert np.array_equal(got[:, :, others], states[:, :, others])
    assert np.ptp(states[-1][:, others]) > 0
    fed = [variables(model).index(name) for name in case.feeds]
    assert np.array_equal(got[:, fed][:, :, PROXIES], states[:, fed][:, :, PROXIES])
    unfed = np.setdiff1d(np.arange(states.shape[1]), fed)
    assert np.isnan(got[:, unfed][:, :, PROXIES]).all()
    for name, index in zip(result.coupling, PROXIES, strict=True):
        # what a device emits at tick e acts one tick later
        expected = afferent[1 : case.ticks + 1, 0, index, 0].astype(np.float64)
        assert np.array_equal(result.coupling[name], expected)
        assert np.ptp(expected) > 0


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("model", "engine"), RUNS)
def test_the_longest_exact_window_changes_no_bit(model: str, scheme: str, engine: Engine) -> None:
    limit = case_of(model, scheme).limit()
    result = fed_with_reference(model, scheme, limit, 1, engine=engine)
    assert_same_as_plain(model, scheme, result)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("model", "engine"), RUNS)
@pytest.mark.parametrize(("part", "lookahead"), [(2, 1), (2, 2), (None, 1)])
def test_shorter_windows_change_no_bit(
    model: str, scheme: str, part: int | None, lookahead: int, engine: Engine
) -> None:
    window = 1 if part is None else case_of(model, scheme).limit() // part
    result = fed_with_reference(model, scheme, window, lookahead, engine=engine)
    assert_same_as_plain(model, scheme, result)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("lookahead", [1, 2])
@pytest.mark.parametrize("model", ["ReducedWongWang", "ZerlautAdaptationFirstOrder"])
def test_tracts_among_spiking_regions_that_tvb_carries_change_no_bit(
    model: str, lookahead: int, engine: Engine
) -> None:
    scheme, tracts = "HeunStochastic", "rates"
    case = case_of(model, scheme, tracts)
    window = case.limit() // lookahead
    result = fed_with_reference(model, scheme, window, lookahead, tracts=tracts, engine=engine)
    assert_same_as_plain(model, scheme, result, tracts)
    # they do matter
    with pytest.raises(AssertionError):
        assert_same_as_plain(model, scheme, result)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("lookahead", [1, 2])
def test_carried_tracts_are_wrong_beyond_their_own_limit(lookahead: int, engine: Engine) -> None:
    model, scheme = "ReducedWongWang", "HeunDeterministic"
    neighbours: dict[str, Any] = {"tracts": "rates", "proxies": NEIGHBOURS}
    case = case_of(model, scheme, **neighbours)
    window = case.limit() // lookahead
    assert window == case.limit_among() // lookahead
    changes = {**neighbours, "engine": engine}
    exact = fed_with_reference(model, scheme, window, lookahead, **changes)
    beyond = fed_with_reference(model, scheme, window + 1, lookahead, **changes)
    _, afferent = reference(model, scheme, **neighbours)
    expected = afferent[1 : case.ticks + 1, 0, NEIGHBOURS, 0].astype(np.float64).T
    assert np.array_equal(list(exact.coupling.values()), expected)
    assert not np.array_equal(list(beyond.coupling.values()), expected)


@pytest.mark.parametrize("lookahead", [1, 2])
def test_the_input_to_a_spiking_region_is_wrong_beyond_the_limit(lookahead: int) -> None:
    model, scheme = "ReducedWongWang", "HeunDeterministic"
    limit = case_of(model, scheme).limit()
    result = fed_with_reference(model, scheme, limit // lookahead + 1, lookahead)
    with pytest.raises(AssertionError):
        assert_same_as_plain(model, scheme, result)


def test_other_regions_are_wrong_one_tick_beyond_their_limit() -> None:
    model, scheme = "ReducedWongWang", "HeunDeterministic"
    _, out = case_of(model, scheme).delays()
    states, _ = reference(model, scheme)
    others = np.setdiff1d(np.arange(states.shape[2]), PROXIES)
    exact = fed_with_reference(model, scheme, out + 1, 1).data["Raw"]
    assert np.array_equal(exact[:, :, others], states[:, :, others])
    beyond = fed_with_reference(model, scheme, out + 2, 1).data["Raw"]
    assert not np.array_equal(beyond[:, :, others], states[:, :, others])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("slow", PROXIES)
def test_every_region_gets_the_coupling_of_its_own_hop(slow: int, engine: Engine) -> None:
    model, scheme = "Generic2dOscillator", "HeunDeterministic"
    changes: dict[str, Any] = {"drives": {slow: "mip"}, "engine": engine}
    result = fed_with_reference(model, scheme, window=5, lookahead=1, **changes)
    _, afferent = reference(model, scheme)
    ticks = case_of(model, scheme).ticks
    for name, index in zip(result.coupling, PROXIES, strict=True):
        hop = 2 if index == slow else 1
        expected = afferent[hop : ticks + 1, 0, index, 0].astype(np.float64)
        assert np.array_equal(result.coupling[name][: len(expected)], expected)


@pytest.mark.parametrize(("number", "name"), [(0, "E"), (1, "I")])
def test_a_coupling_variable_is_found_by_its_name(number: int, name: str) -> None:
    wilson_cowan = Case(
        tvb={"model": {"name": "WilsonCowan"}, "coupling": {"name": "Linear"}},
        feeds={"E": 1.0, "I": 1.0},
        proxies=PROXIES,
        ticks=20,
    )
    rates = partial(zeros, wilson_cowan)
    by_number = run_case(replace(wilson_cowan, coupling_variable=number), lambda _, *a: rates(*a))
    by_name = run_case(replace(wilson_cowan, coupling_name=name), lambda _, *a: rates(*a))
    other = run_case(replace(wilson_cowan, coupling_variable=1 - number), lambda _, *a: rates(*a))
    for region, coupling_hz in by_name.coupling.items():
        assert np.array_equal(coupling_hz, by_number.coupling[region])
        assert not np.array_equal(coupling_hz, other.coupling[region])
