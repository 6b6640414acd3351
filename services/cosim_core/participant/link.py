"""A participant's connection to its ensemble: the control plane and the data plane together.

Everything a participant waits for passes through :meth:`Link.wait_until`, which takes messages of
both planes as they come, says what it waits for, and gives up at a deadline.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from pydantic import ValidationError

from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.errors import (
    DeadlineExceeded,
    Fault,
    ParticipantLost,
    ProtocolError,
    StopRequested,
)
from tvb_nest_cosim.cosim_core.model.plan import Built, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import Block
from tvb_nest_cosim.cosim_core.participant.data_plane import DataPlane
from tvb_nest_cosim.cosim_core.participant.inbox import Inbox
from tvb_nest_cosim.cosim_core.wire.codec import decode_message, encode_block, encode_message
from tvb_nest_cosim.cosim_core.wire.lifecycle import State, after
from tvb_nest_cosim.cosim_core.wire.protocol import (
    Abort,
    AnyMessage,
    Bye,
    Configure,
    Done,
    Failed,
    FaultReport,
    Frames,
    Hello,
    Horizon,
    Progress,
    Ready,
    Refused,
    Role,
    Start,
    Stop,
    peer_name,
)
from tvb_nest_cosim.cosim_core.wire.transport import Channel, Transport

_logger = logging.getLogger(__name__)

PROGRESS_INTERVAL_S = 0.05
_SAY_WHAT_I_WAIT_FOR_AFTER_S = 0.5
_POLL_S = 0.25


@dataclass(frozen=True)
class Identity:
    """Who a worker is, as its launcher has set it.

    Attributes:
        role: Its role.
        rank: Its rank among the processes of the role.
        run: Identity of the run.
        digest: Digest of the experiment.
    """

    role: Role
    rank: int
    run: str
    digest: str

    @property
    def name(self) -> str:
        """Name of the process."""
        return peer_name(self.role, self.rank)


class Link:
    """See the module.

    Args:
        transport: Makes the channels.
        control_endpoint: Where the orchestrator listens.
        identity: Who this process is.

    Attributes:
        longest_window_s: Longest time between two completed windows; pauses count.
    """

    def __init__(self, transport: Transport, control_endpoint: str, identity: Identity) -> None:
        self.identity = identity
        self._transport = transport
        self._control = transport.connect(control_endpoint, identity.name)
        self._data = DataPlane(transport, identity.name, identity.run)
        self._state = State.LAUNCHED
        self._configure: Configure | None = None
        self._plan: RunPlan | None = None
        self._start: Start | None = None
        self._horizon = 0
        self._end: int | None = None
        self._next_progress_s = 0.0
        self._windows = 0
        self._completed_s = time.monotonic()
        self.longest_window_s = 0.0
        self.compute_s: Callable[[], float] = lambda: 0.0
        self.wait_s: Callable[[], float] = lambda: 0.0
        self.phase: Callable[[str], AbstractContextManager[None]] = lambda name: nullcontext()

    # Before the run

    def greet(self, timeout_s: float) -> tuple[RunPlan, str]:
        """Says hello and waits for the plan.

        Returns:
            The plan, and where the translator binds the data plane.
        """
        who = self.identity
        self._say(
            Hello(
                run=who.run,
                digest=who.digest,
                role=who.role,
                rank=who.rank,
                host=socket.gethostname(),
                pid=os.getpid(),
            )
        )
        self.wait_until(
            lambda: self._plan is not None, Deadline.after(timeout_s), "the plan of the run"
        )
        assert self._plan is not None  # noqa: S101 - what the wait has just made true
        assert self._configure is not None  # noqa: S101 - came with the plan
        return self._plan, self._configure.data_endpoint

    def bind_data(self, endpoint: str) -> str:
        """Binds the data plane (translator) and returns where it really is."""
        return self._data.bind(endpoint)

    def ready(self, built: Built, data_endpoint: str | None) -> None:
        """Reports what was built."""
        self._say(Ready(built=built.model_dump(mode="json"), data_endpoint=data_endpoint))

    def refuse(self, faults: Iterable[Fault]) -> None:
        """Reports that the experiment cannot be built or begun."""
        reports = [FaultReport(path=f.path, message=f.message, detail=f.detail) for f in faults]
        self._say(Refused(faults=reports))

    def await_start(self) -> Start:
        """Waits for the start and opens the data plane.

        There is no deadline but the orchestrator's own: it decides how long others may build,
        and its end or silence ends this wait.
        """
        self._wait_for_orchestrator(lambda: self._start is not None, "the start of the run")
        assert self._start is not None  # noqa: S101 - what the wait has just made true
        if self._start.data_endpoint is not None:
            self._data.connect(self._start.data_endpoint)
        return self._start

    def await_peers(self, timeout_s: float) -> None:
        """Waits until every other participant has opened the data plane (translator)."""
        self.wait_until(
            lambda: not self._data.absent(),
            Deadline.after(timeout_s),
            lambda: f"{', '.join(self._data.absent())} to connect",
        )

    # During the run

    def may_enter(self, window: int) -> bool:
        """Waits until a window may be entered.

        A paused run may wait here for as long as the orchestrator is alive.

        Returns:
            False if the run ends before this window.
        """
        self._take_messages()
        if window >= self._horizon and self._end is None:
            self._report(None, at_once=True)
            self._wait_for_orchestrator(
                lambda: window < self._horizon or self._end is not None,
                f"the orchestrator to let it enter window {window}",
            )
        return self._end is None or window < self._end

    @property
    def inbox(self) -> Inbox:
        """Blocks that have arrived."""
        return self._data.inbox

    @property
    def may_refuse(self) -> bool:
        """Whether the experiment can still be refused: no window may be entered yet."""
        is_beginning = self._state is State.RUNNING and self._horizon == 0
        return self._state is State.BUILDING or is_beginning

    @property
    def end(self) -> int | None:
        """The window before which the run ends, if it was told to stop."""
        return self._end

    def ends_before(self, window: int) -> bool:
        """Tells whether the run was told to stop before a window, by what has arrived until now."""
        self._take_messages()
        return self._end is not None and self._end <= window

    @property
    def horizon(self) -> int:
        """Number of windows that may be entered."""
        return self._horizon if self._end is None else self._end

    def blocks(self, edge: str, window: int, timeout_s: float) -> list[Block]:
        """Waits for every rank's block of a window."""
        self.wait_until(
            lambda: self.inbox.has(edge, window),
            Deadline.after(timeout_s),
            lambda: self.inbox.lacks(edge),
        )
        return self.inbox.take(edge, window)

    def frames_of(self, block: Block) -> Frames:
        """Turns a block into what is sent, once for however many receivers."""
        return encode_block(block, self.identity.run)

    def send_frames(self, frames: Frames, peer: str = "") -> None:
        """Sends the frames of a block; ``peer`` only from the translator."""
        self._data.send(frames, peer)

    def completed(self, windows: int) -> None:
        """Notes that so many windows are complete, and tells the orchestrator now and then."""
        if windows > self._windows:
            now_s = time.monotonic()
            if self._windows:
                self.longest_window_s = max(self.longest_window_s, now_s - self._completed_s)
            self._windows, self._completed_s = windows, now_s
        self._report(None)

    # After the run

    def done(self) -> None:
        """Reports that everything asked for is computed and kept."""
        self._say(Done(windows=self._windows, compute_s=self.compute_s(), wait_s=self.wait_s()))

    def fail(self, cause: str, detail: str = "") -> None:
        """Reports why this participant cannot go on."""
        self._say(Failed(cause=cause, detail=detail))

    def bye(self) -> None:
        """Leaves."""
        self._data.flush()
        self._say(Bye())

    # Waiting

    def wait_until(
        self, reached: Callable[[], bool], deadline: Deadline, what: str | Callable[[], str]
    ) -> None:
        """Takes messages until a condition holds.

        Args:
            reached: The condition.
            deadline: When to give up.
            what: What is waited for, for the progress report and the error.

        Raises:
            DeadlineExceeded: If the deadline passes.
            StopRequested: If the orchestrator ends the run now.
            ParticipantLost: If the orchestrator is gone.
            ProtocolError: If something arrives that is not due.
        """
        if reached():
            return
        say_at = time.monotonic() + _SAY_WHAT_I_WAIT_FOR_AFTER_S
        self._take_messages()
        while not reached():
            if deadline.passed():
                text = what if isinstance(what, str) else what()
                raise DeadlineExceeded(f"{self.identity.name} waited too long for {text}")
            if self._data.lost is not None:
                raise self._data.lost
            self._take_messages(deadline.sooner(_POLL_S))
            # Only while it waits: the first word after the start means that it has begun.
            is_late = time.monotonic() >= say_at and not reached()
            if is_late and self._state is State.RUNNING:
                self._report(what if isinstance(what, str) else what())
                say_at = time.monotonic() + _SAY_WHAT_I_WAIT_FOR_AFTER_S

    def _wait_for_orchestrator(self, reached: Callable[[], bool], what: str) -> None:
        """Waits without a deadline of its own; the loss of the orchestrator ends the wait."""
        while not reached():
            try:
                self.wait_until(reached, Deadline.after(3600.0), what)
            except DeadlineExceeded:
                _logger.info("still waiting for %s", what)

    def _take_messages(self, timeout_s: float = 0.0) -> None:
        """Waits for messages, at most so long, and takes all that are there."""
        while ready := self._transport.wait(self._channels(), timeout_s):
            timeout_s = 0.0
            for channel in ready:
                if channel is self._control:
                    self._take_order()
                else:
                    with self.phase("receive"):
                        self._data.take(channel)

    def _channels(self) -> list[Channel]:
        """Returns where something may come from that is due."""
        return [self._control] if self._start is None else [self._control, *self._data.channels()]

    def _take_order(self) -> None:
        if (received := self._control.receive()) is not None:
            self._handle(decode_message(received[1], "orchestrator"))

    def _handle(self, message: AnyMessage) -> None:
        self._state = after(self._state, message.kind, self.identity.name)
        match message:
            case Configure():
                self._configure, self._plan = message, self._adopt(message)
            case Start():
                self._start, self._horizon = message, message.horizon
            case Horizon():
                self._horizon = max(self._horizon, message.until)
            case Stop():
                self._end = message.before
            case Abort():
                raise StopRequested(message.reason)

    def _adopt(self, message: Configure) -> RunPlan:
        try:
            plan = RunPlan.model_validate(message.plan)
        except ValidationError as error:
            raise ProtocolError(f"the orchestrator sent a plan that is none: {error}") from error
        if plan.experiment_digest != self.identity.digest:
            raise ProtocolError(
                f"{self.identity.name} was started for the experiment {self.identity.digest[:12]}, "
                f"the orchestrator sent {plan.experiment_digest[:12]}"
            )
        self._data.expect(plan, self.identity.role)
        return plan

    def _report(self, waiting_for: str | None, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now >= self._next_progress_s:
            self._next_progress_s = now + PROGRESS_INTERVAL_S
            self._say(
                Progress(
                    windows=self._windows,
                    waiting_for=waiting_for,
                    compute_s=self.compute_s(),
                    wait_s=self.wait_s(),
                )
            )

    def _say(self, message: AnyMessage) -> None:
        self._state = after(self._state, message.kind, self.identity.name)
        try:
            self._control.send(encode_message(message))
        except ParticipantLost as error:
            raise ParticipantLost(f"{self.identity.name} lost the orchestrator: {error}") from error
