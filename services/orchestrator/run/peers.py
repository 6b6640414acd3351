"""State of a run's processes, and how a run can end."""

from __future__ import annotations

from dataclasses import dataclass, field

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.plan import Built
from tvb_nest_cosim.cosim_core.outcomes import OutcomeKind
from tvb_nest_cosim.cosim_core.wire.lifecycle import State
from tvb_nest_cosim.cosim_core.wire.protocol import AnyMessage


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
    compute_s: float = 0.0
    wait_s: float = 0.0
    built: Built = field(default_factory=Built)
    has_begun: bool = False
    """Whether it stands before the first window, knowing what the others have built."""


Send = tuple[str, AnyMessage]
"""Name of a process and a message to it."""
