"""Building the distribution: one import name, examples and page included, nothing of the images."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="hatchling is not installed: make install-dev")

REPOSITORY = Path(__file__).parents[2]
NAME = "tvb_nest_cosim"


def built(source: Path, target: Path, kind: str) -> Path:
    """Builds ``wheel`` or ``sdist`` without isolation, so without network."""
    subprocess.run(
        [sys.executable, "-P", "-m", "hatchling", "build", "-t", kind, "-d", str(target)],
        cwd=source,
        check=True,
        capture_output=True,
        timeout=100,
    )
    (path,) = target.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(REPOSITORY, tmp_path_factory.mktemp("wheel"), "wheel")


def files_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def tracked(folder: str) -> set[str]:
    """Files below a folder of the repository, as the package names them."""
    return {
        path.relative_to(REPOSITORY / folder).as_posix()
        for path in (REPOSITORY / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_nothing_but_the_package_is_at_the_top(wheel: Path) -> None:
    top = {name.partition("/")[0] for name in files_in(wheel)}
    assert NAME in top
    assert {name.partition("-")[0] for name in top} == {NAME}
    assert len(top) == 2


def test_it_holds_every_module_the_page_and_the_examples(wheel: Path) -> None:
    held = {name.removeprefix(f"{NAME}/") for name in files_in(wheel)}
    assert {name for name in tracked("services") if name.endswith(".py")} <= held
    assert {f"examples/{name}" for name in tracked("examples")} <= held
    assert {f"orchestrator/web/{name}" for name in tracked("services/orchestrator/web")} <= held
    assert "orchestrator/report/templates/report.html.j2" in held
    assert "py.typed" in held
    assert not [name for name in held if name.endswith(("Dockerfile", ".sh", "constraints.txt"))]


def test_a_wheel_made_from_the_sdist_is_the_same(wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(built(REPOSITORY, tmp_path / "sdist", "sdist")) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    assert files_in(built(source, tmp_path / "wheel", "wheel")) == files_in(wheel)


def test_it_is_imported_where_nothing_else_is_installed(wheel: Path) -> None:
    code = f"import sys; sys.path.insert(0, sys.argv[1]); import {NAME}; print({NAME}.__file__)"
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, wheel],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == str(wheel / NAME / "__init__.py")
