"""Connectome, initial history, projections, and how quietly tvb-library is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tvb.datatypes.connectivity import Connectivity
from tvb.simulator import monitors

import tvb_nest_cosim
from tvb_cases import SPEED_MM_PER_MS, Case, connectome_of, data_folder, run_case
from tvb_nest_cosim.cosim_core.errors import SimulationError
from tvb_nest_cosim.cosim_core.model.connectome import Connectome
from tvb_nest_cosim.tvb_service.connectivity import build_connectivity

MODEL = {"model": {"name": "Generic2dOscillator"}}
RAW = {**MODEL, "monitors": [{"name": "Raw"}]}
SERVICES = Path(tvb_nest_cosim.__file__).parents[1]


@pytest.mark.parametrize("source", ["connectivity_66", "connectivity_76", "connectivity_192"])
def test_the_connectome_is_what_tvb_reads_from_the_same_file(source: str) -> None:
    connectome = connectome_of(Case(tvb={}, source=source).experiment())
    theirs = Connectivity.from_file(str(data_folder() / "connectivity" / f"{source}.zip"))
    theirs.speed = np.array([SPEED_MM_PER_MS])
    theirs.configure()
    theirs.set_idelays(0.1)
    ours = build_connectivity(connectome, [], (), 0.1)
    assert np.array_equal(ours.idelays, theirs.idelays)
    np.fill_diagonal(theirs.weights, 0.0)
    assert np.array_equal(ours.weights, theirs.weights / theirs.weights.max())
    assert list(ours.region_labels) == list(theirs.region_labels)
    assert np.array_equal(ours.centres, theirs.centres)
    if theirs.cortical is not None and theirs.cortical.size:
        assert np.array_equal(ours.cortical, theirs.cortical)
        assert np.array_equal(ours.orientations, theirs.orientations)
    else:
        assert ours.cortical.all()
        assert theirs.orientations is None or theirs.orientations.size == 0
        assert not ours.orientations.any()


def test_tracts_among_proxies_are_nests() -> None:
    connectome = connectome_of(Case(tvb={}).experiment())
    plain = build_connectivity(connectome, [], (), 0.1).weights
    taken = build_connectivity(connectome, [20, 4], (), 0.1).weights
    assert plain[20, 4] > 0
    changed = np.argwhere(plain != taken)
    assert sorted(map(tuple, changed)) == [(4, 20), (20, 4)]
    assert taken[20, 4] == taken[4, 20] == 0


def test_other_delays_than_the_plans_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    connectome = connectome_of(Case(tvb={}).experiment())
    idelays = connectome.idelays(0.1)
    idelays[3, 5] += 1
    monkeypatch.setattr(Connectome, "idelays", lambda self, dt_ms: idelays)
    with pytest.raises(SimulationError, match="from rCCR to rCCA"):
        build_connectivity(connectome, [], (), 0.1)


def initial(seed: int = 7, **declared: Any) -> np.ndarray:
    return run_case(Case(tvb={**RAW, "initial": declared}, ticks=1, window=1, seed=seed)).initial


def test_the_initial_history_follows_from_the_seed_alone() -> None:
    drawn = initial()
    assert drawn.shape == (2, 76, 1)
    assert np.array_equal(drawn, initial())
    assert not np.array_equal(drawn, initial(seed=8))
    # the model's ranges: V in [-2, 4], W in [-6, 6]
    assert drawn[0].min() >= -2
    assert drawn[0].max() <= 4
    assert np.ptp(drawn[1]) > 6
    named = initial(V=0.25, W=(1.0, 2.0))
    assert (named[0] == 0.25).all()
    assert ((named[1] >= 1) & (named[1] <= 2)).all()
    # naming one variable does not change the draw of another
    assert np.array_equal(initial(V=0.25)[1], drawn[1])


def test_the_history_before_the_run_is_constant() -> None:
    result = run_case(Case(tvb=RAW, proxies=(20, 4), feeds={"V": 1.0}, ticks=1, window=1), no_rates)
    connectome = connectome_of(Case(tvb={}).experiment())
    weights = connectome.weights.astype("f")
    weights[20, 4] = weights[4, 20] = 0
    # the experiment's default coupling is Linear with a = 1
    expected = weights @ result.initial[0, :, 0].astype("f")
    assert result.coupling["rPFCM"] == pytest.approx(expected[20], rel=1e-5)


def no_rates(region: str, first: int, last: int) -> np.ndarray:
    return np.zeros((1, last - first + 1))


EEG = {
    "name": "EEG",
    "period_ms": 0.5,
    "sensors": "eeg_brainstorm_65.txt",
    "projection": "projection_eeg_65_surface_16k.npy",
    "region_mapping": "regionMapping_16k_76.txt",
}
PROJECTIONS = {
    "EEG": (EEG, 65),
    "sphere": ({"name": "EEG", "period_ms": 0.5, "sensors": EEG["sensors"]}, 65),
    "MEG": (
        {
            **EEG,
            "name": "MEG",
            "sensors": "meg_brainstorm_276.txt",
            "projection": "projection_meg_276_surface_16k.npy",
        },
        276,
    ),
    "SEEG": ({"name": "SEEG", "period_ms": 0.5, "sensors": "seeg_588.txt"}, 588),
}


@pytest.mark.parametrize(("declared", "sensors"), PROJECTIONS.values(), ids=PROJECTIONS)
def test_projections_of_regions_to_sensors(declared: dict[str, Any], sensors: int) -> None:
    result = run_case(Case(tvb={**MODEL, "monitors": [declared]}, ticks=10))
    data = result.data[declared["name"]]
    assert data.shape == (2, 1, sensors, 1)
    assert len(result.built.monitors[declared["name"]].nodes) == sensors
    assert np.isfinite(data).all()
    assert np.ptp(data) > 0


@pytest.mark.parametrize(
    ("name", "sensors"),
    [("EEG", EEG["sensors"]), ("MEG", "meg_brainstorm_276.txt"), ("SEEG", "seeg_588.txt")],
)
def test_a_gain_per_region_needs_no_orientations(tmp_path: Path, name: str, sensors: str) -> None:
    """As for the mouse brain, whose file has neither orientations nor cortical regions."""
    count = len((data_folder() / "sensors" / sensors).read_text().split("\n")) - 1
    gain = np.random.default_rng(1).normal(size=(count, 66))
    np.save(tmp_path / "gain.npy", gain)
    (tmp_path / "mapping.txt").write_text("\n".join(map(str, range(66))))
    declared = {
        "name": name,
        "period_ms": 0.5,
        "sensors": sensors,
        "projection": "gain.npy",
        "region_mapping": "mapping.txt",
        "parameters": {"obsnoise": "none"},
    }
    tvb = {**MODEL, "monitors": [declared, {"name": "TemporalAverage", "period_ms": 0.5}]}
    case = Case(tvb=tvb, ticks=10, source="connectivity_66", base_dir=str(tmp_path))
    data = run_case(case).data
    assert np.allclose(data[name][:, 0, :, 0], data["TemporalAverage"][:, 0, :, 0] @ gain.T)


def test_observation_noise_follows_from_the_seed() -> None:
    def data(seed: int, **parameters: Any) -> np.ndarray:
        two = [{**EEG, "label": "a"}, {**EEG, "label": "b", "parameters": parameters}]
        tvb = {**MODEL, "monitors": two, "initial": {"V": 0.0, "W": 0.0}}
        result = run_case(Case(tvb=tvb, ticks=10, seed=seed))
        return np.stack([result.data["a"], result.data["b"]])

    noisy = data(1)
    assert np.array_equal(noisy, data(1))
    assert not np.array_equal(noisy, data(2))
    assert not np.array_equal(noisy[0], noisy[1])
    clean = data(1, obsnoise="none")
    assert np.array_equal(clean[0], noisy[0])
    assert not np.array_equal(clean[1], noisy[1])


def test_a_file_beside_the_experiment_comes_first(tmp_path: Path) -> None:
    gain = np.load(data_folder() / "projectionMatrix" / "projection_eeg_65_surface_16k.npy")
    np.save(tmp_path / "mine.npy", 2.0 * gain)
    quiet = {**EEG, "parameters": {"obsnoise": "none"}}
    theirs = Case(tvb={**MODEL, "monitors": [quiet]}, ticks=10)
    own = replace(
        theirs,
        tvb={**MODEL, "monitors": [{**quiet, "projection": "mine.npy"}]},
        base_dir=str(tmp_path),
    )
    assert np.allclose(run_case(own).data["EEG"], 2.0 * run_case(theirs).data["EEG"])


def test_subcortical_regions_are_added_to_a_cortical_projection() -> None:
    declared = {**EEG, "region_mapping": "regionMapping_16k_192.txt"}
    case = Case(tvb={**MODEL, "monitors": [declared]}, ticks=10, source="connectivity_192")
    assert run_case(case).data["EEG"].shape == (2, 1, 65, 1)


def test_words_become_objects_where_tvb_wants_objects() -> None:
    declared = {"name": "Bold", "period_ms": 4.0, "parameters": {"hrf_kernel": "Gamma"}}
    result = run_case(Case(tvb={**MODEL, "monitors": [declared]}, ticks=80))
    default = run_case(Case(tvb={**MODEL, "monitors": [{**declared, "parameters": {}}]}, ticks=80))
    assert not np.array_equal(result.data["Bold"], default.data["Bold"])


@pytest.mark.parametrize(("given_ms", "used_ms"), [(None, 1.0), (0.3, 0.3), (0.7, 0.7), (1.1, 1.1)])
@pytest.mark.parametrize("name", ["EEG", "TemporalAverage"])
def test_periods_are_whole_ticks(name: str, given_ms: float | None, used_ms: float) -> None:
    files = EEG if name == "EEG" else {}
    declared = {**files, "name": name, "period_ms": given_ms}
    result = run_case(Case(tvb={**MODEL, "monitors": [declared]}, ticks=24, window=24))
    assert result.built.monitors[name].period_ms == used_ms
    assert len(result.times[name]) == int(2.4 / used_ms + 1e-9)
    assert result.times[name][0] == pytest.approx(used_ms / 2)


def test_every_monitor_of_tvb_is_offered_or_left_out_on_purpose() -> None:
    from tvb_nest_cosim.tvb_service.registry import MONITORS

    left_out = {"Monitor", "Projection", "BoldRegionROI", "ProgressLogger"}
    every = {
        name
        for name, value in vars(monitors).items()
        if isinstance(value, type) and issubclass(value, monitors.Monitor)
    }
    assert set(MONITORS.names) == every - left_out


PROBE = """
import json, logging, sys
handler = logging.NullHandler()
logging.getLogger().addHandler(handler)
import tvb_nest_cosim.tvb_service.simulator, tvb_nest_cosim.tvb_service.__main__
light = not any(name.split(".")[0] in ("tvb", "numba", "scipy") for name in sys.modules)
from tvb_nest_cosim.tvb_service.library import load_tvb
load_tvb()
import logging.config
logging.getLogger("tvb.simulator").error("silence")
print(json.dumps({
    "light": light,
    "loaded": "tvb.simulator.simulator" in sys.modules,
    "handlers": logging.getLogger().handlers == [handler],
    "configure": logging.config.fileConfig.__module__,
}))
"""


def test_tvb_is_imported_without_a_sound_or_trace(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(SERVICES)}
    environment.pop("TVB_USER_HOME", None)
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""
    assert json.loads(done.stdout) == {
        "light": True,
        "loaded": True,
        "handlers": True,
        "configure": "logging.config",
    }
    assert not [path for path in tmp_path.rglob("*") if "tvb" in path.name.lower()]
