"""docs/architecture.md against the tree: every path exists, every folder has its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SERVICES = REPOSITORY / "services"
DOCS = REPOSITORY / "docs"
TEXT = (DOCS / "architecture.md").read_text(encoding="utf-8")
DECISION = (DOCS / "decisions" / "0011-conventions.md").read_text(encoding="utf-8")

FOLDERS = sorted(
    f"{package}/{folder.name}/"
    for package in ("cosim_core", "orchestrator")
    for folder in (SERVICES / package).iterdir()
    if folder.is_dir() and not folder.name.startswith("__")
)


def section(heading: str) -> str:
    """Returns what stands under a heading of the second level."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)
    assert found, f"there is no section '{heading}'"
    return found[1]


def paths_named() -> list[str]:
    """Lists everything in backticks that is a path: it has a slash, no blank, no angle."""
    named = re.findall(r"`([\w.][\w./-]*/[\w./-]*)`", TEXT)
    return sorted(set(named))


def rows_of(table: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", table, re.M)


@pytest.mark.parametrize("path", paths_named())
def test_every_path_named_exists(path: str) -> None:
    known = [SERVICES / path, REPOSITORY / path]
    for package in ("orchestrator/server", "tvb_service", "nest_service"):
        known.append(SERVICES / package / path)
    assert any(candidate.exists() for candidate in known), f"there is no {path}"


def test_modules_named_without_their_folder_are_in_the_folder_of_their_row() -> None:
    for row in re.findall(r"^\| .* \|$", TEXT, re.M):
        folders = re.findall(r"`([\w/]+/)`", row)
        for module in re.findall(r"`(\w+\.py)`", row):
            assert any((SERVICES / folder / module).is_file() for folder in folders), module


def test_every_folder_has_its_line() -> None:
    listed = rows_of(section("Which folder does what"))
    assert set(FOLDERS) <= set(listed)
    assert len(listed) == len(set(listed))


def test_a_folder_stands_above_those_it_imports() -> None:
    """The table of cosim_core is in the order of import-linter's layers."""
    pyproject = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    listed = [row for row in rows_of(section("Which folder does what")) if row.count("/") == 2]
    for package in ("cosim_core", "orchestrator"):
        layers = re.search(
            rf'containers = \["tvb_nest_cosim\.{package}"\]\nlayers = \[(.*?)\]', pyproject, re.S
        )
        assert layers
        order = [set(line.split(" | ")) for line in re.findall(r'"([^"]+)"', layers[1])]
        rank = {name: index for index, names in enumerate(order) for name in names}
        folders = [row.split("/")[1] for row in listed if row.startswith(f"{package}/")]
        ranks = [rank[folder] for folder in folders if folder in rank]
        assert ranks == sorted(ranks), package


def test_the_glossary_has_the_words_of_the_conventions() -> None:
    listed = [word.lower() for word in re.findall(r"\*\*([\w-]+)\*\*", section("Glossary"))]
    decided = re.findall(r"^\| ([\w-]+) \| [A-Z]", DECISION, re.M)
    assert sorted(listed) == sorted(decided)


def test_it_is_one_page_and_contributors_begin_with_it() -> None:
    assert len(TEXT.splitlines()) < 150
    contributing = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", contributing)
    assert links[0] == "docs/architecture.md"
