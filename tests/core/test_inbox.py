"""Blocks in any order of arrival are handed out once each, in order of windows and ranks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tvb_nest_cosim.cosim_core.errors import ProtocolError
from tvb_nest_cosim.cosim_core.model.signals import Block
from tvb_nest_cosim.cosim_core.participant.inbox import MAX_AHEAD, Inbox

EDGE = "nest>translator"
OTHER = "tvb>translator"


def block(window: int, rank: int = 0, edge: str = EDGE) -> Block:
    return Block(edge, window, rank, {})


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[dict[str, int], int, list[Block]]:
    ranks = {EDGE: draw(st.integers(1, 4)), OTHER: 1}
    windows = draw(st.integers(1, 6))
    everything = [
        block(window, rank, edge)
        for edge, count in ranks.items()
        for window in range(windows)
        for rank in range(count)
    ]
    return ranks, windows, draw(st.permutations(everything))


@given(arrivals(), st.data())
def test_any_order_of_arrival_gives_every_block_once_and_in_order(
    case: tuple[dict[str, int], int, list[Block]], data: st.DataObject
) -> None:
    ranks, windows, order = case
    inbox, due, taken = Inbox(ranks), dict.fromkeys(ranks, 0), []
    for arrived in order:
        inbox.put(arrived, "nest")
        for edge in ranks:
            while due[edge] < windows and inbox.has(edge, due[edge]) and data.draw(st.booleans()):
                taken += inbox.take(edge, due[edge])
                due[edge] += 1
    for edge in ranks:
        for window in range(due[edge], windows):
            assert inbox.has(edge, window)
            taken += inbox.take(edge, window)
    assert len(taken) == len(order)
    for edge, count in ranks.items():
        got = [(one.window, one.rank) for one in taken if one.edge == edge]
        assert got == [(window, rank) for window in range(windows) for rank in range(count)]


@given(arrivals(), st.data())
def test_a_block_that_was_here_before_is_refused(
    case: tuple[dict[str, int], int, list[Block]], data: st.DataObject
) -> None:
    ranks, _, order = case
    inbox = Inbox(ranks)
    for arrived in order:
        inbox.put(arrived, "nest")
    if data.draw(st.booleans()):
        inbox.take(EDGE, 0)
    with pytest.raises(ProtocolError, match=r"sent twice|came late, twice or early"):
        inbox.put(data.draw(st.sampled_from(order)), "nest")


def test_a_used_window_is_late() -> None:
    inbox = Inbox({EDGE: 1})
    inbox.put(block(0), "nest-0")
    inbox.take(EDGE, 0)
    with pytest.raises(ProtocolError, match=f"from nest-0, edge {EDGE}, window 0.*window 1 is due"):
        inbox.put(block(0), "nest-0")


def test_a_window_of_the_far_future_is_early() -> None:
    inbox = Inbox({EDGE: 1})
    inbox.put(block(MAX_AHEAD - 1), "nest-0")
    with pytest.raises(ProtocolError, match="window 0 is due; a block came late, twice or early"):
        inbox.put(block(MAX_AHEAD), "nest-0")


def test_unknown_edges_and_ranks_are_refused() -> None:
    inbox = Inbox({EDGE: 2})
    with pytest.raises(ProtocolError, match=f"{OTHER}, window 0.*no such edge.*expected {EDGE}"):
        inbox.put(block(0, edge=OTHER), "tvb-0")
    with pytest.raises(ProtocolError, match="rank 2: this edge has 2 ranks"):
        inbox.put(block(0, rank=2), "nest-2")
    with pytest.raises(ProtocolError, match="expected none"):
        Inbox({}).put(block(0), "nest-0")


def test_windows_are_taken_complete_and_in_order() -> None:
    inbox = Inbox({EDGE: 2})
    inbox.put(block(0, 1), "nest-1")
    inbox.put(block(1, 0), "nest-0")
    inbox.put(block(1, 1), "nest-1")
    assert not inbox.has(EDGE, 0)
    with pytest.raises(ProtocolError, match="window 0 of nest>translator from nest rank 0"):
        inbox.take(EDGE, 0)
    with pytest.raises(ProtocolError, match="window 1 of nest>translator cannot be taken"):
        inbox.take(EDGE, 1)


def test_it_says_what_is_missing() -> None:
    one, three = Inbox({EDGE: 1}), Inbox({EDGE: 3})
    assert one.lacks(EDGE) == "window 0 of nest>translator from nest"
    three.put(block(0, 1), "nest-1")
    assert three.lacks(EDGE) == "window 0 of nest>translator from nest rank 0, 2"
