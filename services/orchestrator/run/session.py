"""One run from the first process to the last: carries out what the coordinator decides."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from tvb_nest_cosim.cosim_core.errors import ParticipantLost, ProtocolError
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.wire.codec import decode_message, encode_message
from tvb_nest_cosim.cosim_core.wire.lifecycle import State
from tvb_nest_cosim.cosim_core.wire.transport import Channel
from tvb_nest_cosim.orchestrator.launchers.sites import Site, reachable
from tvb_nest_cosim.orchestrator.run.control import RunControl
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.run.peers import Outcome, Send
from tvb_nest_cosim.orchestrator.run.process_state import describe_process_state

_logger = logging.getLogger(__name__)

POLL_S = 0.05
"""Longest time between two looks at the processes; a death is noticed within it."""

LEAVE_S = 10.0
"""How long participants may take to leave after a run that ended in good order."""

LEAVE_AFTER_FAILURE_S = 0.5
"""How long they may take after any other, before they are ended."""

_LEAVING = (State.DONE, State.GONE)

_ENDING = {
    signal.SIGINT: "interrupted by the user",
    signal.SIGTERM: "interrupted by the user",
    signal.SIGUSR1: "interrupted by the time limit of the job",
}
"""Signals that end a run in good order, and why."""

Observer = Callable[[Coordinator], None]
"""Called about twenty times a second with the state of the run."""


@dataclass(frozen=True)
class Timing:
    """Wall time of a run.

    Attributes:
        build_s: From the first process to the first window.
        wall_s: From the first window to the last result.
    """

    build_s: float
    wall_s: float


@dataclass
class Interrupts:
    """How often the run was asked to end, and why at last."""

    count: int = 0
    cause: str = ""


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Counts Ctrl-C, SIGTERM and SIGUSR1 instead of letting them break off the orchestrator."""
    seen = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield seen
        return

    def note(number: int, frame: FrameType | None) -> None:
        seen.count += 1
        seen.cause = _ENDING[signal.Signals(number)]

    before = {number: signal.signal(number, note) for number in _ENDING}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Session:
    """The processes and sockets of one run.

    Args:
        plan: Plan of the run; its folders exist.
        site: Where it takes place; closed at its end.
        observe: Told about the run as it goes on.
        control: Commands from other threads.
        only_build: Build everything, run nothing.
    """

    def __init__(
        self,
        plan: RunPlan,
        site: Site,
        *,
        observe: Observer = lambda coordinator: None,
        control: RunControl | None = None,
        only_build: bool = False,
    ) -> None:
        self._plan = plan
        self._commands = control or RunControl()
        self._observe = observe
        self.site = site
        self.coordinator = Coordinator(
            plan,
            site.data_endpoint,
            time.monotonic(),
            only_build=only_build,
            look=describe_process_state,
        )
        self._started_s: float | None = None

    def run(self) -> tuple[Outcome, Timing]:
        """Starts everybody, conducts the run and sees everybody out.

        Returns:
            How it ended, and how long it took. Whatever happens, no process is left behind.
        """
        began_s = time.monotonic()
        with interrupts() as seen:
            try:
                outcome = self._conduct(seen)
            finally:
                self._leave()
        ended_s = time.monotonic()
        started_s = ended_s if self._started_s is None else self._started_s
        return outcome, Timing(started_s - began_s, ended_s - started_s)

    def _conduct(self, seen: Interrupts) -> Outcome:
        control = self.site.transport.bind(self.site.control_endpoint)
        try:
            self.site.launcher.start(
                reachable(control.endpoint), self._plan.run, self._plan.experiment_digest
            )
        except OSError as error:
            # no process left to this user, no memory, no space for its output
            self.coordinator.fail(f"the participants cannot be started: {error}")
        obeyed = 0
        while self.coordinator.outcome is None:
            self.site.transport.wait([control], POLL_S)
            self._listen(control)
            if seen.count > obeyed:
                obeyed = seen.count
                self._interrupt(control, obeyed, seen.cause)
            self._note_exits(control)
            for command in self._commands.taken():
                self._send(control, command(self.coordinator, time.monotonic()))
            self._send(control, self.coordinator.tick(time.monotonic()))
            if self._started_s is None and self.coordinator.is_running:
                self._started_s = time.monotonic()
            self._observe(self.coordinator)
        return self.coordinator.outcome

    def _interrupt(self, control: Channel, times: int, cause: str) -> None:
        """Once: end in good order. Again: end now."""
        decide = self.coordinator.stop if times == 1 else self.coordinator.abort
        self._send(control, decide(cause))

    def _listen(self, control: Channel) -> None:
        while (received := control.receive()) is not None:
            name, frames = received
            try:
                message = decode_message(frames, name)
                self._send(control, self.coordinator.hear(name, message, time.monotonic()))
            except ProtocolError as error:
                _logger.warning("%s", error)
                if name in self.coordinator.peers:
                    self._send(control, self.coordinator.fail(str(error)))

    def _note_exits(self, control: Channel) -> None:
        """Takes note of ended processes, after what they had still said."""
        exits = self.site.launcher.poll()
        if exits:
            self.site.transport.wait([control], POLL_S)
            self._listen(control)
        for gone in exits:
            sends = self.coordinator.lose(
                gone.names,
                gone.how,
                gone.last_words,
                now_s=time.monotonic(),
                is_consequence=gone.is_consequence,
            )
            self._send(control, sends)

    def _send(self, control: Channel, sends: list[Send]) -> None:
        for name, message in sends:
            try:
                control.send(encode_message(message), name)
            except ParticipantLost as error:
                # Its process is gone or going; the launcher tells how, and that is the cause.
                _logger.info("%s", error)

    def _leave(self) -> None:
        orderly = all(p.state in _LEAVING for p in self.coordinator.peers.values())
        self.site.launcher.stop(LEAVE_S if orderly else LEAVE_AFTER_FAILURE_S)
        self.site.close()
