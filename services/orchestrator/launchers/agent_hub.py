"""The orchestrator's side of agents: who is there, and the workers that they look after."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tvb_nest_cosim.cosim_core.errors import ParticipantLost, ProtocolError
from tvb_nest_cosim.cosim_core.processes.process_state import ProcessState
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
)
from tvb_nest_cosim.cosim_core.wire.bounded_log import BoundedLog
from tvb_nest_cosim.cosim_core.wire.codec import decode_as, encode_message
from tvb_nest_cosim.cosim_core.wire.transport import Transport

_logger = logging.getLogger(__name__)

SILENT_S = 5.0
"""An agent that was silent for so long counts as gone; it reports every second."""

_POLL_S = 0.1
_CALL_EVERY_S = 0.5


@dataclass
class Agent:
    """An agent that has called.

    Attributes:
        name: Its name on the wire, unique.
        here: Its last description of itself.
        heard_s: When that came, on the monotonic clock.
    """

    name: str
    here: Here
    heard_s: float


@dataclass
class Work:
    """The workers of one role in one run, as their agent reports them.

    Attributes:
        agent: Name of the agent.
        names: The participants.
        ended: Reports that have not been taken yet.
        all_gone: Whether no process is left.
        seen: What they did at the last look, until it is taken.
    """

    agent: str
    names: tuple[str, ...]
    ended: deque[Ended] = field(default_factory=deque)
    all_gone: bool = False
    seen: dict[str, ProcessState] = field(default_factory=dict)


class AgentHub:
    """Listens to agents in a thread of its own; every method may be called from any thread.

    Args:
        transport: Makes the channel; used by the thread alone once it has started.
        endpoint: Where agents connect.
        log: Gets the log lines of workers, with the run's identity.
    """

    def __init__(
        self,
        transport: Transport,
        endpoint: str,
        log: Callable[[str, list[str]], None] = lambda run, lines: None,
    ) -> None:
        self._transport = transport
        self._channel = transport.bind(endpoint)
        self._log = log
        self._lock = threading.Lock()
        self._agents: dict[str, Agent] = {}
        self._work: dict[tuple[str, str], Work] = {}
        self._outbox: deque[tuple[str, AgentMessage]] = deque()
        self._listened_s = 0.0
        self._bad_messages = BoundedLog(_logger)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="agents", daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """Where agents connect, ports resolved."""
        return self._channel.endpoint

    def agents(self) -> list[Agent]:
        """Returns the agents that are there."""
        with self._lock:
            return [agent for agent in self._agents.values() if not self._is_silent(agent)]

    def free(self, role: str) -> Agent | None:
        """Returns an agent of a role that looks after no run."""
        return next((a for a in self.agents() if a.here.role == role and a.here.run is None), None)

    def launch(self, agent: Agent, names: tuple[str, ...], message: Launch) -> Work:
        """Asks an agent to start the workers of a run."""
        work = Work(agent.name, names)
        with self._lock:
            agent.here = agent.here.model_copy(update={"run": message.run})
            self._work[agent.name, message.run] = work
            self._outbox.append((agent.name, message))
        return work

    def end(self, work: Work, run: str, grace_s: float) -> None:
        """Asks an agent to see that the workers of a run end."""
        with self._lock:
            self._outbox.append((work.agent, End(run=run, grace_s=grace_s)))

    def look(self, work: Work, run: str, pids: Mapping[str, int]) -> dict[str, ProcessState]:
        """Asks an agent what its workers do; returns its answer to the last question, if any."""
        with self._lock:
            self._outbox.append((work.agent, Look(run=run, pids=dict(pids))))
            seen, work.seen = work.seen, {}
        return seen

    def forget(self, work: Work, run: str) -> None:
        """Drops what is known of finished work."""
        with self._lock:
            self._work.pop((work.agent, run), None)

    def is_gone(self, name: str) -> bool:
        """Tells whether an agent has left or fallen silent."""
        with self._lock:
            agent = self._agents.get(name)
            return agent is None or self._is_silent(agent)

    def _is_silent(self, agent: Agent) -> bool:
        """Tells whether nothing was heard for ``SILENT_S``, while this process did listen.

        What came while it was itself stopped (Ctrl-Z) waits to be read.
        """
        return self._listened_s - agent.heard_s > SILENT_S

    def close(self) -> None:
        """Stops listening; agents keep trying to reconnect."""
        self._closing.set()
        self._thread.join()

    def _listen(self) -> None:
        call_at = 0.0
        while not self._closing.is_set():
            if time.monotonic() >= call_at:
                call_at = time.monotonic() + _CALL_EVERY_S
                with self._lock:
                    self._outbox.extend((name, Call()) for name in self._agents)
            self._transport.wait([self._channel], _POLL_S)
            while (received := self._channel.receive()) is not None:
                self._handle(*received)
            self._listened_s = time.monotonic()
            self._send_outbox()
        self._send_outbox()
        self._transport.close()

    def _handle(self, name: str, frames: list[bytes | memoryview]) -> None:
        try:
            message = decode_as(AGENT_MESSAGES, frames, name)
        except ProtocolError as error:
            self._bad_messages.warning(str(error))
            return
        with self._lock:
            match message:
                case Here():
                    self._agents[name] = Agent(name, message, time.monotonic())
                case Ended():
                    self._note_end(name, message)
                case CannotLaunch():
                    self._note_end(name, _as_end(message, self._work.get((name, message.run))))
                case Seen():
                    self._note_states(name, message)
                case Lines():
                    self._log(message.run, message.lines)

    def _note_end(self, name: str, message: Ended) -> None:
        work = self._work.get((name, message.run))
        if work is not None:
            work.ended.append(message)
            work.all_gone = work.all_gone or message.all_gone

    def _note_states(self, name: str, message: Seen) -> None:
        work = self._work.get((name, message.run))
        if work is not None:
            states = message.states.items()
            work.seen = {who: ProcessState(**state.model_dump()) for who, state in states}

    def _send_outbox(self) -> None:
        with self._lock:
            sends, self._outbox = self._outbox, deque()
        for name, message in sends:
            try:
                self._channel.send(encode_message(message), name)
            except ParticipantLost as error:
                _logger.warning("%s", error)
                with self._lock:
                    self._agents.pop(name, None)


def _as_end(message: CannotLaunch, work: Work | None) -> Ended:
    return Ended(
        run=message.run,
        names=list(work.names) if work else [],
        how=f"could not be started: {message.reason}",
        is_consequence=False,
        last_words="",
        all_gone=True,
    )
