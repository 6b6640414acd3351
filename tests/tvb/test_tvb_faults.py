"""Every fault of the mean-field side is found before the run, named by its key, all at once."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tvb_cases import Case, data_folder, run_case
from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault, SimulationError
from tvb_nest_cosim.tvb_service.simulator import TvbSimulator

EEG_FILES = {
    "sensors": "eeg_brainstorm_65.txt",
    "projection": "projection_eeg_65_surface_16k.npy",
    "region_mapping": "regionMapping_16k_76.txt",
}


def faults_of(case: Case) -> tuple[Fault, ...]:
    with pytest.raises(ExperimentError) as caught:
        TvbSimulator().build(case.plan(), 0, lambda window, arrays: None)
    return caught.value.faults


def model(name: str = "Generic2dOscillator", **keys: Any) -> dict[str, Any]:
    return {"model": {"name": name, **keys}}


def monitor(name: str, **keys: Any) -> dict[str, Any]:
    return {"monitors": [{"name": name, **keys}]}


def integrator(name: str, **keys: Any) -> dict[str, Any]:
    return {"integrator": {"name": name, **keys}}


def pulse(regions: dict[str, float], name: str = "PulseTrain", **parameters: Any) -> dict[str, Any]:
    return {"stimulus": {"regions": regions, "equation": {"name": name, "parameters": parameters}}}


ONE_FAULT: list[tuple[dict[str, Any], str, list[str]]] = [
    (model("ReducedWongwang"), "tvb.model.name", ["ReducedWongWang", "did you mean", "JansenRit"]),
    (
        model(parameters={"tauu": 1.0}),
        "tvb.model.parameters.tauu",
        ["not a parameter of Generic2dOscillator", "did you mean tau", "gamma"],
    ),
    (model(parameters={"tau": [1.0, 2.0]}), "tvb.model.parameters.tau", ["2 values", "1 or 76"]),
    (model(parameters={"tau": "fast"}), "tvb.model.parameters.tau", ["'fast'", "numbers"]),
    (
        model("ZerlautAdaptationFirstOrder", parameters={"P_e": [0.0] * 9}),
        "tvb.model.parameters.P_e",
        ["9 values", "expected 10"],
    ),
    (
        model(parameters={"variables_of_interest": 1.0}),
        "tvb.model.parameters.variables_of_interest",
        ["is set by tvb.model.variables_of_interest"],
    ),
    (
        model(variables_of_interest=["V", "__import__('os')"]),
        "tvb.model.variables_of_interest",
        ["__import__", "there are: V, W"],
    ),
    ({"coupling": {"name": "Linaer"}}, "tvb.coupling.name", ["did you mean Linear", "Kuramoto"]),
    (
        {"coupling": {"name": "Linear", "parameters": {"c": 1.0}}},
        "tvb.coupling.parameters.c",
        ["not a parameter of Linear", "a, b"],
    ),
    ({"coupling": {"name": "Linear", "parameters": {"a": [1.0, 2.0, 3.0]}}}, "tvb", ["first tick"]),
    (
        {"coupling": {"name": "PreSigmoidal", "parameters": {"dynamic": 7.0}}},
        "tvb.coupling.parameters.dynamic",
        ["7.0 does not fit"],
    ),
    (integrator("Heun"), "tvb.integrator.name", ["HeunDeterministic", "HeunStochastic"]),
    (integrator("HeunStochastic"), "tvb.integrator.noise", ["missing"]),
    (
        integrator("HeunDeterministic", noise={"nsig": 0.1}),
        "tvb.integrator.name",
        ["deterministic", "EulerStochastic"],
    ),
    (
        integrator("HeunStochastic", noise={"name": "Pink"}),
        "tvb.integrator.noise.name",
        ["Additive, Multiplicative"],
    ),
    (
        integrator("HeunStochastic", noise={"nsig": [0.1, 0.1, 0.1]}),
        "tvb.integrator.noise.nsig",
        ["3 values", "1 or 2", "V, W"],
    ),
    (
        integrator("HeunStochastic", noise={"nsig": {"X": 0.1}}),
        "tvb.integrator.noise.nsig.X",
        ["V, W"],
    ),
    (
        integrator("HeunStochastic", noise={"nsig": -0.1}),
        "tvb.integrator.noise.nsig",
        ["-0.1 is negative"],
    ),
    (
        integrator("HeunStochastic", noise={"parameters": {"ntau": 1.0}}),
        "tvb.integrator.noise.parameters.ntau",
        ["is set by tvb.integrator.noise.tau_ms"],
    ),
    (monitor("BOLD"), "tvb.monitors.0.name", ["did you mean Bold", "TemporalAverage"]),
    (monitor("SubSample", period_ms=0.25), "tvb.monitors.0.period_ms", ["whole number of ticks"]),
    (monitor("Raw", period_ms=1.0), "tvb.monitors.0.period_ms", ["every tick", "SubSample"]),
    (
        monitor("SubSample", parameters={"variables_of_interest": [1.0]}),
        "tvb.monitors.0.parameters.variables_of_interest",
        ["[1]", "0 V"],
    ),
    (
        monitor("SubSample", parameters={"variables_of_interest": [0.5]}),
        "tvb.monitors.0.parameters.variables_of_interest",
        ["0.5", "int"],
    ),
    (
        monitor("Bold", parameters={"hrf_kernel": "Gama"}),
        "tvb.monitors.0.parameters.hrf_kernel",
        ["'Gama' does not fit", "Gamma"],
    ),
    (
        monitor("SubSample", parameters={"period": 1.0}),
        "tvb.monitors.0.parameters.period",
        ["is set by period_ms"],
    ),
    (monitor("Raw", label="a/b"), "tvb.monitors.0.label", ["'a/b' cannot name a variable"]),
    (monitor("Raw", label=".."), "tvb.monitors.0.label", ["'..' cannot name a variable"]),
    (monitor("Raw", label="region"), "tvb.monitors.0.label", ["none of region"]),
    (monitor("Raw", sensors="x.txt"), "tvb.monitors.0.sensors", ["not used by Raw"]),
    (
        {"monitors": [{"name": "Raw"}, {"name": "Raw"}]},
        "tvb.monitors.1.label",
        ["'Raw' names two monitors"],
    ),
    (
        monitor("EEG", **{**EEG_FILES, "sensors": "eeg.txt"}),
        "tvb.monitors.0.sensors",
        ["no file eeg.txt", "eeg_brainstorm_65.txt"],
    ),
    (
        monitor("EEG", **{**EEG_FILES, "sensors": None}),
        "tvb.monitors.0.sensors",
        ["missing", "eeg_brainstorm_65.txt"],
    ),
    (
        monitor("EEG", **{**EEG_FILES, "region_mapping": None}),
        "tvb.monitors.0.region_mapping",
        ["missing", "regionMapping_16k_76.txt"],
    ),
    (
        monitor("EEG", **{**EEG_FILES, "region_mapping": "regionMapping_16k_192.txt"}),
        "tvb.monitors.0.region_mapping",
        ["region 191", "76 regions"],
    ),
    (
        monitor("EEG", **{**EEG_FILES, "sensors": "eeg_unitvector_62.txt.bz2"}),
        "tvb.monitors.0.projection",
        ["(65, 16384)", "(62, 16384)"],
    ),
    (
        monitor("EEG", **EEG_FILES, parameters={"reference": "Nose"}),
        "tvb",
        ["cannot be configured", "Nose"],
    ),
    (pulse({"rHc": 1.0}), "tvb.stimulus.regions.rHc", ["did you mean rHC"]),
    (pulse({"rHC": 1.0}, "Pulse"), "tvb.stimulus.equation.name", ["PulseTrain", "Sinusoid"]),
    (
        pulse({"rHC": 1.0}, "PulseTrain", start=1.0),
        "tvb.stimulus.equation.parameters.start",
        ["not a parameter of PulseTrain", "onset"],
    ),
    (
        pulse({"rHC": 1.0}, "PulseTrain", onset="now"),
        "tvb.stimulus.equation.parameters.onset",
        ["expected a number", "'now'"],
    ),
    ({"initial": {"X": 1.0}}, "tvb.initial.X", ["not a state variable", "V, W"]),
    ({"initial": {"V": [2.0, 1.0]}}, "tvb.initial.V", ["[2, 1]", "low <= high"]),
]


@pytest.mark.parametrize(("tvb", "path", "words"), ONE_FAULT, ids=lambda value: str(value)[:40])
def test_a_fault_is_named_by_its_key(tvb: dict[str, Any], path: str, words: list[str]) -> None:
    (fault,) = faults_of(Case(tvb={**model(), **tvb}))
    assert fault.path == path
    for word in words:
        assert word in fault.message
    assert "\n" not in fault.message


def test_all_faults_come_together() -> None:
    tvb = {
        **model(parameters={"tauu": 1.0, "tau": [1.0, 2.0]}),
        **integrator("HeunStochastic"),
        **monitor("Row"),
        **pulse({"nowhere": 1.0}),
        "coupling": {"name": "Linear", "parameters": {"c": 1.0}},
        "initial": {"X": 0.0},
    }
    assert {fault.path for fault in faults_of(Case(tvb=tvb))} == {
        "tvb.model.parameters.tauu",
        "tvb.model.parameters.tau",
        "tvb.coupling.parameters.c",
        "tvb.stimulus.regions.nowhere",
        "tvb.integrator.noise",
        "tvb.monitors.0.name",
        "tvb.initial.X",
    }


COUPLED = Case(tvb=model(), proxies=(9, 47), feeds={"V": 1.0})
JANSEN_RIT = replace(COUPLED, tvb=model("JansenRit"), feeds={"y1": 1.0})
OF_PROXIES: list[tuple[Case, str, list[str]]] = [
    (JANSEN_RIT, "spiking.0.feed", ["y2 of JansenRit", "not fed"]),
    (replace(COUPLED, feeds={"V": 1.0, "X": 1.0}), "spiking.0.feed.1.variable", ["'X'", "V, W"]),
    (
        replace(COUPLED, coupling_variable=1),
        "spiking.0.drive.coupling_variable",
        ["number 1", "delivers 1"],
    ),
    (
        replace(JANSEN_RIT, feeds={"y1": 1.0, "y2": 1.0}, coupling_name="y0"),
        "spiking.0.drive.coupling_variable",
        ["'y0'", "there are: y1, y2"],
    ),
    (
        replace(COUPLED, noise={"V": 0.1}),
        "tvb.integrator.name",
        ["HeunDeterministic is deterministic", "adex.noise", "HeunStochastic"],
    ),
    (
        replace(COUPLED, tvb=model("ReducedSetFitzHughNagumo"), feeds={"xi": 1.0, "alpha": 1.0}),
        "tvb.model.name",
        ["3 modes"],
    ),
    (
        replace(COUPLED, tvb={**model(), "coupling": {"name": "Difference"}}),
        "tvb.coupling.name",
        ["Difference", "own state"],
    ),
    (
        replace(COUPLED, tvb={**model(), **integrator("Dopri5")}),
        "tvb.integrator.name",
        ["Dopri5", "fixed step"],
    ),
    (
        replace(COUPLED, tvb={**model(), **pulse({"rHC": 1.0})}),
        "tvb.stimulus.regions.rHC",
        ["spiking region"],
    ),
]


@pytest.mark.parametrize(("case", "path", "words"), OF_PROXIES, ids=lambda value: str(value)[:30])
def test_what_proxies_cannot_be_is_refused_once_per_group(
    case: Case, path: str, words: list[str]
) -> None:
    (fault,) = faults_of(case)
    assert fault.path == path
    for word in words:
        assert word in fault.message


def test_couplings_of_the_own_state_work_without_proxies() -> None:
    tvb = {**model("Kuramoto"), "coupling": {"name": "Kuramoto"}, **monitor("Raw")}
    assert np.isfinite(run_case(Case(tvb=tvb, ticks=10)).data["Raw"]).all()


def test_a_state_that_runs_away_is_reported_with_its_place() -> None:
    tvb = {**model(parameters={"d": 1e9}), **monitor("Raw")}
    with pytest.raises(SimulationError) as caught:
        run_case(Case(tvb=tvb, ticks=50))
    text = str(caught.value)
    assert "TVB's V of region rA1 is " in text
    assert " ms)" in text
    assert "tick " in text
    assert "dt_ms = 0.1" in text


def test_a_damaged_projection_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "mine.npy").write_bytes(b"no array")
    case = Case(
        tvb={**model(), **monitor("EEG", **{**EEG_FILES, "projection": "mine.npy"})},
        base_dir=str(tmp_path),
    )
    (fault,) = faults_of(case)
    assert fault.path == "tvb.monitors.0"
    assert "mine.npy" in fault.message


def test_a_projection_of_cortical_regions_needs_orientations_of_the_others(tmp_path: Path) -> None:
    shipped = data_folder() / "connectivity" / "connectivity_76.zip"
    with zipfile.ZipFile(shipped) as theirs, zipfile.ZipFile(tmp_path / "own.zip", "w") as own:
        for name in ("weights.txt", "tract_lengths.txt", "centres.txt"):
            own.writestr(name, theirs.read(name))
        own.writestr("cortical.txt", "1\n" * 75 + "0\n")
    case = Case(tvb={**model(), **monitor("EEG", **EEG_FILES)}, source=str(tmp_path / "own"))
    (fault,) = faults_of(case)
    assert fault.path == "tvb.monitors.0.projection"
    for words in ("the other 1, the first is lCC", "orientations", "average_orientations.txt"):
        assert words in fault.message
