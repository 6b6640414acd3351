"""Messages between agents and the orchestrator; see docs/protocol.md.

An *agent* waits in a simulator's container and starts a fresh worker for every run.

============  ======================  ===========================================================
message       from -> to              meaning
============  ======================  ===========================================================
``here``      agent -> orchestrator   I am ready; this is what I have. Repeated as a sign of life
``call``      orchestrator -> agent   are you there? Only its delivery counts
``launch``    orchestrator -> agent   start the workers of a run
``ended``     agent -> orchestrator   the workers of a run ended, and how
``lines``     agent -> orchestrator   what a worker wrote to its log
``end``       orchestrator -> agent   see that the workers of a run end
``look``      orchestrator -> agent   what do the processes of a run do?
``seen``      agent -> orchestrator   state and CPU time of each
``refused``   agent -> orchestrator   the workers of a run cannot be started, and why
============  ======================  ===========================================================
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from tvb_nest_cosim.cosim_core.wire.protocol import VERSION, Message, Role


class Here(Message):
    """An agent that can be used."""

    kind: Literal["here"] = "here"
    version: int = VERSION
    role: Role
    host: str
    cores: int = Field(ge=1)
    memory_bytes: int = Field(ge=0)
    mpi: bool
    versions: dict[str, str]
    run: str | None = None
    """The run whose workers it looks after; None: it is free."""


class Call(Message):
    """Are you there? If it cannot be delivered, the agent is gone."""

    kind: Literal["call"] = "call"


class Launch(Message):
    """Start the workers of a run."""

    kind: Literal["launch"] = "launch"
    run: str
    digest: str
    control: str
    """Endpoint of the orchestrator for this run's workers."""
    ranks: int = Field(ge=1)
    kernels: int = Field(default=1, ge=1)
    """Into how many programs the ranks are divided, each an MPI world of its own."""
    run_dir: str
    """Where logs and journals go; the same path for everybody."""


class Ended(Message):
    """A process of a run ended."""

    kind: Literal["ended"] = "ended"
    run: str
    names: list[str]
    how: str
    is_consequence: bool
    last_words: str
    all_gone: bool
    """Whether no process of the run is left."""


class Lines(Message):
    """Log lines of a run's workers, JSON each."""

    kind: Literal["lines"] = "lines"
    run: str
    lines: list[str]


class End(Message):
    """See that the workers of a run end."""

    kind: Literal["end"] = "end"
    run: str
    grace_s: float = Field(ge=0)


class Look(Message):
    """What do the processes of a run do?"""

    kind: Literal["look"] = "look"
    run: str
    pids: dict[str, int]
    """Process id by participant, as it said; 0: it has not said hello yet."""


class StateReport(Message):
    """State of a process, as it crosses the wire."""

    letter: str
    """As Linux shows it, see proc(5)."""
    cpu_s: float
    """CPU time of it and its descendants."""


class Seen(Message):
    """What the processes of a run do; who is not there is missing."""

    kind: Literal["seen"] = "seen"
    run: str
    states: dict[str, StateReport]
    """By participant."""


class CannotLaunch(Message):
    """The workers of a run cannot be started."""

    kind: Literal["refused"] = "refused"
    run: str
    reason: str


AgentMessage = Here | Call | Launch | Ended | Lines | End | Look | Seen | CannotLaunch

AGENT_MESSAGES: TypeAdapter[AgentMessage] = TypeAdapter(
    Annotated[AgentMessage, Field(discriminator="kind")]
)
