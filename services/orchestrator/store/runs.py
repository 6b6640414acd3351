"""Reading and changing what is remembered of runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select, update

from tvb_nest_cosim.orchestrator.store.database import Database
from tvb_nest_cosim.orchestrator.store.models import ACTIVE, RunRow, RunState


@dataclass(frozen=True)
class NewRun:
    """A run that is to be queued.

    Attributes:
        id: Its identity.
        label: What the user calls it, if anything.
        name: Name of the experiment.
        windows_total: Windows of the whole run.
        duration_ms: Simulated time of the whole run.
        experiment: The experiment, every default written out.
    """

    id: str
    label: str | None
    name: str
    windows_total: int
    duration_ms: float
    experiment: dict[str, Any]


class RunStore:
    """The runs of one server; may be used from any thread.

    Rows that are returned are copies: changing them changes nothing. Every method raises StoreError
    while the database cannot be used.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, new: NewRun) -> RunRow:
        """Queues a run behind all others."""
        row = RunRow(
            id=new.id,
            label=new.label,
            name=new.name,
            state=RunState.QUEUED,
            created=datetime.now(UTC),
            windows=0,
            windows_total=new.windows_total,
            duration_ms=new.duration_ms,
            experiment=new.experiment,
        )
        with self._database.session() as session:
            session.add(row)
        return row

    def adopt(self, row: RunRow) -> None:
        """Remembers a run that was carried out without this database."""
        with self._database.session() as session:
            session.add(row)

    def identities(self) -> set[str]:
        """Returns the identities of all runs."""
        with self._database.session() as session:
            return set(session.scalars(select(RunRow.id)))

    def get(self, run: str) -> RunRow | None:
        """Returns a run, if there is such a one."""
        with self._database.session() as session:
            return session.scalar(select(RunRow).where(RunRow.id == run))

    def page(
        self, state: RunState | None, search: str | None, limit: int, offset: int
    ) -> tuple[int, list[RunRow]]:
        """Returns how many runs match, and a page of them, the newest first.

        Args:
            state: Only runs in this state.
            search: Only runs whose identity, name or label holds this text in any case.
            limit: Most runs of the page.
            offset: Runs to skip.
        """
        wanted: list[ColumnElement[bool]] = []
        if state is not None:
            wanted.append(RunRow.state == state)
        if search:
            columns = (RunRow.id, RunRow.name, RunRow.label)
            wanted.append(or_(*(c.icontains(search, autoescape=True) for c in columns)))
        with self._database.session() as session:
            total = session.scalar(select(func.count()).select_from(RunRow).where(*wanted)) or 0
            rows = session.scalars(
                select(RunRow)
                .where(*wanted)
                .order_by(RunRow.number.desc())
                .limit(limit)
                .offset(offset)
            ).all()
        return total, list(rows)

    def counts(self) -> dict[RunState, int]:
        """Returns how many runs are in each state, all states named."""
        with self._database.session() as session:
            rows = session.execute(select(RunRow.state, func.count()).group_by(RunRow.state)).all()
        found = {RunState(state): count for state, count in rows}
        return {state: found.get(state, 0) for state in RunState}

    def next_queued(self) -> RunRow | None:
        """Returns the run that has waited longest."""
        with self._database.session() as session:
            queued = select(RunRow).where(RunRow.state == RunState.QUEUED)
            return session.scalar(queued.order_by(RunRow.number).limit(1))

    def active(self) -> list[RunRow]:
        """Returns the runs that a server worked on."""
        with self._database.session() as session:
            rows = session.scalars(select(RunRow).where(RunRow.state.in_(ACTIVE)))
            return list(rows.all())

    def change(self, run: str, **values: Any) -> None:
        """Changes columns of a run."""
        with self._database.session() as session:
            session.execute(update(RunRow).where(RunRow.id == run).values(**values))

    def move(self, run: str, before: RunState, after: RunState, **values: Any) -> bool:
        """Changes the state of a run if it is still ``before``; tells whether it was."""
        with self._database.session() as session:
            changed = session.execute(
                update(RunRow)
                .where(RunRow.id == run, RunRow.state == before)
                .values(state=after, **values)
                .returning(RunRow.id)
            ).all()
        return bool(changed)

    def remove(self, run: str) -> None:
        """Forgets a run."""
        with self._database.session() as session:
            session.execute(delete(RunRow).where(RunRow.id == run))
