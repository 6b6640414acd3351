"""Answers of the REST interface, declared once for the client and the server.

A client ignores fields that it does not know, so that it reads answers of later servers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from tvb_nest_cosim.cosim_core.errors import Fault


class Answer(BaseModel):
    """An answer."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class FaultAnswer(Answer):
    """One thing that is wrong with an experiment or request."""

    path: str
    """Where, as a key path."""
    message: str
    """What, and what to do."""
    detail: str = ""
    """Further lines, such as a traceback."""
    line: int | None = None
    """Line of the YAML text, counted from 1; null where no line holds the fault."""

    @classmethod
    def of(cls, fault: Fault) -> FaultAnswer:
        """Makes the answer about a fault."""
        return cls(path=fault.path, message=fault.message, detail=fault.detail, line=fault.line)

    @property
    def fault(self) -> Fault:
        """The fault that it describes."""
        return Fault(self.path, self.message, self.detail, self.line)


class Problem(Answer):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    """What went wrong, in a sentence."""
    faults: list[FaultAnswer] | None = None
    """Everything that is wrong with an experiment or request."""


class RunAnswer(Answer):
    """A run."""

    id: str
    label: str | None
    name: str
    """Name of the experiment."""
    state: str
    cause: str | None
    """Why it ended, unless it finished."""
    created: datetime
    started: datetime | None
    ended: datetime | None
    windows: int
    """Windows done."""
    windows_total: int
    duration_ms: float
    """Simulated time of the whole run."""
    wall_s: float | None
    """Wall time from the first window to the last result."""
    digest: str | None
    """SHA-256 of spikes and TVB series."""
    faults: list[FaultAnswer]
    """What was wrong with the experiment of a refused run."""
    links: dict[str, str]


class RunPage(Answer):
    """A page of runs, the newest first."""

    total: int
    """Runs that match, on all pages."""
    items: Sequence[RunAnswer]


class PlanAnswer(Answer):
    """Those numbers of a plan that decide where it can run; the server sends many more."""

    model_config = ConfigDict(extra="allow")

    processes: int
    memory_bytes: int
    disk_bytes: int


class Verdict(Answer):
    """Whether an experiment can be run."""

    valid: bool
    faults: list[FaultAnswer]
    warnings: list[str]
    plan: PlanAnswer | None
    experiment: dict[str, Any] | None = None
    """The experiment with every default written out; null if it cannot be read."""


class FileAnswer(Answer):
    """A file of a run."""

    name: str
    bytes: int
    media_type: str
    href: str


class FileList(Answer):
    """Files of a run."""

    items: list[FileAnswer]
