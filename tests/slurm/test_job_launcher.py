"""The orchestrator's side of the folder in which it meets the batch script."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosim_core.layout import RunLayout
from cosim_core.mpi import STARTERS
from orchestrator.launchers.job import JobLauncher


@pytest.fixture
def launcher(tmp_path: Path) -> JobLauncher:
    layout = RunLayout(tmp_path / "run")
    layout.make()
    return JobLauncher(tmp_path, layout, {"nest": 2, "tvb": 1}, STARTERS["pmix"])


@pytest.fixture
def group(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A participant that hears nothing and never ends."""
    deaf = "trap '' TERM; echo deaf; while :; do sleep 60; done"
    with subprocess.Popen(["bash", "-c", deaf], start_new_session=True, stdout=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (tmp_path / "tvb.group").write_text(f"{process.pid}\n")
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_the_call_says_where_and_what(launcher: JobLauncher, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "call")
    script = os.open(tmp_path / "call", os.O_RDWR)
    launcher.start("tcp://n1:5560", "a run", "abc")
    assert os.read(script, 100) == b"tcp://n1:5560 abc\n"
    os.close(script)


def test_a_script_that_is_gone_is_no_endless_wait(launcher: JobLauncher, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "call")
    with pytest.raises(OSError, match="No such device"):
        launcher.start("tcp://n1:5560", "a run", "abc")


def test_ends_are_told_once_causes_first(launcher: JobLauncher, tmp_path: Path) -> None:
    assert launcher.poll() == []
    (tmp_path / "run" / "logs" / "nest.out").write_text("srun: error: n2: task 1: Killed\n")
    (tmp_path / "nest.code").write_text("143\n")
    (tmp_path / "tvb.code").write_text("3\n")
    nest, tvb = launcher.poll()
    assert (nest.names, nest.is_consequence) == (("nest-1", "nest-0"), False)
    assert nest.how.startswith("was killed by signal 9")
    assert (tvb.names, tvb.is_consequence) == (("tvb-0",), True)
    assert launcher.poll() == []


def test_half_a_number_is_none(launcher: JobLauncher, tmp_path: Path) -> None:
    (tmp_path / "tvb.code").write_text("13")
    assert launcher.poll() == []


def test_who_does_not_leave_is_ended(launcher: JobLauncher, group: subprocess.Popen[bytes]) -> None:
    launcher.stop(0.0)
    assert group.wait(10) == -signal.SIGKILL


def test_who_has_left_is_not_waited_for(launcher: JobLauncher, tmp_path: Path) -> None:
    (tmp_path / "tvb.group").write_text(f"{os.getpgid(0)}\n")
    (tmp_path / "tvb.code").write_text("0\n")
    launcher.stop(60.0)
