"""Synthetic runs for the tests of results and reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pytest

from results.synthetic_run import Activity, write_run


class MakeRun(Protocol):
    """Writes a run directory and returns its path."""

    def __call__(self, name: str = "run", **options: Any) -> Path: ...


@pytest.fixture
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Does not wait for the disk, for tests that write hundreds of files."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Returns a function that writes a run directory; options as of ``write_run``."""

    def make(name: str = "run", **options: Any) -> Path:
        given = {"activity": Activity.make(), "window_ticks": 40, "nest_ranks": 2, **options}
        return write_run(tmp_path / name, **given)

    return make
