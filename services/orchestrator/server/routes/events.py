"""Live events of a run, as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from tvb_nest_cosim.orchestrator.server.live.hub import Event
from tvb_nest_cosim.orchestrator.server.live.live_run import Live
from tvb_nest_cosim.orchestrator.server.schemas import PREFIX
from tvb_nest_cosim.orchestrator.server.service import Row, Served, Service
from tvb_nest_cosim.orchestrator.store import FINAL, RunState

HEARTBEAT_S = 15.0
"""Longest silence; proxies and clients take a longer one for a dead connection."""

LOOK_EVERY_S = 0.25
"""Time between two looks at the data of a run that somebody watches."""

END = "end"
"""Identity of the last event of a run."""

router = APIRouter(prefix=PREFIX)

_DESCRIPTION = """Watch a run. Every event has an `id`; a client that comes back sends the last one
as `Last-Event-ID` and misses nothing that is still known.

| event | data |
|---|---|
| `state` | `state`, `cause` |
| `progress` | `windows`, `total`, `simulated_ms`, `speed` (wall s per simulated s), `eta_s`, `peers` |
| `data` | `rates`: by region and population, `tvb`: `variable`, `unit` and `regions`, `raster`: by region; points are `[t_ms, value]`, spikes `[t_ms, neuron]`, only what is new |
| `log` | `time`, `level`, `participant`, `message` |
| `dropped` | `message`; this client reads too slowly, the stream ends |

The stream ends after the `state` event of a final state; asked again after that, the answer is 204.
"""  # noqa: E501


@router.get(
    "/runs/{run}/events",
    tags=["live"],
    description=_DESCRIPTION,
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        204: {"description": "The run has ended, and this client knows."},
    },
)
async def events(
    row: Row,
    service: Served,
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
) -> Response:
    """Opens the stream."""
    if last_event_id == END and RunState(row.state) in FINAL:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    stream = _stream(service, row.id, last_event_id)
    return StreamingResponse(stream, media_type="text/event-stream")


async def _stream(service: Service, run: str, after: str | None) -> AsyncIterator[bytes]:
    listener = service.hub.listen(run, after)
    feeding = asyncio.create_task(_feed(service, run))
    try:
        first = await run_in_threadpool(_state, service, run)
        if first.id != END:
            yield first.frame()
        for event in listener.missed:
            if event.kind != "state":
                yield event.frame()
        if first.id == END:
            yield first.frame()
            return
        while True:
            try:
                event_or_end = await listener.next(HEARTBEAT_S)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if event_or_end is None:
                return
            if event_or_end.kind == "state":
                # What the store says counts: it has been written before the event was published.
                event_or_end = await run_in_threadpool(_state, service, run, event_or_end)
            yield event_or_end.frame()
            if event_or_end.id == END:
                return
    finally:
        feeding.cancel()
        service.hub.leave(run, listener)


def _state(service: Service, run: str, event: Event | None = None) -> Event:
    """Returns the state of a run as an event, the last one if it is final."""
    row = service.find(run)
    if row is None:
        gone = {"state": "deleted", "cause": "the run was deleted"}
        return Event(END, "state", json.dumps(gone))
    if RunState(row.state) in FINAL:
        return Event(END, "state", json.dumps({"state": row.state, "cause": row.cause}))
    if event is not None:
        return event
    answer = service.answer(row)
    state = {"state": answer.state.value, "cause": answer.cause}
    return Event("0", "state", json.dumps(state))


async def _feed(service: Service, run: str) -> None:
    """Looks for new data as long as somebody listens; one look serves all."""
    while True:
        live = service.queue.live(run)
        if live is not None and live.is_due(LOOK_EVERY_S):
            await run_in_threadpool(_look, service, live)
        await asyncio.sleep(LOOK_EVERY_S)


def _look(service: Service, live: Live) -> None:
    with live.looking(LOOK_EVERY_S) as is_due:
        if not is_due:
            return
        lines, data = live.tail.look(live.records)
        for line in lines:
            service.hub.publish(live.id, "log", line)
        if data is not None:
            service.hub.publish(live.id, "data", data)
