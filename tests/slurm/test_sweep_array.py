"""Sweeps as job arrays, carried out by a scheduler of files: killed, resumed, stopped, refused."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from slurm import array_slurm
from sweep.sweeps import grid, write_sweep
from system.trouble import eventually

Answer = subprocess.CompletedProcess[str]
FOUR = grid(adex__excitatory__b_pA=[0, 60], adex__external_hz=[0.5, 1.0])
COMMAND = [
    sys.executable,
    "-P",
    "-m",
    "tvb_nest_cosim.orchestrator",
    "sweep",
    "sweep.yaml",
    "--launcher",
    "slurm",
]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Puts the scheduler into PATH, its programs being one file by several names."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    shutil.copy(array_slurm.__file__, folder / "array_slurm.py")
    for name in ("sbatch", "squeue", "scancel"):
        program = folder / name
        program.write_text(
            f'#!/bin/sh\nexec {sys.executable} {folder}/array_slurm.py {name} "$@"\n'
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("COLUMNS", "200")
    yield folder
    array_slurm.end(folder)


def finished(folder: Path) -> int:
    return len(list(folder.glob("sweeps/*/points/*/provenance.json")))


def executions(cluster: Path) -> Counter[str]:
    return Counter((cluster / "executions").read_text().split())


def call(folder: Path, *options: str) -> Answer:
    return subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, timeout=500, cwd=folder, check=False
    )


@pytest.mark.timeout(900)
def test_an_array_whose_sweep_was_killed_is_taken_up_again(cluster: Path, tmp_path: Path) -> None:
    """Four points, each carried out once, and all of them in the table."""
    write_sweep(tmp_path, FOUR)
    with subprocess.Popen(COMMAND, cwd=tmp_path, stdout=subprocess.DEVNULL) as sweep:
        eventually(lambda: finished(tmp_path) >= 1, "points")
        sweep.kill()
    answer = call(tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert executions(cluster) == dict.fromkeys(map(str, range(4)), 1)
    (folder,) = (tmp_path / "sweeps").iterdir()
    table = pd.read_parquet(folder / "table.parquet")
    assert table["outcome"].tolist() == ["finished"] * 4
    assert table["digest"].nunique() == 4
    # Again, there is nothing to do.
    assert call(tmp_path).returncode == 0
    assert executions(cluster).total() == 4


@pytest.mark.timeout(600)
def test_ctrl_c_ends_elements_in_good_order_and_the_rest_waits(
    cluster: Path, tmp_path: Path
) -> None:
    write_sweep(tmp_path, grid(adex__external_hz=[0.5, 1.0, 1.5]))
    with subprocess.Popen(COMMAND, cwd=tmp_path, stdout=subprocess.DEVNULL) as sweep:
        eventually(lambda: finished(tmp_path) >= 1, "points")
        sweep.send_signal(signal.SIGINT)
        assert sweep.wait(100) == 130
    states = {file.read_text() for file in array_files(cluster)}
    assert "PENDING" not in states
    assert "CANCELLED" in states
    assert call(tmp_path).returncode == 0
    assert finished(tmp_path) == 3


def array_files(cluster: Path) -> list[Path]:
    return [path for path in cluster.glob("*_*") if path.name[0].isdigit()]


def test_a_point_that_fails_is_told_with_its_cause(cluster: Path, tmp_path: Path) -> None:
    write_sweep(tmp_path, grid(tvb__coupling__parameters__a=[0.2, 1e300]))
    answer = call(tmp_path)
    assert answer.returncode == 1, answer.stdout + answer.stderr
    (folder,) = (tmp_path / "sweeps").iterdir()
    table = pd.read_parquet(folder / "table.parquet")
    assert table["outcome"].tolist() == ["finished", "failed"]
    assert "TVB" in table["cause"].iloc[1]


def test_a_dry_run_prints_the_array_and_leaves_nothing(cluster: Path, tmp_path: Path) -> None:
    write_sweep(tmp_path, grid(adex__external_hz=[0.5, 1.0, 1.5]))
    answer = call(tmp_path, "--dry-run", "--at-once", "2", "--partition", "batch", "--time", "10")
    assert answer.returncode == 0, answer.stderr
    assert "#SBATCH --array=0,1,2\\%2" in answer.stdout
    assert "#SBATCH --partition=batch" in answer.stdout
    assert "adex.external_hz=1.0" in answer.stdout
    assert not (tmp_path / "sweeps").exists()
    assert not array_files(cluster)


def test_options_of_jobs_are_for_jobs(tmp_path: Path) -> None:
    write_sweep(tmp_path, grid(adex__external_hz=[0.5]))
    local = [word for word in COMMAND if word not in ("--launcher", "slurm")]
    answer = subprocess.run(
        [*local, "--partition", "batch"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert answer.returncode == 2
    assert "--partition" in answer.stderr
    assert "add --launcher slurm" in answer.stderr
