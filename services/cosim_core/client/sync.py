"""A client that waits for its answers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tvb_nest_cosim.cosim_core.client import calls
from tvb_nest_cosim.cosim_core.client.calls import (
    PREFIX,
    RETRIES,
    RETRY_S,
    Call,
    EventParser,
    LiveEvent,
    Tree,
    checked,
    get,
    of_run,
    post,
    unreached,
)


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
        self._http = httpx.Client(transport=transport, **calls.options(address, token))

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def create(
        self,
        experiment: Mapping[str, Any] | str,
        overrides: Iterable[str] = (),
        label: str | None = None,
    ) -> Tree:
        """Queues a run; the experiment is a tree or YAML text."""
        return self._tree(calls.create(experiment, overrides, label))

    def validate(
        self,
        experiment: Mapping[str, Any] | str,
        overrides: Iterable[str] = (),
        *,
        build: bool = False,
    ) -> Tree:
        """Checks an experiment: ``valid``, ``faults``, ``warnings``, ``plan``."""
        return self._tree(calls.validate(experiment, overrides, build))

    def runs(
        self, state: str | None = None, search: str | None = None, limit: int = 50, offset: int = 0
    ) -> Tree:
        """Lists runs: ``total`` and ``items``, the newest first."""
        path = f"{PREFIX}/runs"
        return self._tree(get(path, state=state, search=search, limit=limit, offset=offset))

    def run(self, run: str) -> Tree:
        """Shows a run."""
        return self._tree(get(of_run(run)))

    def delete(self, run: str) -> None:
        """Forgets a run and removes its results."""
        self._send(Call("DELETE", of_run(run)))

    def pause(self, run: str) -> Tree:
        """Halts a run at a window."""
        return self._tree(post(run, "pause"))

    def resume(self, run: str) -> Tree:
        """Goes on after a pause."""
        return self._tree(post(run, "resume"))

    def step(self, run: str, windows: int = 1) -> Tree:
        """Lets a paused run do some windows more."""
        return self._tree(post(run, "step", {"windows": windows}))

    def stop(self, run: str) -> Tree:
        """Ends a run in good order."""
        return self._tree(post(run, "stop"))

    def abort(self, run: str) -> Tree:
        """Ends a run now."""
        return self._tree(post(run, "abort"))

    def series(
        self, run: str, kind: str, max_points: int | None = None, regions: str | None = None
    ) -> Tree:
        """Gets curves for a plot; ``kind`` is ``rates``, ``input`` or ``tvb``."""
        path = of_run(run, "series")
        return self._tree(get(path, kind=kind, max_points=max_points, regions=regions))

    def files(self, run: str) -> list[Tree]:
        """Lists files and figures of a run."""
        return [
            f for kind in ("files", "figures") for f in self._tree(get(of_run(run, kind)))["items"]
        ]

    def fetch(self, run: str, folder: Path) -> list[Path]:
        """Downloads files and figures of a run (figures into ``folder/figures``)."""
        paths = []
        for file in self.files(run):
            path = calls.place(folder, file)
            partial = path.with_name(f".{path.name}.partial")
            with self._http.stream("GET", file["href"]) as response:
                if not response.is_success:
                    response.read()
                checked(response)
                with partial.open("wb") as out:
                    for chunk in response.iter_bytes():
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
                    raise unreached(error) from error
            time.sleep(RETRY_S)

    def wait(self, run: str) -> Tree:
        """Waits until a run has ended and shows it."""
        for _ in self.events(run):
            pass
        return self.run(run)

    def _stream(self, run: str, seen: str | None) -> Iterator[LiveEvent]:
        parser = EventParser()
        with self._http.stream(**calls.events(run, seen)) as response:
            if not response.is_success:
                response.read()
            for line in checked(response).iter_lines():
                if (event := parser.feed(line)) is not None:
                    yield event

    def _tree(self, call: Call) -> Tree:
        return dict(self._send(call).json())

    def _send(self, call: Call) -> httpx.Response:
        try:
            return checked(self._http.request(**call.arguments))
        except httpx.TransportError as error:
            raise unreached(error) from error
