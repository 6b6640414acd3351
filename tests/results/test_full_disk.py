"""A disk that is full, at whatever byte, or read-only, costs time and no results."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from results.test_damage import finished_run, result_bytes
from small_disk import MIB, mounted
from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.results import complete, open_run
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.manifest import Manifest

PAGE_BYTES = 4096
LEVELS = 6


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Returns the folder of a small file system."""
    with mounted(tmp_path / "disk", 8 * MIB) as folder:
        yield folder


@pytest.fixture
def unfinished(tmp_path: Path, small_disk: Path) -> tuple[Path, dict[str, bytes]]:
    """Returns a run on the small disk without its results, and what these are."""
    whole = finished_run(tmp_path / "whole" / "run")
    root = shutil.copytree(whole, small_disk / "run")
    without_results(root)
    return root, result_bytes(whole)


def without_results(root: Path) -> None:
    layout = RunLayout(root)
    for path in (*layout.results(), layout.manifest):
        path.unlink(missing_ok=True)


def leave(folder: Path, left_bytes: int) -> Path:
    """Fills a disk but for some bytes."""
    filler = folder / "filler"
    free = os.statvfs(folder)
    filler.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - left_bytes)))
    return filler


def refusal(root: Path) -> str:
    """Completes a run; returns why it cannot be, empty if it can."""
    try:
        complete(root, tell=lambda text: None)
    except RunDirectoryError as error:
        return str(error)
    return ""


def test_whatever_space_is_left_the_run_can_be_completed_when_there_is_more(
    small_disk: Path, unfinished: tuple[Path, dict[str, bytes]]
) -> None:
    root, expected = unfinished
    needed = sum(map(len, expected.values())) + 2 * len(expected) * PAGE_BYTES
    failures = 0
    for level in range(LEVELS + 1):
        filler = leave(small_disk, needed * level // LEVELS // PAGE_BYTES * PAGE_BYTES)
        told = refusal(root)
        if told:
            failures += 1
            assert len(told.splitlines()) == 1, told
            assert str(root) in told
            assert "s the disk full" in told
            assert Manifest.read(RunLayout(root)) is None
            with open_run(root) as run, pytest.raises(RunDirectoryError, match="cosim report"):
                _ = run.tvb
        filler.unlink()
        complete(root, tell=lambda text: None)
        assert result_bytes(root) == expected
        without_results(root)
    assert LEVELS // 2 <= failures <= LEVELS


def test_a_disk_that_became_read_only_is_told_and_still_read(
    small_disk: Path, unfinished: tuple[Path, dict[str, bytes]]
) -> None:
    root, expected = unfinished

    def remount(how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(small_disk)], check=True)

    remount("ro")
    with pytest.raises(RunDirectoryError, match="Read-only file system"):
        complete(root)
    remount("rw")
    complete(root)
    remount("ro")
    assert result_bytes(root) == expected
    with open_run(root) as run:
        assert run.tvb["TemporalAverage"].size > 0
    remount("rw")
