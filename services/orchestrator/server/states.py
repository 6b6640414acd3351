"""States of runs: the one that is carried out, and how changes reach the database and clients."""

from __future__ import annotations

import threading
from typing import Any

from tvb_nest_cosim.orchestrator.server.live.hub import Hub
from tvb_nest_cosim.orchestrator.server.live.live_run import Live
from tvb_nest_cosim.orchestrator.server.notes import Notes
from tvb_nest_cosim.orchestrator.store import RunState

NOTE_S = 0.25
"""Longest wait for the database at a change of state; usually lists agree with it at once."""


class RunStates:
    """The run that is being carried out, and the news of all runs.

    Attributes:
        lock: Held while the state of the present run is looked at and changed. Nobody waits for
            the database for longer than :data:`NOTE_S` while holding it.
        present: The run that is being carried out, if there is one.
        notes: Changes on their way into the database.

    Args:
        notes: Changes on their way into the database.
        hub: Gets an event for every change.
    """

    def __init__(self, notes: Notes, hub: Hub) -> None:
        self.lock = threading.RLock()
        self.present: Live | None = None
        self.notes = notes
        self._hub = hub

    def live(self, run: str | None = None) -> Live | None:
        """Returns the run that is being carried out, if it is this one (or any)."""
        live = self.present
        return live if live is not None and run in (None, live.id) else None

    def tell(self, run: str, state: RunState, cause: str | None) -> None:
        """Tells clients of a change that is in the database already."""
        self._hub.publish(run, "state", {"state": state.value, "cause": cause})

    def enter(self, live: Live, state: RunState, cause: str | None = None, **values: Any) -> None:
        """Changes the state of the present run, whether it can be noted or not."""
        live.state, live.cause = state, cause
        self.notes.put(live.id, state=state, cause=cause, **values)
        self.notes.is_written(live.id, NOTE_S)
        self.tell(live.id, state, cause)
