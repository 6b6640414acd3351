"""The life of a participant as states and the messages that lead from one to the next.

No sockets here: the worker and the coordinator both ask :func:`after` whether a message is due.
"""

from __future__ import annotations

from enum import Enum

from tvb_nest_cosim.cosim_core.errors import ProtocolError


class State(Enum):
    """Where a participant stands. ``REFUSED``, ``DONE``, ``FAILED`` lead to ``GONE`` alone."""

    LAUNCHED = "launched"
    """Its process was started; nothing has been heard."""
    GREETED = "greeted"
    """It said hello and waits for the plan."""
    BUILDING = "building"
    """It has the plan and builds its side."""
    READY = "ready"
    """It waits for the start."""
    REFUSED = "refused"
    """It cannot build this experiment, or cannot begin once it knows what the others built."""
    RUNNING = "running"
    """It advances window by window."""
    DONE = "done"
    """It completed what was asked and kept it."""
    FAILED = "failed"
    """It cannot go on."""
    GONE = "gone"
    """It left; final."""


FINAL = frozenset({State.REFUSED, State.DONE, State.FAILED, State.GONE})
"""States after which nothing more is computed."""

_NEXT: dict[tuple[State, str], State] = {
    (State.LAUNCHED, "hello"): State.GREETED,
    (State.GREETED, "configure"): State.BUILDING,
    (State.BUILDING, "ready"): State.READY,
    (State.BUILDING, "refused"): State.REFUSED,
    (State.READY, "start"): State.RUNNING,
    # Until the first window may be entered: what depends on what the others have built.
    (State.RUNNING, "refused"): State.REFUSED,
    (State.RUNNING, "horizon"): State.RUNNING,
    (State.RUNNING, "stop"): State.RUNNING,
    (State.RUNNING, "progress"): State.RUNNING,
    (State.RUNNING, "done"): State.DONE,
    # The orchestrator may move the horizon while a done is on its way.
    (State.DONE, "horizon"): State.DONE,
    (State.DONE, "stop"): State.DONE,
    **{
        (state, "failed"): State.FAILED
        for state in (State.GREETED, State.BUILDING, State.READY, State.RUNNING)
    },
    **{(state, "abort"): state for state in State if state is not State.GONE},
    **{(state, "bye"): State.GONE for state in State if state is not State.LAUNCHED},
}


def after(state: State, kind: str, who: str) -> State:
    """Returns the state that a message leads to.

    Args:
        state: State before the message.
        kind: Kind of the message, in either direction.
        who: Name of the participant, for the error.

    Raises:
        ProtocolError: If this message is not due in this state.
    """
    try:
        return _NEXT[state, kind]
    except KeyError:
        due = sorted(known for (at, known) in _NEXT if at is state)
        raise ProtocolError(
            f"{who} is {state.value}; a message '{kind}' is not due now, "
            f"expected one of: {', '.join(due) or 'none'}"
        ) from None
