"""An agent: waits beside a simulator and starts a fresh worker for every run.

``python -P -m tvb_nest_cosim.nest_service agent --orchestrator tcp://HOST:PORT`` (the same for
``tvb_service`` and ``translator``) is what a container runs. A worker that crashes takes nothing
along: the agent reports its end and is ready for the next run. If the orchestrator goes away, the
workers end by themselves, and the agent calls until it is back.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import ParticipantLost, ProtocolError
from tvb_nest_cosim.cosim_core.processes.commands import worker_command, worker_environment
from tvb_nest_cosim.cosim_core.processes.host import Host
from tvb_nest_cosim.cosim_core.processes.mpi import find_starter
from tvb_nest_cosim.cosim_core.processes.process_group import ProcessGroup
from tvb_nest_cosim.cosim_core.processes.process_state import look_at
from tvb_nest_cosim.cosim_core.processes.warm_worker import Order, WarmWorker
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.logs import LogTail
from tvb_nest_cosim.cosim_core.wire.agent_protocol import (
    AGENT_MESSAGES,
    AgentMessage,
    Call,
    CannotLaunch,
    End,
    Ended,
    Here,
    Launch,
    Lines,
    Look,
    Seen,
    StateReport,
)
from tvb_nest_cosim.cosim_core.wire.codec import decode_as, encode_message
from tvb_nest_cosim.cosim_core.wire.protocol import Role, peer_name, programs_of
from tvb_nest_cosim.cosim_core.wire.transport import Channel, Transport

_logger = logging.getLogger(__name__)

CALL_EVERY_S = 1.0
"""How often an agent says that it is there."""

RECONNECT_S = 1.0
"""How long it waits before it calls an orchestrator again that went away."""

_POLL_S = 0.1
_MAX_LINES = 200
"""Most lines of logs that one report carries."""


@dataclass
class _Job:
    """The workers of one run."""

    run: str
    group: ProcessGroup
    logs: Path
    tails: dict[Path, LogTail] = field(default_factory=dict)

    def new_lines(self, role: Role) -> list[str]:
        """Returns what the workers have logged since the last call, the last lines of too many."""
        lines: list[bytes] = []
        for path in sorted(self.logs.glob(f"{role}-*.jsonl")):
            lines += self.tails.setdefault(path, LogTail(path)).new()
        return [line.decode(errors="replace") for line in lines[-_MAX_LINES:]]


class Agent:
    """Serves one orchestrator until it has to stop.

    Args:
        make_transport: Makes a transport; a fresh one for every connection.
        endpoint: Where the orchestrator listens to agents.
        host: This host, as the agent's role can use it.
        alive: File that is touched whenever the orchestrator calls, for a container's health check.
    """

    def __init__(
        self,
        make_transport: Callable[[], Transport],
        endpoint: str,
        host: Host,
        alive: Path | None = None,
    ) -> None:
        self._make_transport = make_transport
        self._endpoint = endpoint
        self._host = host
        self._role = host.role
        self._alive = alive
        self._name = f"{host.role}@{host.host}-{os.getpid()}"
        self._job: _Job | None = None
        self._warm_worker = WarmWorker(host.role)

    def serve(self, stop: threading.Event) -> None:
        """Calls the orchestrator, again whenever it was lost, until ``stop`` is set."""
        try:
            self._warm_worker.prepare()
            self._serve(stop)
        finally:
            self._warm_worker.close()

    def _serve(self, stop: threading.Event) -> None:
        while not stop.is_set():
            transport = self._make_transport()
            try:
                self._converse(transport, transport.connect(self._endpoint, self._name), stop)
            except ParticipantLost as lost:
                _logger.warning("%s; calling again", lost)
            finally:
                self._drop_job(0.0)
                transport.close()
            stop.wait(RECONNECT_S)

    def _converse(self, transport: Transport, channel: Channel, stop: threading.Event) -> None:
        call_at = 0.0
        while not stop.is_set():
            if time.monotonic() >= call_at:
                call_at = time.monotonic() + CALL_EVERY_S
                channel.send(encode_message(self._here()))
            transport.wait([channel], _POLL_S)
            while (received := channel.receive()) is not None:
                self._handle(channel, received[1])
            self._report(channel)

    def _here(self) -> Here:
        return Here(**asdict(self._host), run=self._job.run if self._job else None)

    def _handle(self, channel: Channel, frames: list[bytes | memoryview]) -> None:
        try:
            message: AgentMessage = decode_as(AGENT_MESSAGES, frames, "orchestrator")
        except ProtocolError as error:
            _logger.warning("%s", error)
            return
        match message:
            case Call():
                if self._alive is not None:
                    self._alive.touch()
            case Launch():
                self._launch(channel, message)
            case End():
                if self._job is not None and self._job.run == message.run:
                    self._job.group.stop(message.grace_s)
                    self._report(channel)
            case Look():
                self._look(channel, message)

    def _look(self, channel: Channel, message: Look) -> None:
        """Says what the workers of a run do, also those that have not said hello."""
        if self._job is None or self._job.run != message.run:
            return
        started = self._job.group.pids()
        seen = look_at({name: pid or started.get(name, 0) for name, pid in message.pids.items()})
        states = {name: StateReport(**asdict(state)) for name, state in seen.items()}
        channel.send(encode_message(Seen(run=message.run, states=states)))

    def _launch(self, channel: Channel, message: Launch) -> None:
        self._drop_job(0.0)
        logs = RunLayout(Path(message.run_dir)).logs
        group = ProcessGroup()
        try:
            if message.ranks > 1 or not self._use_warm_worker(group, message, logs):
                self._start(group, message, logs)
        except OSError as error:
            reason = f"{error} (agent {self._name}; does it share the run directory?)"
            channel.send(encode_message(CannotLaunch(run=message.run, reason=reason)))
            return
        _logger.info("started %s for run %s", self._role, message.run)
        self._job = _Job(message.run, group, logs)

    def _use_warm_worker(self, group: ProcessGroup, message: Launch, logs: Path) -> bool:
        """Sends the waiting worker into the run; returns whether there was one."""
        output = (logs / f"{self._role}.out").absolute()
        output.touch()
        order = Order(
            control=message.control, run=message.run, digest=message.digest, output=output
        )
        process = self._warm_worker.take(order)
        if process is None:
            return False
        group.adopt((peer_name(self._role, 0),), process, output)
        return True

    def _start(self, group: ProcessGroup, message: Launch, logs: Path) -> None:
        command = worker_command(self._role, message.control, message.run, message.digest)
        programs = programs_of(self._role, message.ranks, message.kernels)
        share = len(programs[0].names)
        starter = find_starter() if share > 1 else None
        if share > 1 and starter is None:
            raise OSError(f"{share} ranks need mpirun, which this agent does not have")
        environment = worker_environment(self._role)
        group.start_programs(programs, command, logs, environment, starter)

    def _report(self, channel: Channel) -> None:
        """Sends what the workers wrote and which of them ended."""
        job = self._job
        if job is None:
            return
        if lines := job.new_lines(self._role):
            channel.send(encode_message(Lines(run=job.run, lines=lines)))
        exits = job.group.poll()
        for gone in exits:
            channel.send(
                encode_message(
                    Ended(
                        run=job.run,
                        names=list(gone.names),
                        how=gone.how,
                        is_consequence=gone.is_consequence,
                        last_words=gone.last_words,
                        all_gone=job.group.is_empty(),
                    )
                )
            )
        if job.group.is_empty():
            self._drop_job(0.0)

    def _drop_job(self, grace_s: float) -> None:
        if self._job is not None:
            self._job.group.stop(grace_s)
            self._job = None
            # Only now: importing beside a run would slow it down.
            self._warm_worker.prepare()
