"""The life of a participant: no way back, one way out, every other message an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.frames import MESSAGES
from tvb_nest_cosim.cosim_core.errors import ProtocolError
from tvb_nest_cosim.cosim_core.wire.lifecycle import FINAL, State, after

KINDS = sorted(MESSAGES)
RANK = {
    State.LAUNCHED: 0,
    State.GREETED: 1,
    State.BUILDING: 2,
    State.READY: 3,
    State.RUNNING: 4,
    State.REFUSED: 5,
    State.DONE: 5,
    State.FAILED: 5,
    State.GONE: 6,
}
"""Order of the states in any life."""


def states_after(state: State, kinds: list[str]) -> list[State]:
    """Follows those of the messages that are due."""
    visited = [state]
    for kind in kinds:
        try:
            visited.append(after(visited[-1], kind, "tvb-0"))
        except ProtocolError:
            continue
    return visited


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("kind", KINDS)
def test_every_message_leads_on_or_is_an_error_that_names_both(state: State, kind: str) -> None:
    try:
        reached = after(state, kind, "tvb-0")
    except ProtocolError as error:
        text = str(error)
        assert text.startswith(f"tvb-0 is {state.value}; a message '{kind}' is not due now")
        assert "expected one of: " in text
        assert f" {kind}" not in text.partition("expected one of:")[2]
    else:
        assert RANK[reached] >= RANK[state]
        assert (reached is state) or state not in FINAL or reached is State.GONE


@given(st.lists(st.sampled_from(KINDS), max_size=60))
def test_there_is_no_way_back(kinds: list[str]) -> None:
    ranks = [RANK[state] for state in states_after(State.LAUNCHED, kinds)]
    assert ranks == sorted(ranks)


@given(
    st.sampled_from([state for state in State if state in FINAL]), st.lists(st.sampled_from(KINDS))
)
def test_what_is_final_leads_to_gone_alone(state: State, kinds: list[str]) -> None:
    assert set(states_after(state, kinds)) <= {state, State.GONE}


@pytest.mark.parametrize("kind", sorted({*KINDS} - {"bye"}))
def test_nothing_but_a_late_bye_is_due_from_who_is_gone(kind: str) -> None:
    assert after(State.GONE, "bye", "tvb-0") is State.GONE
    with pytest.raises(ProtocolError, match=r"tvb-0 is gone; .* expected one of: bye$"):
        after(State.GONE, kind, "tvb-0")


def test_the_usual_life() -> None:
    kinds = ["hello", "configure", "ready", "start", "progress", "horizon", "progress", "done"]
    assert states_after(State.LAUNCHED, [*kinds, "horizon", "bye"]) == [
        State.LAUNCHED,
        State.GREETED,
        State.BUILDING,
        State.READY,
        *[State.RUNNING] * 4,
        State.DONE,
        State.DONE,
        State.GONE,
    ]


@pytest.mark.parametrize("state", [state for state in State if state is not State.GONE])
def test_an_abort_is_due_at_any_time(state: State) -> None:
    assert after(state, "abort", "tvb-0") is state


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_says_nothing_first_is_not_heard(kind: str) -> None:
    if kind in ("hello", "abort"):
        return
    with pytest.raises(ProtocolError, match="expected one of: abort, hello"):
        after(State.LAUNCHED, kind, "tvb-0")
