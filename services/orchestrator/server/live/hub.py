"""Live events: published by the run's thread, heard by any number of clients.

Nothing here grows with the length of a run or the slowness of a client: every run keeps its last
events in a ring, from which a client that comes back is served, and a client that falls too far
behind is sent away with a note (it may come back at once).
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

RING_EVENTS = 256
"""Events that a run keeps for clients that come back: half a minute of a busy run."""

WAITING_EVENTS = 256
"""Events that may wait for one client."""

KEPT_RUNS = 16
"""Runs whose rings are kept."""


@dataclass(frozen=True)
class Event:
    """One event.

    Attributes:
        id: Identity, which a client sends to go on from here.
        kind: ``state``, ``progress``, ``data``, ``log`` or ``dropped``.
        data: What happened, as JSON.
    """

    id: str
    kind: str
    data: str

    def frame(self) -> bytes:
        """Returns the event as server-sent events are written."""
        return f"id: {self.id}\nevent: {self.kind}\ndata: {self.data}\n\n".encode()


class Listener:
    """One client of one run. Used by the thread of its event loop alone."""

    def __init__(self, missed: list[Event]) -> None:
        self.missed = missed
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Queue[Event | None] = asyncio.Queue(WAITING_EVENTS)
        self._is_open = True

    async def next(self, timeout_s: float) -> Event | None:
        """Waits for the next event; None if there will be no more.

        Raises:
            TimeoutError: If none came in time.
        """
        return await asyncio.wait_for(self._waiting.get(), timeout_s)

    def offer(self, event: Event | None) -> None:
        """Hands over an event, or the end, from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._put, event)
        except RuntimeError:
            # Its loop has ended, and it with it.
            self._is_open = False

    def _put(self, event: Event | None) -> None:
        if not self._is_open:
            return
        if event is not None and not self._waiting.full():
            self._waiting.put_nowait(event)
            return
        self._is_open = False
        if event is not None:
            while not self._waiting.empty():
                self._waiting.get_nowait()
            note = {"message": "this client reads too slowly; it may come back"}
            self._waiting.put_nowait(Event(event.id, "dropped", json.dumps(note)))
        elif self._waiting.full():
            self._waiting.get_nowait()
        if not self._waiting.full():
            self._waiting.put_nowait(None)


@dataclass
class _Channel:
    ring: deque[Event] = field(default_factory=lambda: deque(maxlen=RING_EVENTS))
    listeners: set[Listener] = field(default_factory=set)
    count: int = 0


class Hub:
    """The events of all runs; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._channels: OrderedDict[str, _Channel] = OrderedDict()
        # Identities of an earlier server must not be taken for those of this one.
        self._epoch = secrets.token_hex(3)
        self._closed = False

    def publish(self, run: str, kind: str, data: dict[str, Any]) -> None:
        """Tells an event to everybody who listens to a run."""
        text = json.dumps(data, separators=(",", ":"))
        with self._lock:
            channel = self._channel(run)
            channel.count += 1
            event = Event(f"{self._epoch}-{channel.count}", kind, text)
            channel.ring.append(event)
            # Inside the lock, so that all hear all events in one order.
            for listener in channel.listeners:
                listener.offer(event)

    def listen(self, run: str, after: str | None) -> Listener:
        """Begins to listen, inside an event loop.

        Args:
            run: The run.
            after: Last event that the client has seen, if it comes back.

        Returns:
            The listener, with the events in ``missed`` that came since and are still known.
        """
        with self._lock:
            channel = self._channel(run)
            listener = Listener(_since(channel.ring, after))
            channel.listeners.add(listener)
            if self._closed:
                listener.offer(None)
            return listener

    def leave(self, run: str, listener: Listener) -> None:
        """Ends listening."""
        with self._lock:
            if run in self._channels:
                self._channels[run].listeners.discard(listener)

    def listeners(self, run: str | None = None) -> int:
        """Counts who listens to a run, or to any."""
        with self._lock:
            if run is not None:
                return len(self._channels[run].listeners) if run in self._channels else 0
            return sum(len(channel.listeners) for channel in self._channels.values())

    def close(self) -> None:
        """Sends everybody away."""
        with self._lock:
            self._closed = True
            for channel in self._channels.values():
                for listener in channel.listeners:
                    listener.offer(None)

    def _channel(self, run: str) -> _Channel:
        if run not in self._channels:
            self._channels[run] = _Channel()
            idle = [name for name, channel in self._channels.items() if not channel.listeners]
            for name in idle[: max(0, len(self._channels) - KEPT_RUNS)]:
                if name != run:
                    del self._channels[name]
        self._channels.move_to_end(run)
        return self._channels[run]


def _since(ring: deque[Event], after: str | None) -> list[Event]:
    """Returns the events after one; of an unknown one, the state of things and the log."""
    events = list(ring)
    ids = [event.id for event in events]
    if after in ids:
        return events[ids.index(after) + 1 :]
    latest = [event for event in events if event.kind == "progress"][-1:]
    return [*(event for event in events if event.kind == "log"), *latest]
