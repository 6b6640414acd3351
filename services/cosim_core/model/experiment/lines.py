"""Lines of a YAML text by key path, so that a fault names the line that a user has to change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import yaml

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault


@contextmanager
def lines_of(source: str | Path, overrides: Iterable[str] = ()) -> Iterator[None]:
    """Adds lines to the faults of every ExperimentError that is raised within.

    Args:
        source: YAML text, or the file that holds it.
        overrides: Strings ``key.path=value``; what they set is not a fault of the text.
    """
    try:
        yield
    except ExperimentError as error:
        if not any(fault.path for fault in error.faults):
            raise
        text, file = (_text(source), str(source)) if isinstance(source, Path) else (source, "")
        root = _composed(text)
        changed = {override.partition("=")[0].strip() for override in overrides}
        raise ExperimentError(_located(f, root, changed, file) for f in error.faults) from error


def _located(fault: Fault, root: yaml.Node | None, changed: set[str], file: str) -> Fault:
    keys = fault.path.split(".")
    is_changed = any(".".join(keys[: n + 1]) in changed for n in range(len(keys)))
    line = None if is_changed else _line(root, keys)
    return fault if line is None else replace(fault, line=line, file=file)


def _line(node: yaml.Node | None, keys: list[str]) -> int | None:
    """Returns the line of a key path, or of the nearest part of it that is in the text."""
    line = None
    for key in keys:
        entries: list[tuple[yaml.Node, yaml.Node]] = []
        if isinstance(node, yaml.MappingNode):
            entries = [(name, value) for name, value in node.value if name.value == key]
        elif isinstance(node, yaml.SequenceNode) and key.isdecimal():
            entries = [(item, item) for item in node.value[int(key) :][:1]]
        if not entries:
            break
        place, node = entries[0]
        line = place.start_mark.line + 1
    return line


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _composed(text: str) -> yaml.Node | None:
    """Returns the nodes of a text; None if it is not YAML, which is a fault with its own line."""
    try:
        return yaml.compose(text, yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        return None
