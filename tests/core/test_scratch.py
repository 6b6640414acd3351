"""Temporary folders of killed processes are removed by the next one, and no others."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tvb_nest_cosim.cosim_core.processes import scratch
from tvb_nest_cosim.cosim_core.processes.scratch import ScratchFolder, scratch_folder

HOLD = """
import sys
from tvb_nest_cosim.cosim_core.processes.scratch import ScratchFolder
folder = ScratchFolder("cosim")
(folder.path / "control").touch()
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@contextmanager
def another_process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that has made an old folder."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", HOLD],
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().strip())
        age(path)
        yield process, path
        process.kill()


def age(path: Path) -> None:
    os.utime(path, (0.0, 0.0), follow_symlinks=False)


def test_a_folder_is_private_and_removed_on_closing() -> None:
    with scratch_folder("cosim") as path:
        assert path.stat().st_mode & 0o077 == 0
        assert path.name.startswith(f"cosim-{os.getpid()}-")
        (path / "socket").touch()
    assert not path.exists()


def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    with another_process(tmp_path) as (process, path):
        ScratchFolder("cosim").close()
        assert (path / "control").exists(), "it lives"
        process.kill()
        process.wait()
        ScratchFolder("tvb-home").close()
        assert path.exists(), "of another kind"
        ScratchFolder("cosim").close()
        assert not path.exists()


def test_the_folder_of_a_stranger_a_link_and_a_young_one_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, link = tmp_path / "target", tmp_path / "cosim-1-link"
    young, file, other = (tmp_path / name for name in ("cosim-2-young", "cosim-3-f", "cosim-data"))
    for folder in (target, young, other):
        folder.mkdir()
    (target / "precious").touch()
    file.touch()
    link.symlink_to(target)
    for path in (target, link, file, other):
        age(path)
    ScratchFolder("cosim").close()
    stranger = tmp_path / "cosim-4-stranger"
    stranger.mkdir()
    age(stranger)
    uid = os.getuid()
    monkeypatch.setattr(scratch.os, "getuid", lambda: uid + 1)
    ScratchFolder("cosim").close()
    assert link.is_symlink()
    assert (target / "precious").exists()
    assert all(path.exists() for path in (young, file, other, stranger))
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ScratchFolder("cosim").close()
    assert not stranger.exists(), "the same folder of this user goes"
