"""Runs read copies of what the experiment names, and a run directory can be run from anywhere."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from conftest import EXAMPLES
from tvb_cases import data_folder
from tvb_nest_cosim.cosim_core.errors import EXIT_BAD_INPUT
from tvb_nest_cosim.cosim_core.model.experiment import load_experiment

Cosim = Callable[..., subprocess.CompletedProcess[str]]


def provenance_of(root: Path) -> dict[str, Any]:
    return dict(json.loads((root / "provenance.json").read_text()))


def test_a_users_code_is_kept_run_again_and_refused_when_changed(
    cosim: Cosim, tmp_path: Path
) -> None:
    study = tmp_path / "study"
    shutil.copytree(EXAMPLES / "custom_network", study)
    short = ["--no-report", "--set", "duration_ms=20"]
    short += ["--set", "spiking.0.network.parameters.neurons=50"]
    first = tmp_path / "first"
    answer = cosim("run", study / "experiment.yaml", "--out", first, *short)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    told = provenance_of(first)
    assert set(told["inputs"]["files"]) == {"izhikevich_region.py", "synapses.py"}
    assert list(first.rglob("__pycache__")) == []
    shutil.rmtree(study)
    moved, second = tmp_path / "elsewhere" / "moved", tmp_path / "second"
    shutil.copytree(first, moved)
    shutil.rmtree(first)
    answer = cosim("run", moved / "experiment.yaml", "--out", second, "--no-report")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    again = provenance_of(second)
    assert (again["digest"], again["inputs"]) == (told["digest"], told["inputs"])
    assert again["experiment_digest"] == told["experiment_digest"]
    # replayed from the copies, too
    answer = cosim("replay", second, "--participant", "nest", "--out", tmp_path / "replayed")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    synapses = moved / "inputs" / "synapses.py"
    synapses.write_text(synapses.read_text().replace("1000.0", "1001.0"))
    answer = cosim("run", moved / "experiment.yaml", "--out", tmp_path / "third")
    assert answer.returncode == EXIT_BAD_INPUT
    assert "spiking.0.drive.translator" in answer.stderr
    assert told["inputs"]["files"]["synapses.py"] in answer.stderr.replace("\n", "")
    assert not (tmp_path / "third").exists()


def test_files_are_kept_wherever_they_lay(cosim: Cosim, tmp_path: Path) -> None:
    """A connectome outside, a series in a folder, sensors by absolute path."""
    study, far = tmp_path / "study", tmp_path / "far"
    (study / "data").mkdir(parents=True)
    far.mkdir()
    shutil.copy(data_folder() / "connectivity" / "connectivity_76.zip", far / "brain.zip")
    shutil.copy(data_folder() / "sensors" / "seeg_588.txt", far / "sensors.txt")
    (study / "data" / "rates.csv").write_text("time_ms,rHC\n0,5\n10,20\n")
    tree = {
        "simulators": "tvb",
        "duration_ms": 20.0,
        "connectome": {"source": "../far/brain.zip", "normalise": "region"},
        "tvb": {
            "model": {"name": "Generic2dOscillator"},
            "coupling": {"name": "Linear", "parameters": {"a": 0.1}},
            "monitors": [{"name": "iEEG", "period_ms": 1.0, "sensors": str(far / "sensors.txt")}],
            "initial": {"V": 0.1, "W": 0.1},
        },
        "spiking": [
            {
                "regions": ["rHC"],
                "network": {"module": "tvb_nest_cosim.nest_service.networks.brunel:build"},
                "drive": {"hz_per_unit": 1.0, "synapses": 10, "weight": 1.0},
                "feed": [{"variable": "V", "population": "cells", "unit_per_hz": 0.01}],
                "tracts": {"mode": "none"},
            }
        ],
        "stand_in": {"kind": "file", "path": "data/rates.csv"},
    }
    path = study / "experiment.yaml"
    path.write_text(yaml.safe_dump(tree))
    first, second = tmp_path / "first", tmp_path / "second"
    answer = cosim("run", path, "--out", first, "--no-report")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert load_experiment(first / "experiment.yaml") == load_experiment(path)
    for folder in (study, far):
        shutil.rmtree(folder)
    moved = tmp_path / "elsewhere" / "deep" / "moved"
    moved.parent.mkdir(parents=True)
    first.rename(moved)
    answer = cosim("run", moved / "experiment.yaml", "--out", second, "--no-report")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    told, again = provenance_of(moved), provenance_of(second)
    assert len(told["inputs"]["files"]) == 3
    assert (again["digest"], again["inputs"]) == (told["digest"], told["inputs"])
