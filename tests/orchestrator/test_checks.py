"""May this run, there? The checks before a participant is started."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator_cases import ADEX, changed, planned_of
from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.processes.mpi import STARTERS
from tvb_nest_cosim.orchestrator.planning import checks
from tvb_nest_cosim.orchestrator.planning.checks import admit, existing_ancestor


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with OpenMPI, an ordinary user and room on its disk."""
    monkeypatch.setattr(checks, "find_starter", lambda: STARTERS["openmpi"])
    monkeypatch.setattr(checks.os, "geteuid", lambda: 1000)
    free(monkeypatch, 10**12)


def free(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda path: SimpleNamespace(free=count))


def faults(
    out: Path, tree: dict[str, Any] | None = None, is_here: bool = True, **how: bool
) -> dict[str, Fault]:
    try:
        admit(planned_of(tree or ADEX, run_dir=out), is_here=is_here, **how)
    except ExperimentError as error:
        return {fault.path: fault for fault in error.faults}
    return {}


def test_a_new_folder_is_fine(tmp_path: Path) -> None:
    assert faults(tmp_path / "deep" / "run") == {}


def test_nothing_is_made(tmp_path: Path) -> None:
    faults(tmp_path / "deep" / "run")
    assert list(tmp_path.iterdir()) == []


def test_results_never_overwrite_others(tmp_path: Path) -> None:
    assert "exists" in faults(tmp_path)["--out"].message


def test_a_run_that_may_take_another_name_does_not_mind(tmp_path: Path) -> None:
    assert faults(tmp_path, may_exist=True) == {}


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is not a folder" in faults(tmp_path / "file" / "run")["--out"].message


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # root may write anywhere, so the answer of the system is played
    monkeypatch.setattr(checks.os, "access", lambda path, mode: False)
    assert f"{tmp_path} is not writable" in faults(tmp_path / "run")["--out"].message
    assert os.path.exists(tmp_path)


def test_disk_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free(monkeypatch, 4_000_000)
    message = faults(tmp_path / "run")["--out"].message
    assert "needs about 5 MB, but only 4 MB are free" in message
    assert faults(tmp_path / "run", is_here=False).keys() == {"--out"}
    assert faults(tmp_path / "run", shares_disk=True) == {}


def test_root_is_told_what_openmpi_wants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM")
    monkeypatch.setattr(checks.os, "geteuid", lambda: 0)
    for name in allowed:
        monkeypatch.delenv(name, raising=False)
    tree = changed(ADEX, resources__nest__ranks=2)
    found = faults(tmp_path / "run", tree)
    assert "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM" in found["resources.nest.ranks"].message
    assert faults(tmp_path / "run", tree, is_here=False) == {}
    for name in allowed:
        monkeypatch.setenv(name, "1")
    assert faults(tmp_path / "run", tree) == {}


def test_ranks_need_mpirun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = changed(ADEX, resources__nest__ranks=2)
    assert faults(tmp_path / "run", tree) == {}
    monkeypatch.setattr(checks, "find_starter", lambda: None)
    found = faults(tmp_path / "run", tree)
    assert "2 ranks need mpirun" in found["resources.nest.ranks"].message
    assert faults(tmp_path / "run", tree, is_here=False) == {}


@pytest.mark.parametrize(
    ("stand_in", "path"),
    [
        ({"kind": "file", "path": "missing.csv"}, "stand_in.path"),
        ({"kind": "journal", "run": "missing"}, "stand_in.run"),
    ],
)
def test_what_stands_in_must_be_there(tmp_path: Path, stand_in: dict[str, str], path: str) -> None:
    tree = changed(ADEX, simulators="nest", stand_in=stand_in)
    assert "missing" in faults(tmp_path / "run", tree)[path].message


def test_several_faults_come_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = changed(ADEX, resources__nest__ranks=2)
    monkeypatch.setattr(checks, "find_starter", lambda: None)
    found = faults(tmp_path, tree)
    assert set(found) == {"--out", "resources.nest.ranks"}


def test_nearest_existing_folder(tmp_path: Path) -> None:
    assert existing_ancestor(tmp_path / "a" / "b") == tmp_path
    assert existing_ancestor(tmp_path) == tmp_path
