"""What a machine must offer before a run may start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator_cases import ADEX, changed, plan_of
from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.processes.mpi import STARTERS
from tvb_nest_cosim.orchestrator.planning import checks as preflight_module
from tvb_nest_cosim.orchestrator.planning.checks import existing_ancestor, preflight


def faults(out: Path, tree: dict[str, object] | None = None, **how: object) -> dict[str, Fault]:
    arguments = {
        "needed_bytes": 1,
        "free_bytes": 10,
        "which": lambda name: f"/bin/{name}",
        "is_root": False,
    } | how
    try:
        preflight(plan_of(tree or ADEX), out, **arguments)  # type: ignore[arg-type]
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
    assert "is no folder" in faults(tmp_path / "file" / "run")["--out"].message


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # root may write anywhere, so the answer of the system is played
    monkeypatch.setattr(preflight_module.os, "access", lambda path, mode: False)
    assert f"{tmp_path} is not writable" in faults(tmp_path / "run")["--out"].message
    assert os.path.exists(tmp_path)


def test_disk_too_small(tmp_path: Path) -> None:
    message = faults(tmp_path / "run", needed_bytes=20_000_000, free_bytes=5_000_000)[
        "--out"
    ].message
    assert "needs about 20 MB, but only 5 MB are free" in message


def test_root_is_told_what_openmpi_wants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight_module, "find_starter", lambda which: STARTERS["openmpi"])
    tree = changed(ADEX, resources__nest__ranks=2)
    found = faults(tmp_path / "run", tree, is_root=True, environment={})
    assert "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM" in found["resources.nest.ranks"].message
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    assert faults(tmp_path / "run", tree, is_root=True, environment=allowed) == {}


def test_ranks_need_mpirun(tmp_path: Path) -> None:
    tree = changed(ADEX, resources__nest__ranks=2)
    assert faults(tmp_path / "run", tree) == {}
    found = faults(tmp_path / "run", tree, which=lambda name: None)
    assert "2 ranks need mpirun" in found["resources.nest.ranks"].message


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


def test_several_faults_come_together(tmp_path: Path) -> None:
    tree = changed(ADEX, resources__nest__ranks=2)
    found = faults(tmp_path, tree, which=lambda name: None)
    assert set(found) == {"--out", "resources.nest.ranks"}


def test_nearest_existing_folder(tmp_path: Path) -> None:
    assert existing_ancestor(tmp_path / "a" / "b") == tmp_path
    assert existing_ancestor(tmp_path) == tmp_path
