"""State of a run's processes, and how a run can end."""

from __future__ import annotations

from dataclasses import dataclass, field

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.plan import Built, RunPlan
from tvb_nest_cosim.cosim_core.outcomes import OutcomeKind
from tvb_nest_cosim.cosim_core.wire.lifecycle import State
from tvb_nest_cosim.cosim_core.wire.protocol import AnyMessage, Hello, peer_name


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        kind: How.
        cause: One line that says why, unless it finished.
        detail: Further lines, such as a traceback.
        faults: Faults of a refused experiment.
    """

    kind: OutcomeKind
    cause: str = ""
    detail: str = ""
    faults: tuple[Fault, ...] = ()


@dataclass
class Peer:
    """State of one process, as it has reported it."""

    name: str
    host: str = ""
    pid: int = 0
    state: State = State.LAUNCHED
    windows: int = 0
    waiting_for: str | None = None
    heard_s: float = 0.0
    """When it last said anything."""
    compute_s: float = 0.0
    wait_s: float = 0.0
    built: Built = field(default_factory=Built)
    has_begun: bool = False
    """Whether it stands before the first window, knowing what the others have built."""


Send = tuple[str, AnyMessage]
"""Name of a process and a message to it."""


def unwelcome(hello: Hello, name: str, plan: RunPlan) -> str:
    """Says what is wrong with a greeting; empty if it is welcome.

    Args:
        hello: The greeting.
        name: Name of the process on the wire.
        plan: Plan of the run.
    """
    greeted = peer_name(hello.role, hello.rank)
    if greeted != name:
        return f"{name} greeted as {greeted}"
    if hello.run != plan.run:
        return f"a {hello.role} of run {hello.run} called, this is run {plan.run}"
    if hello.digest != plan.experiment_digest:
        return (
            f"{greeted} was started for the experiment {hello.digest[:12]}, this run is of "
            f"{plan.experiment_digest[:12]}; a process of an earlier attempt may still be alive"
        )
    return ""
