"""One run from the first process to the last: carries out what the coordinator decides."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from tvb_nest_cosim.cosim_core.errors import ParticipantLost, ProtocolError
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.processes.host import advertised
from tvb_nest_cosim.cosim_core.wire.bounded_log import BoundedLog
from tvb_nest_cosim.cosim_core.wire.codec import decode_message, encode_message
from tvb_nest_cosim.cosim_core.wire.lifecycle import State
from tvb_nest_cosim.cosim_core.wire.transport import Channel
from tvb_nest_cosim.orchestrator.launchers.base import Processes
from tvb_nest_cosim.orchestrator.run.control import RunControl, signals_to
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.run.peers import Outcome, Send

_logger = logging.getLogger(__name__)

POLL_S = 0.05
"""Longest time between two looks at the processes; a death is noticed within it."""

LEAVE_S = 10.0
"""How long participants may take to leave after a run that ended in good order."""

LEAVE_AFTER_FAILURE_S = 0.5
"""How long they may take after any other, before they are ended."""

_LEAVING = (State.DONE, State.GONE)

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


class Session:
    """One run, from the start of its processes to their end.

    Args:
        plan: Plan of the run; its folders exist.
        processes: Its processes and sockets; closed at its end.
        observe: Called with the coordinator as the run goes on.
        control: Commands from other threads; signals are added to them.
        only_build: Build everything, run nothing.
    """

    def __init__(
        self,
        plan: RunPlan,
        processes: Processes,
        *,
        observe: Observer = lambda coordinator: None,
        control: RunControl | None = None,
        only_build: bool = False,
    ) -> None:
        self._commands = control or RunControl()
        self._observe = observe
        self._processes = processes
        self.coordinator = Coordinator(
            plan,
            processes.data_endpoint,
            time.monotonic(),
            only_build=only_build,
        )
        self._log = BoundedLog(_logger)
        self._started_s: float | None = None

    def run(self) -> tuple[Outcome, Timing]:
        """Starts every participant, coordinates the run and waits until all have left.

        Returns:
            How it ended, and how long it took. Whatever happens, no process is left behind.
        """
        began_s = time.monotonic()
        with signals_to(self._commands):
            try:
                outcome = self._coordinate()
            finally:
                self._leave()
        ended_s = time.monotonic()
        started_s = ended_s if self._started_s is None else self._started_s
        return outcome, Timing(started_s - began_s, ended_s - started_s)

    def _coordinate(self) -> Outcome:
        transport, coordinator = self._processes.transport, self.coordinator
        control = transport.bind(self._processes.control_endpoint)
        try:
            self._processes.start(advertised(control.endpoint))
        except OSError as error:
            # no process left to this user, no memory, no space for its output
            coordinator.fail(f"the participants cannot be started: {error}")
            self._observe(coordinator)
        while coordinator.outcome is None:
            transport.wait([control], POLL_S)
            self._listen(control)
            # Before exits are noted: scancel ends everybody at once, and is the cause.
            for command in self._commands.taken():
                self._send(control, command(coordinator, time.monotonic()))
            self._note_exits(control)
            self._look()
            self._send(control, coordinator.tick(time.monotonic()))
            if self._started_s is None and coordinator.is_running:
                self._started_s = time.monotonic()
            self._observe(coordinator)
        return coordinator.outcome

    def _listen(self, control: Channel) -> None:
        while (received := control.receive()) is not None:
            name, frames = received
            try:
                message = decode_message(frames, name)
                self._send(control, self.coordinator.hear(name, message, time.monotonic()))
            except ProtocolError as error:
                self._log.warning(str(error))
                if name in self.coordinator.peers:
                    self._send(control, self.coordinator.fail(str(error)))

    def _look(self) -> None:
        """Looks at processes that have said nothing for a while."""
        now_s, liveness = time.monotonic(), self.coordinator.liveness
        if peers := liveness.worth_a_look(self.coordinator.peers.values(), now_s):
            reported = {peer.name: (peer.host, peer.pid) for peer in peers}
            liveness.see(self._processes.look(reported), now_s)

    def _note_exits(self, control: Channel) -> None:
        """Notes the end of processes, after their last messages."""
        exits = self._processes.poll()
        if exits:
            self._processes.transport.wait([control], POLL_S)
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
                # Its process is gone or going; its exit, once noted, is the cause.
                _logger.info("%s", error)

    def _leave(self) -> None:
        orderly = all(p.state in _LEAVING for p in self.coordinator.peers.values())
        self._processes.stop(LEAVE_S if orderly else LEAVE_AFTER_FAILURE_S)
        self._processes.close()
        self._log.flush()
        self.coordinator.turned_away.flush()
