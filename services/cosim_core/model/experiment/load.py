"""From a YAML file and ``--set`` overrides to a checked experiment, or all faults at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.experiment.faults import parse_as
from tvb_nest_cosim.cosim_core.model.experiment.tree import Experiment

MAX_FILE_BYTES = 4 * 1024 * 1024
"""Largest experiment file that is read; real ones have a few kB."""

MAX_VALUES = 1_000_000
"""Most values in an experiment, aliases (``*name``) written out; a few lines can stand for more
than fits into memory."""


def load_experiment(path: Path, overrides: Iterable[str] = ()) -> Experiment:
    """Reads an experiment file.

    Args:
        path: YAML file.
        overrides: Strings ``key.path=value``, the value in YAML.

    Raises:
        ExperimentError: If the file cannot be read or is not a valid experiment.
    """
    return load_tree(read_yaml(path, "experiment"), str(path), overrides)


def read_yaml(path: Path, what: str) -> dict[str, Any]:
    """Reads a YAML file of keys and values.

    Args:
        path: The file.
        what: What it is, for messages.

    Raises:
        ExperimentError: If it cannot be read, is not YAML, or holds anything else.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ExperimentError.single(
                "",
                f"{path} has {size} bytes; {what} files have a few kB (limit {MAX_FILE_BYTES})",
            )
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ExperimentError.single(
            "", f"cannot read the {what} {path}: {error.strerror or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise ExperimentError.single("", f"{path} is not a text file in UTF-8: {error}") from error
    return _yaml(text, str(path))


def load_text(text: str, origin: str, overrides: Iterable[str] = ()) -> Experiment:
    """Reads an experiment from YAML text.

    Args:
        text: The YAML.
        origin: Where it comes from, for messages.
        overrides: Strings ``key.path=value``, the value in YAML.

    Raises:
        ExperimentError: If it is not a valid experiment.
    """
    return load_tree(_yaml(text, origin), origin, overrides)


def load_tree(tree: Mapping[str, Any], origin: str, overrides: Iterable[str] = ()) -> Experiment:
    """Checks a tree of plain values after changing it; see :func:`load_text`."""
    changed = apply_overrides(tree, overrides)
    _refuse_too_many_values(changed, origin)
    return parse(changed)


def _yaml(text: str, origin: str) -> dict[str, Any]:
    try:
        tree = yaml.load(text, _UniqueKeys)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, RecursionError) as error:
        message = f"{origin} is not valid YAML: {_yaml_cause(error)}"
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        fault = Fault("", message, line=mark.line + 1 if mark else None)
        raise ExperimentError([fault]) from error
    if not isinstance(tree, dict):
        got = "is empty" if tree is None else f"holds {type(tree).__name__}"
        raise ExperimentError.single(
            "", f"{origin} {got}, expected keys and values (duration_ms: ...)"
        )
    _refuse_too_many_values(tree, origin)
    return tree


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that is there twice; YAML itself would silently drop the first."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Reads a mapping, before anchors and merges (``<<``) are resolved."""
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key '{key.value}' is there twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return node


def _yaml_cause(error: Exception) -> str:
    """Says in one line what is wrong and where."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return " ".join(str(error).split())
    mark = error.problem_mark
    where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{error.problem or error.context}{where}"


def _refuse_too_many_values(tree: dict[str, Any], origin: str) -> None:
    count, pending = 0, [iter(tree.values())]
    while pending:
        for node in pending[-1]:
            count += 1
            if isinstance(node, dict | list):
                pending.append(iter(node.values() if isinstance(node, dict) else node))
                break
        else:
            pending.pop()
        if count > MAX_VALUES:
            raise ExperimentError.single(
                "", f"{origin} holds more than {MAX_VALUES} values with its aliases written out"
            )


def apply_overrides(tree: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Sets ``key.path=value`` in a copy of the tree; list items are named by their index.

    Raises:
        ExperimentError: If an override has no ``=``, bad YAML, or a path through a scalar.
    """
    result: dict[str, Any] = _copy(tree)
    faults = []
    for override in overrides:
        path, separator, text = override.partition("=")
        if not separator or not path.strip():
            faults.append(Fault("--set", f"'{override}' is not of the form key.path=value"))
            continue
        try:
            _assign(result, path.strip().split("."), yaml.safe_load(text))
        except (yaml.YAMLError, LookupError, ValueError, TypeError, RecursionError) as error:
            cause = _yaml_cause(error)
            faults.append(Fault(f"--set {path}", f"cannot be set to '{text}': {cause}"))
    if faults:
        raise ExperimentError(faults)
    return result


def _copy(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {key: _copy(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_copy(value) for value in tree]
    return tree


def _assign(node: Any, keys: list[str], value: Any) -> None:
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        if isinstance(node, list):
            if not key.removeprefix("-").isdecimal():
                raise LookupError(f"'{key}' is not the number of an item; the list has {len(node)}")
            index = int(key)
            if not 0 <= index < len(node):
                raise LookupError(
                    f"there is no item {index}; the list has {len(node)}, counted from 0. More "
                    "items can only be written in the file or set as a whole list"
                )
            if last:
                node[index] = value
            node = node[index]
        elif isinstance(node, dict):
            if last:
                node[key] = value
            elif not isinstance(node.get(key), dict | list):
                node[key] = {}
            node = node[key]
        else:
            raise LookupError(f"'{'.'.join(keys[:depth])}' is a value, it has no key '{key}'")


def parse(tree: Mapping[str, Any]) -> Experiment:
    """Checks a tree of plain values.

    Raises:
        ExperimentError: With one fault per wrong or unknown key.
    """
    return parse_as(Experiment, tree)


def experiment_schema() -> dict[str, Any]:
    """Returns the JSON schema of an experiment (draft 2020-12)."""
    return json_schema(Experiment)


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Returns the JSON schema of what a file may hold (draft 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(),
    }


def dump_yaml(part: BaseModel) -> str:
    """Writes a part of the tree as YAML with every default, keys in declared order."""
    return yaml.safe_dump(part.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
