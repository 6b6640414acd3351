"""Sweeps as a user runs them: real processes, killed, interrupted and resumed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from conftest import COSIM
from sweep.sweeps import TINY, grid, points_of, write_sweep
from system.trouble import eventually, running
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.orchestrator.sweep import local_pool
from tvb_nest_cosim.orchestrator.sweep.executor import Ended, Needs
from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout
from tvb_nest_cosim.orchestrator.sweep.local_pool import LocalPool
from tvb_nest_cosim.orchestrator.sweep.points import Point
from tvb_nest_cosim.orchestrator.sweep.table import TIMES

FIVE = grid(adex__external_hz=[0.5, 1.0, 1.5, 2.0, 2.5])


def cosim(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COSIM, "sweep", *arguments],
        capture_output=True,
        text=True,
        timeout=500,
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
    )


def records(layout: SweepLayout) -> list[Path]:
    return sorted(layout.record("x").parent.glob("*.json"))


def table(layout: SweepLayout) -> pd.DataFrame:
    return pd.read_parquet(layout.parquet).drop(columns=list(TIMES))


def provenances(layout: SweepLayout) -> dict[str, bytes]:
    """What finished runs wrote; it holds the time of their start."""
    files = layout.run("x").parent.glob("*/provenance.json")
    return {file.parent.name: file.read_bytes() for file in files}


@pytest.mark.timeout(900)
def test_a_sweep_that_was_killed_half_way_goes_on(tmp_path: Path) -> None:
    """Five points: the same table as without the kill, and no point run twice."""
    write_sweep(tmp_path, FIVE)
    killed, straight = SweepLayout(tmp_path / "killed"), SweepLayout(tmp_path / "straight")
    with running("sweep", "sweep.yaml", "--out", "killed", cwd=tmp_path) as process:
        eventually(lambda: len(records(killed)) >= 2 or process.poll() is not None, "two points")
    before = provenances(killed)
    assert 2 <= len(before) < 5
    assert not killed.csv.exists()
    answer = cosim(tmp_path, "sweep.yaml", "--out", "killed")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    after = provenances(killed)
    assert len(after) == 5
    assert {name: after[name] for name in before} == before
    assert f"  5/5 points\n5 finished of 5 points\ntable   {killed.csv}" in answer.stdout
    assert cosim(tmp_path, "sweep.yaml", "--out", "straight").returncode == 0
    assert provenances(straight).keys() == after.keys()
    pd.testing.assert_frame_equal(table(killed), table(straight), check_exact=True)
    assert table(killed)["outcome"].tolist() == ["finished"] * 5
    assert table(killed)["digest"].nunique() == 5
    written = cosim(tmp_path, "sweep.yaml", "--out", "killed", "--collect")
    assert written.returncode == 0
    assert provenances(killed) == after


SLOW = {**TINY, "duration_ms": 600_000.0}
"""Takes hours."""


@pytest.mark.timeout(600)
def test_a_killed_sweep_leaves_no_process_behind(tmp_path: Path) -> None:
    write_sweep(tmp_path, grid(adex__external_hz=[1, 2]), SLOW)
    points = SweepLayout(tmp_path / "out").run("x").parent
    command = ("sweep", "sweep.yaml", "--out", "out", "--cores", "2")
    with running(*command, cwd=tmp_path) as process:
        eventually(lambda: len([*points.glob("*/journal/tvb-0.journal")]) == 2, "both points")
        children = psutil.Process(process.pid).children(recursive=True)
    try:
        assert len(children) == 4  # two points, each with its TVB
        eventually(lambda: not any(c.is_running() for c in children), "the end of every process")
    finally:
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()


@pytest.mark.timeout(600)
def test_failed_points_are_told_and_cost_no_other(tmp_path: Path) -> None:
    design = {"kind": "list", "points": [{"tvb.model.name": n} for n in ("Epileptor", "Nothing")]}
    base = {"simulators": "tvb", "duration_ms": 20.0, "connectome": {"weight_scale": 0.01}}
    write_sweep(tmp_path, design, base)
    answer = cosim(tmp_path, "sweep.yaml")
    assert answer.returncode == 1, answer.stdout + answer.stderr
    layout = SweepLayout(tmp_path / "sweeps" / "tiny-sweep")
    assert table(layout)["outcome"].tolist() == ["finished", "failed"]
    assert "failed: point 1 (tvb.model.name = Nothing): its process ended with exit code 2" in (
        answer.stdout
    )
    assert "tvb.model.name" in table(layout)["cause"][1]
    assert "1 finished, 1 failed of 2 points" in answer.stdout
    before = provenances(layout)
    again = cosim(tmp_path, "sweep.yaml", "--retry-failed")
    assert again.returncode == 1
    assert "1 failed" in again.stdout.splitlines()[0]  # it was run, and told at once
    assert provenances(layout) == before


@pytest.mark.timeout(600)
def test_ctrl_c_ends_points_at_a_window_and_tasks_of_an_array_do_the_rest(tmp_path: Path) -> None:
    write_sweep(tmp_path, grid(duration_ms=[600_000.0, 20.0]), SLOW)
    layout = SweepLayout(tmp_path / "out")
    with running("sweep", "sweep.yaml", "--out", "out", "--at-once", "1", cwd=tmp_path) as process:
        journals = layout.run("x").parent
        eventually(lambda: [*journals.glob("*/journal/tvb-0.journal")], "the first windows")
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=200)
    assert process.returncode == 130, out + error
    assert "2 not run of 2 points" in out
    (root,) = journals.iterdir()
    assert json.loads(RunLayout(root).provenance.read_text())["outcome"] == "interrupted"
    task = cosim(tmp_path, "sweep.yaml", "--out", "out", "--only", "1")
    assert task.returncode == 0, task.stdout + task.stderr
    done = next(
        root
        for root in journals.iterdir()
        if (root / "experiment.yaml").is_file()
        and "interrupted" not in RunLayout(root).provenance.read_text()
    )
    assert not RunLayout(done).report.exists()  # figures cost more than such a point
    assert cosim(tmp_path, "sweep.yaml", "--out", "out", "--collect").returncode == 0
    assert table(layout)["outcome"].tolist() == ["not run", "finished"]
    wrong = cosim(tmp_path, "sweep.yaml", "--out", "out", "--only", "2")
    assert wrong.returncode == 2
    assert "there is no point 2; the sweep has 2, from 0" in wrong.stderr


def test_faults_end_the_command_before_anything_is_made(tmp_path: Path) -> None:
    write_sweep(tmp_path, grid(adex__external_hz=[-1, 1], dt_ms=[0.1, 0.3]))
    answer = cosim(tmp_path, "sweep.yaml")
    assert answer.returncode == 2
    assert answer.stderr.startswith("The sweep cannot run: 1 fault\n  • adex.external_hz: point 0 ")
    assert not (tmp_path / "sweeps").exists()


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., LocalPool]:
    """A pool whose points are a line of Python each."""

    def make(line: str, cores: int, at_once: int | None = None) -> LocalPool:
        monkeypatch.setattr(
            local_pool, "tied_to_parent", lambda command: [sys.executable, "-c", line]
        )
        layout = SweepLayout(tmp_path / "pool")
        layout.make()
        return LocalPool(layout, tmp_path / "base.yaml", at_once, cores)

    return make


POINTS = points_of(grid(adex__external_hz=[1, 2, 3, 4]))


def waiting(cores: int) -> list[tuple[Point, Needs]]:
    return [(point, Needs(cores, 0, 0)) for point in POINTS]


def until_ended(pool: LocalPool, number: int) -> list[Ended]:
    ended: list[Ended] = []
    eventually(lambda: ended.extend(pool.ended()) or len(ended) >= number, "points to end")
    return ended


@pytest.mark.parametrize(
    ("needed", "cores", "at_once", "taken"),
    [(1, 3, None, 3), (2, 3, None, 1), (2, 4, None, 2), (9, 2, None, 1), (1, 8, 2, 2)],
)
def test_a_pool_takes_what_its_cores_allow(
    pool: Callable[..., LocalPool], needed: int, cores: int, at_once: int | None, taken: int
) -> None:
    made = pool("", cores, at_once)
    assert made.take(waiting(needed)) == POINTS[:taken]
    assert made.take(waiting(needed)[taken:]) == []
    until_ended(made, taken)
    assert len(made.take(waiting(needed)[taken:])) == min(taken, 4 - taken)
    made.close()


def test_a_process_that_says_nothing_is_told_by_its_end(pool: Callable[..., LocalPool]) -> None:
    made = pool("import os; print('last words', flush=True); os.kill(os.getpid(), 9)", 1)
    made.take(waiting(1))
    (ended,) = until_ended(made, 1)
    assert ended.point == POINTS[0]
    assert ended.cause == (
        "its process was killed by signal 9 (SIGKILL), perhaps for lack of memory,: last words"
    )


def test_a_stopped_pool_takes_nothing_more(pool: Callable[..., LocalPool], tmp_path: Path) -> None:
    told = tmp_path / "told"
    line = (
        "import signal, sys, pathlib, time\n"
        f"signal.signal(signal.SIGINT, lambda *a: sys.exit(7))\n"
        f"pathlib.Path({str(told)!r}).touch()\n"
        "time.sleep(300)"
    )
    made = pool(line, 1)
    made.take(waiting(1))
    eventually(told.exists, "the process to listen")
    made.stop()
    assert made.take(waiting(1)[1:]) == []
    assert until_ended(made, 1)[0].cause == "its process ended with exit code 7"


@pytest.mark.parametrize(
    ("tree", "cores"),
    [
        (TINY, 1),
        ({"spiking": [{"regions": ["rHC"]}], "adex": {}}, 2),
        (
            {
                "simulators": "nest",
                "stand_in": {"kind": "constant"},
                "spiking": [{"regions": ["rHC"]}],
                "adex": {},
                "resources": {"nest": {"threads": 4}},
            },
            4,
        ),
    ],
)
def test_a_run_takes_a_core_for_tvb_and_one_per_thread(
    tree: dict[str, Any], cores: int, tmp_path: Path
) -> None:
    (point,) = points_of(grid(seed=[1]), tree)
    layout = SweepLayout(tmp_path / "out")
    pool = LocalPool(layout, tmp_path / "base.yaml", None, 2)
    assert pool.examine(point, layout.run(point.id)).cores == cores
