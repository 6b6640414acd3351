"""Installing takes the versions that results were tested with."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(shutil.which("make") is None, reason="no make in PATH")
def test_installing_is_constrained() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "install-dev"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    installs = [line for line in done.stdout.splitlines() if " pip install " in line]
    assert len(installs) == 2
    assert all(" --constraint services/constraints.txt " in line for line in installs)
