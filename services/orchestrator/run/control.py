"""The mailbox of a run: what the REST interface and signals ask for, its own thread carries out."""

from __future__ import annotations

import itertools
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.run.peers import Send

Command = Callable[[Coordinator, float], list[Send]]
"""Carries out a command; takes the present time in s."""

TIME_LIMIT_SIGNAL = signal.SIGUSR1
"""Sent by a batch system before the time limit of a job."""

_CAUSES = {
    signal.SIGINT: "interrupted by the user",
    signal.SIGTERM: "interrupted by the user",
    TIME_LIMIT_SIGNAL: "interrupted by the time limit of the job",
}
"""Signals that end a run in good order, and at once when they come again; and why."""

_TERMINAL_CLOSED = "interrupted since its terminal was closed"


class RunControl:
    """Commands for one run or sweep; every method may be called from any thread or signal handler.

    A ``SimpleQueue`` may be filled by a handler that has interrupted the thread which reads it.
    """

    def __init__(self) -> None:
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._interrupts = itertools.count()

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

    def interrupt(self, cause: str) -> None:
        """Ends the run in good order the first time, and now if it is called again."""
        (self.abort if next(self._interrupts) else self.stop)(cause)

    def taken(self) -> Iterator[Command]:
        """Yields the commands that have arrived, in order (the run's thread calls this)."""
        while True:
            try:
                yield self._commands.get_nowait()
            except queue.Empty:
                return


@contextmanager
def signals_to(control: RunControl) -> Iterator[None]:
    """Turns Ctrl-C, SIGTERM, SIGUSR1 and SIGHUP into ends of a run; in the main thread alone.

    A terminal that closes may send SIGHUP twice, by the shell and by the system, which means once;
    under ``nohup`` it means nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        control.interrupt(_CAUSES[signal.Signals(number)])

    def hang_up(number: int, frame: FrameType | None) -> None:
        control.stop(_TERMINAL_CLOSED)

    before = {number: signal.signal(number, interrupt) for number in _CAUSES}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, hang_up)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_time_limit() -> None:
    """Ignores the signal before a job's time limit, except while :func:`signals_to` is in force.

    A run that is over by then only has results to write, which take less than what is left.
    """
    signal.signal(TIME_LIMIT_SIGNAL, signal.SIG_IGN)
