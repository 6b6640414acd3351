"""The messages of the control plane; docs/protocol.md explains.

=============  =================================  ==================================================
message        from -> to                         meaning
=============  =================================  ==================================================
``hello``      participant -> orchestrator        who I am; refused unless version and digest match
``configure``  orchestrator -> participant        the plan; build now
``ready``      participant -> orchestrator        built; here is what others need to know
``refused``    participant -> orchestrator        cannot be built or begun; every fault found
``start``      orchestrator -> participant        run; where the data plane is, how far you may go
``horizon``    orchestrator -> participant        windows below this number may be entered
``progress``   participant -> orchestrator        windows completed, and what I wait for
``stop``       orchestrator -> participant        end in good order before this window
``abort``      orchestrator -> participant        end now
``done``       participant -> orchestrator        every window up to the end is computed and kept
``failed``     participant -> orchestrator        cannot go on, and why
``bye``        participant -> orchestrator        leaving
=============  =================================  ==================================================

Pausing and single steps are horizons that do not move, or move by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

VERSION = 3
"""Version of the protocol, raised with every change of a message or a frame."""

Frame = bytes | memoryview
Frames = Sequence[Frame]

Role = Literal["tvb", "nest", "translator"]

LAUNCH_ORDER: tuple[Role, ...] = ("nest", "tvb", "translator")
"""Roles in the order of start: the slowest to import and build first."""


MODULES: dict[Role, str] = {
    "nest": "tvb_nest_cosim.nest_service",
    "tvb": "tvb_nest_cosim.tvb_service",
    "translator": "tvb_nest_cosim.translator",
}
"""Package of every role; services are started by name, never imported."""


class Message(BaseModel):
    """A frozen message that refuses fields it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Hello(Message):
    """First message of a participant."""

    kind: Literal["hello"] = "hello"
    version: int = VERSION
    run: str
    digest: str
    role: Role
    rank: int = Field(ge=0)
    host: str
    pid: int


class Configure(Message):
    """The plan of the run."""

    kind: Literal["configure"] = "configure"
    plan: dict[str, Any]
    data_endpoint: str
    """Where the translator binds; ``*`` as a port lets the system choose."""


class FaultReport(Message):
    """A fault of the experiment, as it crosses the wire."""

    path: str
    message: str
    detail: str = ""


class Ready(Message):
    """Everything is built."""

    kind: Literal["ready"] = "ready"
    built: dict[str, Any]
    data_endpoint: str | None = None
    """Where the data plane really is; from the translator only."""


class Refused(Message):
    """The experiment cannot be built or begun; not due once a window may be entered."""

    kind: Literal["refused"] = "refused"
    faults: list[FaultReport] = Field(min_length=1)


class Start(Message):
    """All are ready."""

    kind: Literal["start"] = "start"
    populations: dict[str, dict[str, int]]
    data_endpoint: str | None
    horizon: int = Field(ge=0)


class Horizon(Message):
    """Windows 0 ... until - 1 may be entered."""

    kind: Literal["horizon"] = "horizon"
    until: int = Field(ge=0)


class Progress(Message):
    """A sign of life, sent now and then and at the horizon."""

    kind: Literal["progress"] = "progress"
    windows: int = Field(ge=0)
    """Windows completed."""
    waiting_for: str | None = None
    """What this participant waits for, in words; None while it computes."""
    compute_s: float = 0.0
    """Seconds spent computing so far."""
    wait_s: float = 0.0
    """Seconds spent waiting so far."""


class Stop(Message):
    """End in good order: complete windows 0 ... before - 1, keep them, say done."""

    kind: Literal["stop"] = "stop"
    before: int = Field(ge=0)


class Abort(Message):
    """End now."""

    kind: Literal["abort"] = "abort"
    reason: str


class Done(Message):
    """Everything asked for is computed and on disk."""

    kind: Literal["done"] = "done"
    windows: int = Field(ge=0)
    compute_s: float = 0.0
    wait_s: float = 0.0


class Failed(Message):
    """This participant cannot go on."""

    kind: Literal["failed"] = "failed"
    cause: str
    detail: str = ""


class Bye(Message):
    """Last message of a participant."""

    kind: Literal["bye"] = "bye"


FromParticipant = Hello | Ready | Refused | Progress | Done | Failed | Bye
FromOrchestrator = Configure | Start | Horizon | Stop | Abort
AnyMessage = FromParticipant | FromOrchestrator

MESSAGES: TypeAdapter[AnyMessage] = TypeAdapter(Annotated[AnyMessage, Field(discriminator="kind")])


def peer_name(role: str, rank: int) -> str:
    """Returns the name of a process in messages and logs, and its ZeroMQ routing identity."""
    return f"{role}-{rank}"


@dataclass(frozen=True)
class Program:
    """Processes of a role that are started together, as one MPI world.

    Attributes:
        label: What to call its files.
        first_rank: Rank of its first process among all of the role.
        names: Names of its processes.
    """

    label: str
    first_rank: int
    names: tuple[str, ...]


def programs_of(role: Role, ranks: int, kernels: int = 1) -> list[Program]:
    """Divides the processes of a role evenly into programs.

    Args:
        role: The role.
        ranks: Number of its processes.
        kernels: Number of programs; a divisor of the ranks.
    """
    share = ranks // kernels
    return [
        Program(
            label=f"{role}-{first}" if first else role,
            first_rank=first,
            names=tuple(peer_name(role, rank) for rank in range(first, first + share)),
        )
        for first in range(0, ranks, share)
    ]
