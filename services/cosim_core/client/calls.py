"""What both kinds of client share: calls, answers, errors and events; nothing here waits."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import httpx

from tvb_nest_cosim.cosim_core.errors import CosimError, ExperimentError, Fault
from tvb_nest_cosim.cosim_core.outcomes import FINAL_STATES

PREFIX = "/api/v1"
FINAL = FINAL_STATES | {"deleted"}
"""States of a run after which nothing happens."""

TIMEOUT_S = 30.0
"""Longest wait for an answer; event streams say every 15 s that they are alive."""

RETRY_S = 1.0
"""Wait before a broken event stream is opened again."""

RETRIES = 30
"""Attempts to open it that may fail in a row."""

Tree = dict[str, Any]


class ServerRefusal(CosimError):
    """The server refused a request.

    Attributes:
        status: HTTP status; 0 if the server was not reached.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True)
class LiveEvent:
    """Something that happened to a run.

    Attributes:
        id: Its identity.
        kind: ``state``, ``progress``, ``data``, ``log`` or ``dropped``.
        data: What happened.
    """

    id: str
    kind: str
    data: Tree

    @property
    def is_last(self) -> bool:
        """Whether the run has ended with it."""
        return self.kind == "state" and self.data["state"] in FINAL


class EventParser:
    """Cuts lines of a server-sent event stream into events."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}

    def feed(self, line: str) -> LiveEvent | None:
        """Takes a line without its end; returns the event that it completes, if any."""
        if line:
            name, _, value = line.partition(":")
            if name:
                self._fields[name] = value.removeprefix(" ")
            return None
        fields, self._fields = self._fields, {}
        if "data" not in fields:
            return None
        kind = fields.get("event", "message")
        return LiveEvent(fields.get("id", ""), kind, json.loads(fields["data"]))


@dataclass(frozen=True)
class Call:
    """One request, for either kind of client."""

    method: str
    path: str
    json: Any = None
    params: Mapping[str, Any] | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of httpx's ``request``."""
        return {"method": self.method, "url": self.path, "json": self.json, "params": self.params}


def of_run(run: str, *rest: str) -> str:
    """Returns the path of a run or of what belongs to it."""
    return "/".join([PREFIX, "runs", run, *rest])


def get(path: str, **params: Any) -> Call:
    """Asks for something; parameters that are None are left out."""
    given = {name: value for name, value in params.items() if value is not None}
    return Call("GET", path, params=given)


def post(run: str, command: str, body: Tree | None = None) -> Call:
    """Commands a run."""
    return Call("POST", of_run(run, command), body)


def create(
    experiment: Mapping[str, Any] | str, overrides: Iterable[str], label: str | None
) -> Call:
    """Queues a run."""
    return Call("POST", f"{PREFIX}/runs", {**_body(experiment, overrides), "label": label})


def validate(experiment: Mapping[str, Any] | str, overrides: Iterable[str], build: bool) -> Call:
    """Checks an experiment."""
    return Call("POST", f"{PREFIX}/validate", {**_body(experiment, overrides), "build": build})


def events(run: str, seen: str | None) -> dict[str, Any]:
    """Returns the arguments of httpx's ``stream`` that open an event stream."""
    headers = {"Last-Event-ID": seen} if seen else {}
    return {"method": "GET", "url": of_run(run, "events"), "headers": headers}


def _body(experiment: Mapping[str, Any] | str, overrides: Iterable[str]) -> Tree:
    key = "yaml" if isinstance(experiment, str) else "experiment"
    return {key: experiment, "overrides": list(overrides)}


def options(address: str | None, token: str | None) -> dict[str, Any]:
    """Takes address and token from the arguments, the environment or the printed address."""
    address = address or os.environ.get("COSIM_URL") or "http://127.0.0.1:8642"
    url = httpx.URL(address)
    token = token or url.params.get("token") or os.environ.get("COSIM_TOKEN")
    if not token:
        raise ServerRefusal(
            0, "no token given; use the address that the server printed, or set COSIM_TOKEN"
        )
    return {
        "base_url": url.copy_with(query=None),
        "headers": {"Authorization": f"Bearer {token}"},
        "timeout": TIMEOUT_S,
    }


def checked(response: httpx.Response) -> httpx.Response:
    """Turns an error of the server, read to its end, into an exception.

    Raises:
        ExperimentError: If the experiment has faults.
        ServerRefusal: If the server refused anything else.
    """
    if response.is_success:
        return response
    try:
        problem = response.json()
        faults = [Fault(f["path"], f["message"], f["detail"]) for f in problem.get("faults") or ()]
        detail = str(problem["detail"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ServerRefusal(
            response.status_code, f"{response.url} answered {response.status_code}"
        ) from None
    if faults:
        raise ExperimentError(faults)
    raise ServerRefusal(response.status_code, detail)


def unreached(error: httpx.TransportError) -> ServerRefusal:
    """Says that the server cannot be reached."""
    return ServerRefusal(0, f"the server cannot be reached: {error}")


def _safe(folder: Path, name: str) -> Path:
    """Returns where to put a file; a server must not choose a place outside the folder."""
    if PurePosixPath(name).name != name or name in ("", ".", ".."):
        raise ServerRefusal(0, f"the server named a file '{name}', which is no plain name")
    return folder / name


def place(folder: Path, file: Tree) -> Path:
    """Makes the folder of a file and returns its path."""
    into = folder / "figures" if "/figures/" in file["href"] else folder
    into.mkdir(parents=True, exist_ok=True)
    return _safe(into, file["name"])
