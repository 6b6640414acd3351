"""A batch script carried out by a shell: real participants, on one node, without a scheduler."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from slurm.fake_slurm import FakeSlurm
from system.trouble import eventually, module_of, recorded_windows
from tvb_nest_cosim.cosim_core.results import digest

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "runs, $HOME" / 'it\'s "one" #1'


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch $x"
    folder.mkdir()
    return folder


@pytest.fixture
def start(fake: FakeSlurm, experiment: Path, out: Path, scratch: Path) -> Iterator[Start]:
    """Writes a script and starts it; one MPI process of NEST, since none here needs more.

    It draws no report unless it is said to.
    """
    shells = []

    def go(*options: str, draw: bool = False) -> subprocess.Popen[bytes]:
        dry = fake.cosim(
            *["run", experiment, "--launcher", "slurm", "--mpi", "openmpi", "--out", out],
            *["--interface", "lo", *options, "--dry-run", *([] if draw else ["--no-report"])],
        )
        assert dry.returncode == 0, dry.stderr
        out.parent.mkdir()
        script = out.parent / "script"
        script.write_text(dry.stdout)
        # Slurm gives the script a rank, which is none of the participants'.
        environment = {**os.environ, "TMPDIR": str(scratch), "SLURM_PROCID": "0"}
        with (out.parent / "log").open("wb") as log:
            shells.append(
                subprocess.Popen(["bash", script], stdout=log, stderr=log, env=environment)
            )
        return shells[-1]

    yield go
    for shell in shells:
        for child in (
            psutil.Process(shell.pid).children(recursive=True) if shell.poll() is None else ()
        ):
            child.kill()
        shell.wait(30)


def await_windows(out: Path) -> None:
    eventually(lambda: min(recorded_windows(out, role) for role in ("nest", "tvb")) > 9, "windows")


def outcome(out: Path) -> tuple[str, str, int]:
    told = json.loads((out / "provenance.json").read_text())
    return told["outcome"], told["cause"] or "", told["windows_done"]


def nothing_is_left(out: Path, scratch: Path) -> None:
    """Of ours: a process of OpenMPI that was killed leaves a folder, ``ompi.HOST.UID``."""
    assert list(scratch.glob("cosim-*")) == []
    assert not (out / ".keys").exists()


def test_a_job_gives_the_local_digest(
    start: Start, out: Path, scratch: Path, local_digest: str
) -> None:
    assert start(draw=True).wait(200) == 0, (out.parent / "log").read_text()
    assert digest(out) == local_digest
    nothing_is_left(out, scratch)


def test_a_nest_per_region_is_a_program_of_its_own(
    start: Start, fake: FakeSlurm, experiment: Path, out: Path, tmp_path: Path
) -> None:
    changes = ["resources.nest.kernels=per_region", "duration_ms=20"]
    changes += [f"spiking.{group}.tracts.mode=none" for group in (0, 1)]
    options = [word for change in changes for word in ("--set", change)]
    assert start(*options).wait(200) == 0, (out.parent / "log").read_text()
    assert {"nest.out", "nest-1.out"} <= {path.name for path in (out / "logs").iterdir()}
    local = tmp_path / "local"
    assert fake.cosim("run", experiment, "--no-report", "--out", local, *options).returncode == 0
    assert digest(out) == digest(local)


def test_sockets_are_encrypted_on_the_chosen_interface(start: Start, out: Path) -> None:
    shell = start("--set", "duration_ms=60000")
    await_windows(out)
    # MPI, which NEST loads, has sockets of its own.
    bound = {
        connection.laddr.ip
        for child in psutil.Process(shell.pid).children(recursive=True)
        if module_of(child) in ("orchestrator", "translator")
        for connection in child.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert bound == {"127.0.0.1"}
    keys = out / ".keys"
    assert keys.stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o077 for path in keys.iterdir()} == {0}
    shell.terminate()
    assert shell.wait(60) == 130


@pytest.mark.parametrize(
    ("number", "cause"),
    [(signal.SIGUSR1, "by the time limit of the job"), (signal.SIGTERM, "by the user")],
)
def test_a_signal_ends_the_run_at_a_window_and_keeps_it(
    start: Start, out: Path, scratch: Path, number: signal.Signals, cause: str
) -> None:
    shell = start("--set", "duration_ms=60000")
    await_windows(out)
    shell.send_signal(number)
    assert shell.wait(60) == 130
    kind, told, windows = outcome(out)
    assert (kind, told) == ("interrupted", f"interrupted {cause}")
    assert windows > 0
    assert windows == recorded_windows(out, "tvb") == recorded_windows(out, "nest")
    assert (out / "spikes.h5").exists()
    nothing_is_left(out, scratch)


def test_scancel_reaches_everybody_and_the_run_is_kept(
    start: Start, out: Path, scratch: Path
) -> None:
    shell = start("--set", "duration_ms=60000")
    await_windows(out)
    for child in psutil.Process(shell.pid).children(recursive=True):
        child.terminate()
    shell.terminate()
    assert shell.wait(60) == 130
    # Nobody but the orchestrator took notice.
    assert outcome(out)[:2] == ("interrupted", "interrupted by the user")
    assert (out / "spikes.h5").exists()
    nothing_is_left(out, scratch)


@pytest.mark.parametrize("module", ["nest_service", "tvb_service", "translator"])
def test_a_killed_participant_is_named(start: Start, out: Path, scratch: Path, module: str) -> None:
    shell = start("--set", "duration_ms=60000")
    await_windows(out)
    for child in psutil.Process(shell.pid).children(recursive=True):
        if module_of(child) == module:
            child.kill()
    assert shell.wait(60) == 1
    kind, cause, windows = outcome(out)
    assert kind == "failed"
    assert f"{module.removesuffix('_service')}-0 was killed by signal 9 (SIGKILL)" in cause
    assert windows > 0
    nothing_is_left(out, scratch)


def test_who_hangs_is_ended(start: Start, out: Path, scratch: Path) -> None:
    shell = start("--set", "duration_ms=60000")
    await_windows(out)
    children = psutil.Process(shell.pid).children(recursive=True)
    next(child for child in children if module_of(child) == "tvb_service").suspend()
    orchestrator = next(child for child in children if module_of(child) == "orchestrator")

    def is_told_again() -> bool:
        """Told once it would wait for a window that never ends; told again, it ends now."""
        if shell.poll() is None and orchestrator.is_running():
            orchestrator.terminate()
        return shell.poll() is not None

    eventually(is_told_again, "the end")
    assert shell.returncode == 130
    psutil.wait_procs(children, 30)
    assert not any(child.is_running() for child in children)
    nothing_is_left(out, scratch)


def test_a_killed_orchestrator_leaves_nobody(start: Start, out: Path, scratch: Path) -> None:
    shell = start("--set", "duration_ms=60000")
    await_windows(out)
    children = psutil.Process(shell.pid).children(recursive=True)
    for child in children:
        if module_of(child) == "orchestrator":
            child.kill()
    assert shell.wait(60) == 137
    psutil.wait_procs(children, 30)
    assert not any(child.is_running() for child in children)
    nothing_is_left(out, scratch)


def test_an_interface_that_the_node_lacks_is_told(start: Start, out: Path, scratch: Path) -> None:
    assert start("--interface", "ib7").wait(60) == 2
    log = (out.parent / "log").read_text()
    assert "has no 'ib7'; it has" in log
    assert not out.exists()
    nothing_is_left(out, scratch)


def test_an_experiment_that_cannot_run_ends_the_job(
    start: Start, out: Path, experiment: Path, scratch: Path
) -> None:
    shell = start("--set", "timeouts.start_s=0.01")
    assert shell.wait(60) == 1
    assert "did not get ready" in outcome(out)[1]
    nothing_is_left(out, scratch)
    assert sys.executable in (out.parent / "script").read_text()
