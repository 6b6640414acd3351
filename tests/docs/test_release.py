"""What says which version this is says the same, and the changelog keeps its form."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml
from packaging.specifiers import SpecifierSet

REPOSITORY = Path(__file__).parents[2]
CHANGELOG = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def test_changelog_citation_and_package_are_of_one_version() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    latest = re.search(r"^## \[(\d[\d.]*)\] - (\d{4}-\d\d-\d\d)$", CHANGELOG, re.M)
    assert latest
    assert (citation["version"], citation["date-released"]) == latest.groups()
    assert PROJECT["version"] == citation["version"]
    assert citation["license"] == PROJECT["license"]
    supported = ".".join(PROJECT["version"].split(".")[:2])
    assert f"now {supported}." in (REPOSITORY / "SECURITY.md").read_text()


def test_changes_stand_under_three_headings_and_once() -> None:
    headings = re.findall(r"^### (.*)$", CHANGELOG, re.M)
    assert set(headings) <= {"Added", "Changed", "Fixed"}
    entries = re.findall(r"^- (.*(?:\n  .*)*)", CHANGELOG, re.M)
    for word in ("PBS", "cosim sweep`:", "cosim serve`:", "--no-report"):
        assert len([entry for entry in entries if word in entry]) == 1, word


def test_the_pythons_named_are_those_that_pip_accepts() -> None:
    accepted = SpecifierSet(PROJECT["requires-python"])
    minors = [f"3.{minor}" for minor in range(9, 20) if f"3.{minor}.1" in accepted]
    prefix = "Programming Language :: Python :: "
    listed = [text.removeprefix(prefix) for text in PROJECT["classifiers"] if prefix in text]
    assert listed == minors
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert f"Python {', '.join(minors[:-1])} or {minors[-1]}" in readme
