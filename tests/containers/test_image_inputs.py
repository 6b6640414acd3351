"""What images are built from, checked without building any."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from containers.stack import AGENTS, ROOT
from tvb_nest_cosim.cosim_core.errors import SecurityError
from tvb_nest_cosim.cosim_core.wire.keys import NAMES, deal_keys, load_keys

DOCKERFILES = sorted((ROOT / "services").glob("*/Dockerfile"))


def pins() -> dict[str, str]:
    lines = (ROOT / "services" / "constraints.txt").read_text().splitlines()
    found = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in found}


def test_every_dependency_is_pinned_within_its_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lists = [project["dependencies"], *(extras[name] for name in extras if name != "dev")]
    needed = [Requirement(text) for requirements in lists for text in requirements]
    pinned = pins()
    wrong = [
        str(requirement)
        for requirement in needed
        if requirement.name != project["name"]
        and not requirement.specifier.contains(pinned.get(canonicalize_name(requirement.name), "0"))
    ]
    assert wrong == []


def test_the_images_begin_alike_so_that_layers_are_shared() -> None:
    assert [path.parent.name for path in DOCKERFILES] == [
        "nest_service", "orchestrator", "translator", "tvb_service",
    ]  # fmt: skip
    beginnings = set()
    for path in DOCKERFILES:
        text = path.read_text()
        start = text.index("FROM debian:bookworm-slim AS python")
        end = text.index("COPY pyproject.toml services/constraints.txt ./")
        beginnings.add(text[start:end])
    assert len(beginnings) == 1


def test_images_build_on_debian_and_nothing_else() -> None:
    """Everything comes from Debian and PyPI, or from another stage."""
    for path in (*DOCKERFILES, ROOT / "services" / "orchestrator" / "postgres.Dockerfile"):
        bases = re.findall(r"^FROM (\S+)", path.read_text(), re.MULTILINE)
        stages = re.findall(r" AS (\S+)$", path.read_text(), re.MULTILINE)
        assert set(bases) - set(stages) == {"debian:bookworm-slim"}


def test_the_compose_file_publishes_one_port_on_loopback() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"orchestrator": ["${COSIM_BIND:-127.0.0.1}:${COSIM_PORT:-8642}:8642"]}
    for name in AGENTS:
        assert services[name]["networks"] == ["ensemble"]
    for service in services.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service


def test_every_variable_of_the_compose_file_is_documented_with_its_default() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    document = (ROOT / "docs" / "containers.md").read_text()
    for name, default in re.findall(r"\$\{(COSIM_\w+):-([^}]*)\}", compose):
        assert re.search(rf"`{name}` *\| *{f'`{re.escape(default)}`' if default else ''}", document)


def test_dealt_keys_hold_one_secret_each_and_are_kept(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-P",
        "-m",
        "tvb_nest_cosim.orchestrator",
        "keys",
        "new",
        str(tmp_path),
        "--deal",
    ]
    assert b"made keys" in subprocess.run(command, capture_output=True, check=True).stdout
    for name in NAMES:
        assert [path.stem for path in (tmp_path / name).glob("*.key_secret")] == [name]
        assert set(load_keys(tmp_path / name, name).known) == set(NAMES)
        with pytest.raises(SecurityError):
            load_keys(tmp_path / name, "tvb" if name == "nest" else "nest")
    before = load_keys(tmp_path / "nest", "nest")
    assert b"kept" in subprocess.run(command, capture_output=True, check=True).stdout
    assert load_keys(tmp_path / "nest", "nest") == before


@pytest.mark.parametrize("loss", ["nest/nest.key_secret", "tvb/orchestrator.key"])
def test_keys_that_do_not_belong_together_are_replaced(tmp_path: Path, loss: str) -> None:
    assert deal_keys(tmp_path)
    old = load_keys(tmp_path / "translator", "translator")
    (tmp_path / loss).unlink()
    assert deal_keys(tmp_path)
    dealt = [load_keys(tmp_path / name, name) for name in NAMES]
    assert len({tuple(sorted(keys.known.items())) for keys in dealt}) == 1
    assert dealt[-1].secret != old.secret


def test_what_images_copy_is_not_ignored() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    for path in DOCKERFILES:
        for line in re.findall(r"^COPY (?!--from)(.+)$", path.read_text(), re.MULTILINE):
            for source in line.split()[:-1]:
                assert source.split("/")[0].replace("wheel[s]", "wheels") in allowed, line
