"""The runs that wait, with their plans."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

from tvb_nest_cosim.orchestrator.planning.plan import Planned
from tvb_nest_cosim.orchestrator.server.live.live_run import Live
from tvb_nest_cosim.orchestrator.server.states import RunStates
from tvb_nest_cosim.orchestrator.store import NewRun, RunRow, RunState, RunStore

UNQUEUED = "stopped before it began"


class WaitingRuns:
    """Runs on their way into the queue and out of it; may be used from any thread.

    The lock here is held while the database is asked, so the commands to the present run, which
    must not wait for the database, never take it.

    Args:
        store: Remembers the runs.
        states: Tells clients.
    """

    def __init__(self, store: RunStore, states: RunStates) -> None:
        self._store = store
        self._states = states
        self._planned: dict[str, Planned] = {}
        self._lock = threading.Lock()

    def add(self, run: NewRun, planned: Planned) -> RunRow:
        """Queues a run and keeps its plan until its turn comes.

        A server that has been restarted plans anew what it finds in the database.
        """
        with self._lock:
            row = self._store.add(run)
            self._planned[run.id] = planned
            self._states.tell(run.id, RunState.QUEUED, None)
        return row

    def planned(self, run: str) -> Planned | None:
        """Hands out the plan of a run whose turn has come; None if an earlier server had it."""
        with self._lock:
            return self._planned.pop(run, None)

    def withdraw(self, run: str) -> bool:
        """Takes a run out of the queue; tells whether it was in it."""
        return self.leave(run, RunState.INTERRUPTED, cause=UNQUEUED, ended=datetime.now(UTC))

    def begin(self, live: Live) -> bool:
        """Makes a run the present one unless it was taken out of the queue; tells whether it did.

        Whoever finds a run not in the queue finds it being carried out, or ended.
        """
        with self._lock:
            moved = self._store.move(
                live.id,
                RunState.QUEUED,
                RunState.BUILDING,
                started=live.row.started,
                cause=None,
            )
            if moved:
                with self._states.lock:
                    self._states.present = live
                self._states.tell(live.id, RunState.BUILDING, None)
            return moved

    def leave(self, run: str, state: RunState, **values: Any) -> bool:
        """Moves a run out of the queue unless that has happened already; tells whether it did."""
        with self._lock:
            moved = self._store.move(run, RunState.QUEUED, state, **values)
            if moved:
                self._planned.pop(run, None)
                self._states.tell(run, state, values.get("cause"))
            return moved
