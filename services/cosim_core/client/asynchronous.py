"""A client of coroutines."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping
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


class AsyncClient:
    """A client of coroutines; use as an asynchronous context manager or call :meth:`close`.

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
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(transport=transport, **calls.options(address, token))

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def create(
        self,
        experiment: Mapping[str, Any] | str,
        overrides: Iterable[str] = (),
        label: str | None = None,
    ) -> Tree:
        """Queues a run; the experiment is a tree or YAML text."""
        return await self._tree(calls.create(experiment, overrides, label))

    async def validate(
        self,
        experiment: Mapping[str, Any] | str,
        overrides: Iterable[str] = (),
        *,
        build: bool = False,
    ) -> Tree:
        """Checks an experiment: ``valid``, ``faults``, ``warnings``, ``plan``."""
        return await self._tree(calls.validate(experiment, overrides, build))

    async def runs(
        self, state: str | None = None, search: str | None = None, limit: int = 50, offset: int = 0
    ) -> Tree:
        """Lists runs: ``total`` and ``items``, the newest first."""
        path = f"{PREFIX}/runs"
        return await self._tree(get(path, state=state, search=search, limit=limit, offset=offset))

    async def run(self, run: str) -> Tree:
        """Shows a run."""
        return await self._tree(get(of_run(run)))

    async def delete(self, run: str) -> None:
        """Forgets a run and removes its results."""
        await self._send(Call("DELETE", of_run(run)))

    async def pause(self, run: str) -> Tree:
        """Halts a run at a window."""
        return await self._tree(post(run, "pause"))

    async def resume(self, run: str) -> Tree:
        """Goes on after a pause."""
        return await self._tree(post(run, "resume"))

    async def step(self, run: str, windows: int = 1) -> Tree:
        """Lets a paused run do some windows more."""
        return await self._tree(post(run, "step", {"windows": windows}))

    async def stop(self, run: str) -> Tree:
        """Ends a run in good order."""
        return await self._tree(post(run, "stop"))

    async def abort(self, run: str) -> Tree:
        """Ends a run now."""
        return await self._tree(post(run, "abort"))

    async def series(
        self, run: str, kind: str, max_points: int | None = None, regions: str | None = None
    ) -> Tree:
        """Gets curves for a plot; ``kind`` is ``rates``, ``input`` or ``tvb``."""
        path = of_run(run, "series")
        return await self._tree(get(path, kind=kind, max_points=max_points, regions=regions))

    async def files(self, run: str) -> list[Tree]:
        """Lists files and figures of a run."""
        return [
            f
            for kind in ("files", "figures")
            for f in (await self._tree(get(of_run(run, kind))))["items"]
        ]

    async def fetch(self, run: str, folder: Path) -> list[Path]:
        """Downloads files and figures of a run (figures into ``folder/figures``)."""
        paths = []
        for file in await self.files(run):
            path = calls.place(folder, file)
            partial = path.with_name(f".{path.name}.partial")
            async with self._http.stream("GET", file["href"]) as response:
                if not response.is_success:
                    await response.aread()
                checked(response)
                with partial.open("wb") as out:
                    async for chunk in response.aiter_bytes():
                        out.write(chunk)
            os.replace(partial, path)
            paths.append(path)
        return paths

    async def events(self, run: str) -> AsyncIterator[LiveEvent]:
        """Yields what happens to a run until it has ended; a broken connection is opened again."""
        seen: str | None = None
        failures = 0
        while True:
            try:
                async for event in self._stream(run, seen):
                    seen, failures = event.id, 0
                    yield event
                    if event.is_last:
                        return
            except httpx.TransportError as error:
                failures += 1
                if failures > RETRIES:
                    raise unreached(error) from error
            await asyncio.sleep(RETRY_S)

    async def wait(self, run: str) -> Tree:
        """Waits until a run has ended and shows it."""
        async for _ in self.events(run):
            pass
        return await self.run(run)

    async def _stream(self, run: str, seen: str | None) -> AsyncIterator[LiveEvent]:
        parser = EventParser()
        async with self._http.stream(**calls.events(run, seen)) as response:
            if not response.is_success:
                await response.aread()
            async for line in checked(response).aiter_lines():
                if (event := parser.feed(line)) is not None:
                    yield event

    async def _tree(self, call: Call) -> Tree:
        return dict((await self._send(call)).json())

    async def _send(self, call: Call) -> httpx.Response:
        try:
            return checked(await self._http.request(**call.arguments))
        except httpx.TransportError as error:
            raise unreached(error) from error
