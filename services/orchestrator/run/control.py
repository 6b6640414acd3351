"""Commands to a run from other threads: the REST interface asks, the run's own thread decides."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator

from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.run.peers import Send

Command = Callable[[Coordinator, float], list[Send]]


class RunControl:
    """A mailbox of commands for one run; every method may be called from any thread."""

    def __init__(self) -> None:
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()

    def pause(self) -> None:
        """Halts everybody at one window."""

        def command(coordinator: Coordinator, now_s: float) -> list[Send]:
            coordinator.pause()
            return []

        self._commands.put(command)

    def resume(self) -> None:
        """Goes on after a pause."""
        self._commands.put(lambda coordinator, now_s: coordinator.resume(now_s))

    def step(self, windows: int) -> None:
        """Lets a paused run do so many windows more."""
        self._commands.put(lambda coordinator, now_s: coordinator.step(windows))

    def stop(self, cause: str) -> None:
        """Ends the run in good order; what was computed is kept."""
        self._commands.put(lambda coordinator, now_s: coordinator.stop(cause))

    def abort(self, cause: str) -> None:
        """Ends the run now."""
        self._commands.put(lambda coordinator, now_s: coordinator.abort(cause))

    def taken(self) -> Iterator[Command]:
        """Yields the commands that have arrived, in order (the run's thread calls this)."""
        while True:
            try:
                yield self._commands.get_nowait()
            except queue.Empty:
                return
