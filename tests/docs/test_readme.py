"""What documents say a user can type, open and see, against the repository."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer

from conftest import COSIM
from tvb_nest_cosim.orchestrator.cli.main import app

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PAGES = [
    *sorted(REPOSITORY.glob("*.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]
COMMAND_LINE = typer.main.get_command(app)


def ids(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


def anchors_of(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), f"{ids(page)} links to {target}"
        assert not anchor or anchor in anchors_of(linked), f"{ids(page)} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_exist_and_have_the_options_shown(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in re.findall(r"(?:^ {4,}|^`|`|\$ |bin/|exec )(cosim [a-z][^`#\n|]*)", text, re.M):
        command, words = COMMAND_LINE, line.split()[1:]
        while words and hasattr(command, "commands"):
            assert words[0] in command.commands, f"{ids(page)}: {line}"
            command = command.commands[words.pop(0)]
        options = {
            option for param in command.params for option in (*param.opts, *param.secondary_opts)
        }
        shown = {
            word.partition("=")[0].strip("[]().,;:'\"")
            for word in words
            if word.startswith(("--", "[--"))
        }
        assert shown <= options | {"--help"}, f"{ids(page)}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_make_targets_exist(page: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    text = page.read_text(encoding="utf-8")
    shown = set(re.findall(r"(?:^ {4}|`)make ([a-z][a-z-]*)", text, re.M))
    assert shown <= targets, ids(page)


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_nothing_is_said_to_be_on_a_package_index(page: Path) -> None:
    assert not re.search(r"pip install .?tvb-nest-cosim\[", page.read_text(encoding="utf-8"))


def test_every_example_is_listed_in_the_readme() -> None:
    listed = re.findall(r"`(?:examples/)?([\w*.]+(?:\.yaml|/))`", README)
    for path in (REPOSITORY / "examples").iterdir():
        name = f"{path.name}/" if path.is_dir() else path.name
        known = [entry.replace("...", "mouse_ca1").replace("*", "") for entry in listed]
        assert path.suffix == ".csv" or any(
            name == entry or name.startswith(entry.removesuffix(".yaml")) for entry in known
        ), name


def test_faults_shown_in_the_readme_are_those_printed() -> None:
    shown = re.search(r"^    \$ (cosim plan (?:.*\\\n)*.*)\n((?:    .*\n)+)", README, re.M)
    assert shown
    arguments = shlex.split(shown[1].replace("\\\n", " "))[1:]
    answer = subprocess.run(
        [*COSIM, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert answer.returncode == 2
    assert answer.stderr.splitlines() == [line[4:] for line in shown[2].splitlines()]


def test_the_speed_of_the_quickstart_is_told_in_one_document() -> None:
    telling = [ids(page) for page in PAGES if "of building, " in page.read_text(encoding="utf-8")]
    assert telling == ["README.md"]
