"""The client: one method per call of the REST interface."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from tvb_nest_cosim.cosim_core.client.events import EventParser, LiveEvent
from tvb_nest_cosim.cosim_core.client.responses import (
    Answer,
    FileAnswer,
    FileList,
    Problem,
    RunAnswer,
    RunPage,
    Verdict,
)
from tvb_nest_cosim.cosim_core.errors import CosimError, ExperimentError

PREFIX = "/api/v1"

TIMEOUT_S = 30.0
"""Longest wait for an answer; event streams send a sign of life every 15 s."""

RETRY_S = 1.0
"""Wait before a broken event stream is opened again."""

RETRIES = 30
"""Attempts to open it that may fail in a row."""

AnyAnswer = TypeVar("AnyAnswer", bound=Answer)


class ServerRefusal(CosimError):
    """The server refused a request.

    Attributes:
        status: HTTP status; 0 if the server was not reached.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Client:
    """A client that waits for its answers; use as a context manager or call :meth:`close`.

    Args:
        address: Address of the server, perhaps the one it printed with its token; default:
            ``COSIM_URL`` or the usual address of this machine.
        token: Token; default: that of the address or ``COSIM_TOKEN``.
        transport: In place of the network, for tests.

    Raises:
        ServerRefusal: If there is no token. Every method raises it if the server refuses or cannot
            be reached, and ExperimentError if the experiment has faults.
    """

    def __init__(
        self,
        address: str | None = None,
        token: str | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(transport=transport, **options(address, token))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def create(
        self,
        experiment: Mapping[str, Any] | str,
        overrides: Iterable[str] = (),
        label: str | None = None,
    ) -> RunAnswer:
        """Queues a run; the experiment is a tree or YAML text."""
        body = {**_body(experiment, overrides), "label": label}
        return self._ask(RunAnswer, "POST", "/runs", json=body)

    def validate(
        self,
        experiment: Mapping[str, Any] | str,
        overrides: Iterable[str] = (),
        *,
        build: bool = False,
    ) -> Verdict:
        """Checks an experiment; with ``build`` the simulators build their sides, too."""
        body = {**_body(experiment, overrides), "build": build}
        return self._ask(Verdict, "POST", "/validate", json=body)

    def runs(
        self, state: str | None = None, search: str | None = None, limit: int = 50, offset: int = 0
    ) -> RunPage:
        """Lists runs, the newest first."""
        wanted = {"state": state, "search": search, "limit": limit, "offset": offset}
        return self._ask(RunPage, "GET", "/runs", params=_given(wanted))

    def run(self, run: str) -> RunAnswer:
        """Shows a run."""
        return self._ask(RunAnswer, "GET", f"/runs/{run}")

    def delete(self, run: str) -> None:
        """Removes a run and its results."""
        self._send("DELETE", f"/runs/{run}")

    def pause(self, run: str) -> RunAnswer:
        """Halts a run at a window."""
        return self._command(run, "pause")

    def resume(self, run: str) -> RunAnswer:
        """Goes on after a pause."""
        return self._command(run, "resume")

    def step(self, run: str, windows: int = 1) -> RunAnswer:
        """Lets a paused run compute some windows more."""
        return self._command(run, "step", {"windows": windows})

    def stop(self, run: str) -> RunAnswer:
        """Ends a run at a window boundary."""
        return self._command(run, "stop")

    def abort(self, run: str) -> RunAnswer:
        """Ends a run now."""
        return self._command(run, "abort")

    def series(
        self, run: str, kind: str, max_points: int | None = None, regions: str | None = None
    ) -> dict[str, Any]:
        """Gets curves for a plot; ``kind`` is ``rates``, ``input`` or ``tvb``."""
        wanted = {"kind": kind, "max_points": max_points, "regions": regions}
        return dict(self._send("GET", f"/runs/{run}/series", params=_given(wanted)).json())

    def files(self, run: str) -> list[FileAnswer]:
        """Lists files and figures of a run."""
        kinds = ("files", "figures")
        return [
            f for kind in kinds for f in self._ask(FileList, "GET", f"/runs/{run}/{kind}").items
        ]

    def fetch(self, run: str, folder: Path) -> list[Path]:
        """Downloads files and figures of a run (figures into ``folder/figures``)."""
        paths = []
        for file in self.files(run):
            path = _path_for(folder, file)
            partial = path.with_name(f".{path.name}.partial")
            with self._http.stream("GET", file.href) as response, partial.open("wb") as out:
                for chunk in _streamed(response).iter_bytes():
                    out.write(chunk)
            os.replace(partial, path)
            paths.append(path)
        return paths

    def events(self, run: str) -> Iterator[LiveEvent]:
        """Yields what happens to a run until it has ended; a broken connection is opened again."""
        seen: str | None = None
        failures = 0
        while True:
            try:
                for event in self._stream(run, seen):
                    seen, failures = event.id, 0
                    yield event
                    if event.is_last:
                        return
            except httpx.TransportError as error:
                failures += 1
                if failures > RETRIES:
                    raise _unreached(error) from error
            time.sleep(RETRY_S)

    def wait(self, run: str) -> RunAnswer:
        """Waits until a run has ended and shows it."""
        for _ in self.events(run):
            pass
        return self.run(run)

    def _stream(self, run: str, seen: str | None) -> Iterator[LiveEvent]:
        parser = EventParser()
        headers = {"Last-Event-ID": seen} if seen else {}
        path = f"{PREFIX}/runs/{run}/events"
        with self._http.stream("GET", path, headers=headers) as response:
            for line in _streamed(response).iter_lines():
                if (event := parser.feed(line)) is not None:
                    yield event

    def _command(self, run: str, what: str, body: dict[str, int] | None = None) -> RunAnswer:
        return self._ask(RunAnswer, "POST", f"/runs/{run}/{what}", json=body)

    def _ask(self, answer: type[AnyAnswer], method: str, path: str, **content: Any) -> AnyAnswer:
        response = self._send(method, path, **content)
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            raise ServerRefusal(
                response.status_code,
                f"{response.url} answered something else than expected; is it a 'cosim serve' of "
                f"this version? {error}",
            ) from error

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            return _checked(self._http.request(method, f"{PREFIX}{path}", **content))
        except httpx.TransportError as error:
            raise _unreached(error) from error


def options(address: str | None, token: str | None) -> dict[str, Any]:
    """Takes address and token from the arguments, the environment or the printed address.

    Returns:
        Arguments of an httpx client.
    """
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


def _body(experiment: Mapping[str, Any] | str, overrides: Iterable[str]) -> dict[str, Any]:
    key = "yaml" if isinstance(experiment, str) else "experiment"
    return {key: experiment, "overrides": list(overrides)}


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _streamed(response: httpx.Response) -> httpx.Response:
    """Checks an answer whose body has not been read yet."""
    if not response.is_success:
        response.read()
    return _checked(response)


def _checked(response: httpx.Response) -> httpx.Response:
    """Raises ExperimentError on faults of an experiment, else ServerRefusal, unless it is good."""
    if response.is_success:
        return response
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        raise ServerRefusal(
            response.status_code, f"{response.url} answered {response.status_code}"
        ) from None
    if problem.faults:
        raise ExperimentError(fault.fault for fault in problem.faults)
    raise ServerRefusal(response.status_code, problem.detail)


def _unreached(error: httpx.TransportError) -> ServerRefusal:
    return ServerRefusal(0, f"the server cannot be reached: {error}")


def _path_for(folder: Path, file: FileAnswer) -> Path:
    """Returns where to put a file; a server must not choose a place outside the folder."""
    name = file.name
    if PurePosixPath(name).name != name or name in ("", ".", ".."):
        raise ServerRefusal(0, f"the server named a file '{name}', which is not a plain file name")
    into = folder / "figures" if "/figures/" in file.href else folder
    into.mkdir(parents=True, exist_ok=True)
    return into / name
