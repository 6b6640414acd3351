"""Processes of this machine: how they are started, how they ended, and that none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

import psutil
import pytest

from core.ensembles import make_plan
from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.errors import EXIT_DESERTED
from tvb_nest_cosim.cosim_core.processes import commands
from tvb_nest_cosim.cosim_core.processes.commands import (
    tied_to_parent,
    worker_command,
    worker_environment,
)
from tvb_nest_cosim.cosim_core.processes.process_group import how_it_ended
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES, Role
from tvb_nest_cosim.orchestrator.launchers.local import LOCAL, LocalProcesses

T = TypeVar("T")

WORKER = """
import os, signal, subprocess, sys, time
from pathlib import Path

what = os.environ["WHAT"]
print("arguments:", *sys.argv[1:], flush=True)
if what == "family":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code])
    Path(os.environ["PIDS"]).write_text(f"{os.getpid()} {child.pid}")
    time.sleep(60)
elif what == "orphan":
    child = subprocess.Popen(["sleep", "60"])
    Path(os.environ["PIDS"]).write_text(f"{os.getpid()} {child.pid}")
elif what == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
else:
    sys.exit(int(what))
"""


def test_the_command_of_a_worker() -> None:
    assert worker_command("nest", "ipc:///s/control", "run-1", "abc") == [
        *[sys.executable, "-P", "-m", "tvb_nest_cosim.nest_service", "worker"],
        *["--control", "ipc:///s/control", "--run", "run-1", "--digest", "abc"],
    ]


@pytest.mark.parametrize(("role", "module"), sorted(MODULES.items()))
def test_every_role_has_a_module(role: Role, module: str) -> None:
    assert worker_command(role, "c", "r", "d")[3] == module


def test_hostile_names_stay_single_arguments() -> None:
    command = worker_command("tvb", "ipc:///a b/'c", "run; rm -rf /", "$(id)")
    assert command[5:] == [
        *["--control", "ipc:///a b/'c", "--run", "run; rm -rf /", "--digest", "$(id)"],
    ]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (0, "ended with exit code 0"),
        (1, "ended with exit code 1"),
        (128, "ended with exit code 128"),
        (255, "ended with exit code 255"),
        (-9, "was killed by signal 9 (SIGKILL)"),
        (137, "was killed by signal 9 (SIGKILL)"),
        (-11, "was killed by signal 11 (SIGSEGV)"),
        (143, "was killed by signal 15 (SIGTERM)"),
        (EXIT_DESERTED, "lost its connection"),
    ],
)
def test_exit_codes_in_words(code: int, says: str) -> None:
    assert how_it_ended(code).startswith(says)


def test_workers_use_one_thread_per_library_unless_told_otherwise() -> None:
    environment = worker_environment("tvb", {"PATH": "/bin", "OMP_NUM_THREADS": "3"})
    assert environment["PATH"] == "/bin"
    assert environment["OMP_NUM_THREADS"] == "3"
    assert environment["OPENBLAS_NUM_THREADS"] == "1"
    assert "OMPI_MCA_mpi_yield_when_idle" not in environment


def test_ranks_of_nest_yield_when_they_wait() -> None:
    assert worker_environment("nest", {})["OMPI_MCA_mpi_yield_when_idle"] == "1"
    kept = worker_environment("nest", {"OMPI_MCA_mpi_yield_when_idle": "0"})
    assert kept["OMPI_MCA_mpi_yield_when_idle"] == "0"


def test_a_rank_of_this_process_is_none_of_the_workers() -> None:
    environment = worker_environment(
        "nest", {"PMIX_RANK": "1", "SLURM_PROCID": "1", "PATH": "/bin"}
    )
    assert not {"PMIX_RANK", "SLURM_PROCID"} & environment.keys()
    assert environment["PATH"] == "/bin"


def test_the_step_of_a_batch_script_is_none_of_the_workers() -> None:
    """OpenMPI took it for a sign that srun had started the worker, and gave up."""
    slurm = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "-5", "SLURM_STEPID": "-5"}
    environment = worker_environment("nest", slurm)
    assert {name for name in environment if name.startswith("SLURM")} == {"SLURM_JOB_ID"}


@pytest.fixture
def launch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., LocalProcesses]]:
    """Starts the processes of a run whose one worker does what the test wants."""
    (tmp_path / "stand_in_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    monkeypatch.setattr(commands, "MODULES", dict.fromkeys(MODULES, "stand_in_worker"))
    RunLayout(tmp_path / "run").make()
    launched = []

    def start(what: str, participants: dict[str, int] | None = None) -> LocalProcesses:
        monkeypatch.setenv("WHAT", what)
        plan = make_plan(
            tmp_path / "run", experiment_digest="abc", participants=participants or {"tvb": 1}
        )
        processes = LOCAL.open(plan)
        launched.append(processes)
        processes.start("ipc:///s/control")
        return processes

    yield start
    for processes in launched:
        processes.stop(0.0)
        processes.close()


def eventually(get: Callable[[], T | Literal[False]]) -> T:
    deadline = Deadline.after(30)
    while not (value := get()):
        assert not deadline.passed(), "it never came"
        time.sleep(0.01)
    return value


def family(tmp_path: Path) -> list[int]:
    """Waits for the ids that a worker wrote down."""
    path = tmp_path / "pids"
    return [int(pid) for pid in eventually(lambda: path.exists() and path.read_text()).split()]


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_an_end_is_told_once_with_the_last_words(launch: Callable[..., LocalProcesses]) -> None:
    processes = launch("4")
    (gone,) = eventually(processes.poll)
    assert gone.names == ("tvb-0",)
    assert gone.how == "ended with exit code 4"
    assert (
        gone.last_words == "arguments: worker --control ipc:///s/control --run run-1 --digest abc"
    )
    assert not gone.is_consequence
    assert processes.poll() == []


def test_a_killed_worker_is_told_with_its_signal(launch: Callable[..., LocalProcesses]) -> None:
    (gone,) = eventually(launch("killed").poll)
    assert gone.how.startswith("was killed by signal 9 (SIGKILL)")


def test_causes_are_told_before_consequences(launch: Callable[..., LocalProcesses]) -> None:
    processes = launch(str(EXIT_DESERTED), {"nest": 1})
    eventually(lambda: processes._group._children[0].process.poll() is not None)
    processes._group._children += launch("4")._group._children
    eventually(lambda: processes._group._children[1].process.poll() is not None)
    assert [(gone.names, gone.is_consequence) for gone in processes.poll()] == [
        (("tvb-0",), False),
        (("nest-0",), True),
    ]


def test_stop_ends_whoever_does_not_leave_and_its_children(
    launch: Callable[..., LocalProcesses], tmp_path: Path
) -> None:
    processes = launch("family")
    pids = family(tmp_path)
    assert all(map(is_alive, pids))
    processes.stop(0.0)
    eventually(lambda: not any(map(is_alive, pids)))
    assert processes._group._children[0].process.returncode == -signal.SIGKILL


def test_stop_ends_what_a_finished_worker_left_behind(
    launch: Callable[..., LocalProcesses], tmp_path: Path
) -> None:
    processes = launch("orphan")
    _, orphan = family(tmp_path)
    eventually(processes.poll)
    assert is_alive(orphan)
    processes.stop(0.0)
    eventually(lambda: not is_alive(orphan))


def test_stop_waits_for_those_who_leave_by_themselves(
    launch: Callable[..., LocalProcesses],
) -> None:
    processes = launch("0")
    processes.stop(30.0)
    (gone,) = processes.poll()
    assert gone.how == "ended with exit code 0"
    processes.stop(30.0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_a_process_on_a_leash_dies_with_its_parent() -> None:
    command = tied_to_parent(["sleep", "60"])
    code = f"import subprocess, time; print(subprocess.Popen({command!r}).pid, flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}; time.sleep(60)"], stdout=subprocess.PIPE, text=True
    ) as parent:
        pid = int(parent.stdout.readline())
        eventually(lambda: psutil.Process(pid).name() == "sleep")
        os.kill(parent.pid, signal.SIGKILL)
    eventually(lambda: not is_alive(pid))
