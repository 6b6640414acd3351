"""In windows, TVB without proxies gives the bits of one run of tvb-library's ``Simulator``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tvb.datatypes import equations
from tvb.datatypes.connectivity import Connectivity
from tvb.datatypes.patterns import StimuliRegion
from tvb.simulator import coupling, integrators, models, monitors, noise

from tvb_cases import Case, Result, plain_tvb, run_case
from tvb_nest_cosim.cosim_core.model.experiment.tvb import Engine

MODEL = {"name": "Generic2dOscillator", "variables_of_interest": ["V", "W"]}
COUPLING = {"name": "Linear", "parameters": {"a": 0.1}}
BOTH = np.array([0, 1])
MONITORS: dict[str, tuple[dict[str, Any], Any]] = {
    "Raw": ({"name": "Raw"}, lambda: monitors.Raw()),
    "RawVoi": (
        {"name": "RawVoi", "parameters": {"variables_of_interest": [1]}},
        lambda: monitors.RawVoi(variables_of_interest=np.array([1])),
    ),
    "TemporalAverage": (
        {"name": "TemporalAverage", "period_ms": 0.9},
        lambda: monitors.TemporalAverage(period=0.9),
    ),
    "SubSample": (
        {"name": "SubSample", "period_ms": 0.4},
        lambda: monitors.SubSample(period=0.4),
    ),
    "GlobalAverage": (
        {"name": "GlobalAverage", "period_ms": 1.1},
        lambda: monitors.GlobalAverage(period=1.1),
    ),
    "SpatialAverage": (
        {"name": "SpatialAverage", "period_ms": 0.5},
        lambda: monitors.SpatialAverage(period=0.5),
    ),
    "Bold": (
        {"name": "Bold", "period_ms": 8.0, "parameters": {"hrf_length": 200.0}},
        lambda: monitors.Bold(period=8.0, hrf_length=200.0),
    ),
    "AfferentCoupling": ({"name": "AfferentCoupling"}, lambda: monitors.AfferentCoupling()),
    "AfferentCouplingTemporalAverage": (
        {"name": "AfferentCouplingTemporalAverage", "period_ms": 0.3},
        lambda: monitors.AfferentCouplingTemporalAverage(period=0.3),
    ),
    "EEG": (
        {
            "name": "EEG",
            "period_ms": 0.3,
            "sensors": "eeg_brainstorm_65.txt",
            "projection": "projection_eeg_65_surface_16k.npy",
            "region_mapping": "regionMapping_16k_76.txt",
            "parameters": {"obsnoise": "none", "reference": "average"},
        },
        # 0.3 / 0.1 is a little less than 3, and TVB's projections truncate
        lambda: monitors.EEG.from_file(period=0.3001, obsnoise=None, reference="average"),
    ),
}


ENGINES: tuple[Engine, ...] = ("tvb", "compiled")


def run(window: int, engine: Engine = "auto", **tvb: Any) -> Result:
    tree = {"model": MODEL, "coupling": COUPLING, **tvb}
    result = run_case(Case(tvb=tree, ticks=170, window=window, engine=engine))
    assert engine in ("auto", result.built.versions["tvb-engine"])
    return result


def plain(initial: np.ndarray, made: list[Any], **parts: Any) -> list[Any]:
    case = Case(tvb={}, ticks=170)
    given = {
        "model": models.Generic2dOscillator(variables_of_interest=("V", "W")),
        "coupling": coupling.Linear(a=np.array([0.1])),
        "integrator": integrators.HeunDeterministic(dt=case.dt_ms),
        **parts,
    }
    simulator = plain_tvb(case, initial, tuple(made), **given)
    samples: list[Any] = simulator.run(simulation_length=case.ticks * case.dt_ms)
    return samples


def assert_same(result: Result, key: str, sample: Any) -> None:
    times, data = sample
    assert len(times) > 1
    assert np.array_equal(result.times[key], times)
    assert result.data[key].shape == data.shape
    assert np.array_equal(result.data[key], data)
    assert np.ptp(data) > 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("window", [170, 7])
def test_every_monitor_samples_what_one_run_samples(window: int, engine: Engine) -> None:
    result = run(window, engine, monitors=[declared for declared, _ in MONITORS.values()])
    samples = plain(result.initial, [make() for _, make in MONITORS.values()])
    for key, sample in zip(MONITORS, samples, strict=True):
        assert_same(result, key, sample)
        facts = result.built.monitors[key]
        assert result.data[key].shape[1:3] == (len(facts.variables), len(facts.nodes))


def test_the_facts_name_what_is_in_the_data() -> None:
    built = run(170, monitors=[declared for declared, _ in MONITORS.values()]).built.monitors
    assert built["RawVoi"].variables == ["W"]
    assert built["TemporalAverage"].variables == ["V", "W"]
    assert built["AfferentCoupling"].variables == ["coupling of V"]
    assert built["GlobalAverage"].nodes == ["mean"]
    assert built["Raw"].nodes[9] == "rHC"
    assert built["EEG"].nodes[:2] == ["Fp1", "Fp2"]
    assert built["Bold"].period_ms == 8.0
    assert built["Raw"].period_ms == 0.1


@pytest.mark.parametrize(
    ("declared", "equation"),
    [
        (
            {"name": "PulseTrain", "parameters": {"onset": 3.0, "T": 6.0, "tau": 1.5, "amp": 2.0}},
            equations.PulseTrain(parameters={"onset": 3.0, "T": 6.0, "tau": 1.5, "amp": 2.0}),
        ),
        (
            {"name": "Sinusoid", "parameters": {"frequency": 0.2, "amp": 0.5}},
            equations.Sinusoid(parameters={"frequency": 0.2, "amp": 0.5}),
        ),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_stimulus_keeps_the_clock_of_the_run(
    declared: dict[str, Any], equation: Any, engine: Engine
) -> None:
    stimulus = {"regions": {"rHC": 1.0, "lV1": -0.5}, "equation": declared}
    monitor = [{"name": "Raw"}]
    result = run(7, engine, stimulus=stimulus, monitors=monitor)
    weight = np.zeros(76)
    weight[[9, 73]] = 1.0, -0.5
    pattern = StimuliRegion(temporal=equation, weight=weight, connectivity=Connectivity())
    (sample,) = plain(result.initial, [monitors.Raw()], stimulus=pattern)
    assert_same(result, "Raw", sample)
    without = run(7, monitors=monitor)
    assert not np.array_equal(without.data["Raw"], result.data["Raw"])


@pytest.mark.parametrize(("tau_ms", "engine"), [(0.0, "tvb"), (0.0, "compiled"), (2.0, "tvb")])
@pytest.mark.parametrize("scheme", ["HeunStochastic", "EulerStochastic"])
def test_noise_is_the_same_stream_in_every_window(
    scheme: str, tau_ms: float, engine: Engine
) -> None:
    declared = {"name": scheme, "noise": {"nsig": {"V": 0.01}, "tau_ms": tau_ms}}
    result = run(7, engine, integrator=declared, monitors=[{"name": "Raw"}])
    integrator = getattr(integrators, scheme)(
        dt=0.1, noise=noise.Additive(nsig=np.array([0.01, 0.0]), ntau=tau_ms, noise_seed=7)
    )
    (sample,) = plain(result.initial, [monitors.Raw()], integrator=integrator)
    assert_same(result, "Raw", sample)


def test_multiplicative_noise_and_the_derived_dispersion() -> None:
    tvb = {
        "model": {"name": "ZerlautAdaptationFirstOrder", "variables_of_interest": ["ou_drift"]},
        "integrator": {"name": "HeunStochastic"},
        "monitors": [{"name": "Raw"}],
    }
    result = run_case(Case(tvb=tvb, ticks=20, window=7, noise={"ou_drift": 0.5}))
    assert np.ptp(result.data["Raw"][0]) > 0
    quiet = run_case(Case(tvb=tvb, ticks=20, window=7, noise={"ou_drift": 0.0}))
    assert np.ptp(quiet.data["Raw"]) == 0


def test_every_window_is_recorded_and_samples_come_with_all_monitors() -> None:
    declared = [
        {"name": "SubSample", "label": "slow", "period_ms": 5.0},
        {"name": "SubSample", "label": "fast", "period_ms": 2.0},
    ]
    result = run(10, monitors=declared)
    assert [window for window, _ in result.recorded] == list(range(17))
    sampled = [(window, arrays) for window, arrays in result.recorded if arrays]
    # samples at 2, 4, 5, 6, 8, 10, 12, 14, 15, 16 ms; windows of 1 ms end with them
    assert [window for window, _ in sampled] == [1, 3, 4, 5, 7, 9, 11, 13, 14, 15]
    for _, arrays in sampled:
        assert arrays["monitor/slow/data"].shape[1:] == (2, 76, 1)
        assert len(arrays["monitor/slow/time"]) == len(arrays["monitor/slow/data"])


def test_a_monitor_without_samples_is_a_warning() -> None:
    result = run(170, monitors=[{"name": "Bold", "period_ms": 2000.0}])
    assert result.data == {}
    (warning,) = result.built.warnings
    assert "Bold" in warning
    assert "2000 ms" in warning


def test_versions_that_decide_the_numbers_are_reported() -> None:
    versions = run(170).built.versions
    assert set(versions) == {"tvb-library", "numpy", "numba", "tvb-engine"}
    assert versions["tvb-engine"] == "compiled"
