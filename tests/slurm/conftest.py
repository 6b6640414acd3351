"""A fake Slurm, an experiment file, and the digest that it has on this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from conftest import COSIM
from slurm.fake_slurm import FakeSlurm
from system.conftest import TINY


@pytest.fixture
def fake(tmp_path: Path) -> FakeSlurm:
    folder = tmp_path / "bin"
    folder.mkdir()
    return FakeSlurm(folder)


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    path = tmp_path / "tiny it's.yaml"
    path.write_text(yaml.safe_dump(TINY))
    return path


@pytest.fixture(scope="module")
def local_digest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the experiment as a run of this machine."""
    folder = tmp_path_factory.mktemp("local")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    cosim = COSIM
    subprocess.run(
        [*cosim, "run", "tiny.yaml", "--no-report", "--out", "run"], cwd=folder, check=True
    )
    done = subprocess.run([*cosim, "digest", "run"], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode().strip()
