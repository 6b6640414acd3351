"""The tables. A change here needs a migration in ``migrations/versions``; a test compares them."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Float, Index, Integer, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tvb_nest_cosim.cosim_core.outcomes import FINAL_STATES


class RunState(StrEnum):
    """States of a run, in the order it goes through them.

    ``queued`` -> ``building`` -> ``running`` <-> ``paused`` -> ``stopping`` -> ``finishing`` -> one
    of the final states, which are never left: ``finished``, ``failed``, ``interrupted``,
    ``refused``. While ``finishing``, nothing is simulated any more; results and report are made.
    """

    QUEUED = "queued"
    BUILDING = "building"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    FINISHING = "finishing"
    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    REFUSED = "refused"


SIMULATING = frozenset({RunState.BUILDING, RunState.RUNNING, RunState.PAUSED, RunState.STOPPING})
"""States in which simulators are alive."""

ACTIVE = SIMULATING | {RunState.FINISHING}
"""States in which a server works on a run: on one, and on results that an earlier one owes."""

FINAL = frozenset(map(RunState, FINAL_STATES))
"""States in which nothing will happen any more."""


class UtcTime(TypeDecorator[datetime]):
    """A time with zone; SQLite keeps none, so it is kept in UTC and read as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Converts to UTC on the way in."""
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Puts the zone back on the way out."""
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


class Base(DeclarativeBase):
    """Root of the tables."""


class RunRow(Base):
    """One run."""

    __tablename__ = "runs"
    __table_args__ = (Index("ix_runs_state_number", "state", "number"),)

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    """Order of arrival, which is the order of the queue."""
    id: Mapped[str] = mapped_column(String(40), unique=True)
    """Identity, also the name of the run directory."""
    label: Mapped[str | None] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(200))
    """Name of the experiment."""
    state: Mapped[str] = mapped_column(String(16))
    cause: Mapped[str | None] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(UtcTime)
    started: Mapped[datetime | None] = mapped_column(UtcTime)
    ended: Mapped[datetime | None] = mapped_column(UtcTime)
    windows: Mapped[int] = mapped_column(Integer, default=0)
    windows_total: Mapped[int] = mapped_column(Integer)
    duration_ms: Mapped[float] = mapped_column(Float)
    """Simulated time of the whole run."""
    wall_s: Mapped[float | None] = mapped_column(Float)
    """Wall time from the first window to the last result."""
    digest: Mapped[str | None] = mapped_column(String(64))
    faults: Mapped[list[dict[str, str]] | None] = mapped_column(JSON)
    experiment: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The experiment, every default written out."""
