"""From a YAML file and ``--set`` overrides to a checked experiment, or all faults at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.experiment.tree import Experiment
from tvb_nest_cosim.cosim_core.plugins import near_names

AnyModel = TypeVar("AnyModel", bound=BaseModel)

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
        ExperimentError: If the file cannot be read or is no valid experiment.
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
        ExperimentError: If it is no valid experiment.
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
        raise ExperimentError.single(
            "", f"{origin} is not valid YAML: {_yaml_cause(error)}"
        ) from error
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
                raise LookupError(f"'{key}' is no number of an item; the list has {len(node)}")
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


def parse_as(model: type[AnyModel], tree: Mapping[str, Any]) -> AnyModel:
    """Checks a tree of plain values that is to be something else than an experiment.

    Raises:
        ExperimentError: With one fault per wrong or unknown key.
    """
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise ExperimentError(_faults(error.errors(include_url=False), tree, model)) from error


def _faults(
    errors: list[ErrorDetails], tree: Mapping[str, Any], model: type[BaseModel]
) -> list[Fault]:
    """Makes one fault per key path; a value that may be of several forms fails once for each."""
    messages: dict[tuple[str, str], list[str]] = {}
    for error in errors:
        path = _key_path(error, tree)
        if error["type"] == "extra_forbidden":
            messages[path, ""] = [f"unknown key{_did_you_mean(error['loc'], model)}"]
        else:
            got = repr(error["input"])
            got = got if len(got) <= 80 else f"{got[:77]}..."
            messages.setdefault((path, f"; got {got}"), []).append(_message(error))
    # A list that is wrong because of an item is one fault, that of the item.
    paths = {path for path, _ in messages}
    return [
        Fault(path, " or: ".join(dict.fromkeys(texts)) + got)
        for (path, got), texts in messages.items()
        if not any(other.startswith(f"{path}.") for other in paths)
    ]


def _message(error: ErrorDetails) -> str:
    """Returns pydantic's message, and for a misspelt word of a list the words that may be meant."""
    if error["type"] != "literal_error" or not isinstance(error["input"], str):
        return error["msg"]
    near = near_names(error["input"], re.findall(r"'([^']*)'", error["ctx"]["expected"]))
    return f"{error['msg']} (did you mean {' or '.join(near)}?)" if near else error["msg"]


def _key_path(error: ErrorDetails, tree: Mapping[str, Any]) -> str:
    """Finds where in the user's file an error is; pydantic adds the names of forms it tried."""
    path: list[str] = []
    node: Any = tree
    for part in error["loc"]:
        is_key = isinstance(node, Mapping) and part in node
        if is_key or (isinstance(node, list) and isinstance(part, int)):
            node = node[part]
            path.append(str(part))
        elif error["type"] == "missing" and part == error["loc"][-1]:
            path.append(str(part))
    return ".".join(path)


def _did_you_mean(loc: tuple[int | str, ...], model: type[BaseModel]) -> str:
    known = _known_keys(loc[:-1], model)
    near = near_names(str(loc[-1]), known)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; known keys here: {', '.join(known)}" if known else ""


def _known_keys(loc: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    """Finds the keys of the part at ``loc`` by walking the JSON schema."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    nodes = [schema]
    for part in loc:
        step = []
        for node in _variants(nodes, definitions):
            if isinstance(part, int):
                step.append(node.get("items", {}))
            elif part in node.get("properties", {}):
                step.append(node["properties"][part])
            elif isinstance(node.get("additionalProperties"), dict):
                step.append(node["additionalProperties"])
        nodes = step or nodes
    return sorted(
        {key for node in _variants(nodes, definitions) for key in node.get("properties", {})}
    )


def _variants(nodes: list[dict[str, Any]], definitions: dict[str, Any]) -> list[dict[str, Any]]:
    found, pending = [], list(nodes)
    while pending:
        node = pending.pop()
        if "$ref" in node:
            pending.append(definitions[node["$ref"].rsplit("/", 1)[-1]])
        for key in ("anyOf", "oneOf", "allOf"):
            pending.extend(node.get(key, []))
        found.append(node)
    return found


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
