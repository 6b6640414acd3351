"""From pydantic's errors to faults at the user's own key paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.plugins import near_names

AnyModel = TypeVar("AnyModel", bound=BaseModel)

LONGEST_VALUE = 80
"""Characters of a wrong value that a message repeats."""


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
            got = got if len(got) <= LONGEST_VALUE else f"{got[: LONGEST_VALUE - 3]}..."
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
        # An item that is missing has a place in the error's path, but none in the list.
        is_item = isinstance(node, list) and isinstance(part, int) and part < len(node)
        if is_item or (isinstance(node, Mapping) and part in node):
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
