"""The translator's loop: what it keeps before it acts, and how far a stand-in runs ahead."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Never

import numpy as np
import pytest

from core.ensembles import POPULATIONS, Doubling, Echo, make_plan
from small_orchestrator import run_in_memory
from tvb_nest_cosim.cosim_core.errors import ParticipantLost
from tvb_nest_cosim.cosim_core.model.arrays import Arrays
from tvb_nest_cosim.cosim_core.model.plan import Built, Populations
from tvb_nest_cosim.cosim_core.model.signals import (
    NEST_TO_TRANSLATOR,
    TRANSLATOR_TO_NEST,
    Block,
    KeepSignals,
)
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.cosim_core.participant.translator_loop import _Relay
from tvb_nest_cosim.cosim_core.run_dir.journal import read_journal
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.wire.protocol import Frame, Frames


class Recording(Doubling):
    """Records every window as soon as both directions have translated it."""

    def build(self, record: KeepSignals) -> Built:
        self._record, self._translated = record, {}
        return Built()

    def drive(self, window: Window, coupling: Arrays) -> Arrays:
        self._note(window)
        return super().drive(window, coupling)

    def rates(self, window: Window, ranks: Sequence[Arrays]) -> Arrays:
        self._note(window)
        return super().rates(window, ranks)

    def _note(self, window: Window) -> None:
        self._translated[window.index] = self._translated.get(window.index, 0) + 1
        if self._translated[window.index] == 2:
            self._record(window, {})


@pytest.mark.parametrize("ranks", [1, 3])
def test_what_came_in_is_kept_before_the_window_counts_as_complete(
    tmp_path: Path, ranks: int
) -> None:
    plan = make_plan(tmp_path / "run", participants={"tvb": 1, "nest": ranks, "translator": 1})
    run_in_memory(
        plan, {"tvb": lambda rank: Echo("tvb", 1), "nest": lambda rank: Echo("nest", 1)}, Recording
    )
    all_of_them = {("tvb>translator", 0), *(("nest>translator", rank) for rank in range(ranks))}
    kept: dict[int, set[tuple[str, int]]] = {}
    complete = 0
    for block in read_journal(RunLayout(tmp_path / "run").journal("translator", 0)):
        if block.edge == "translator.record":
            assert kept[block.window] == all_of_them
            complete += 1
        else:
            kept.setdefault(block.window, set()).add((block.edge, block.rank))
    assert complete == plan.grid.window_count


@pytest.mark.parametrize("lookahead", [1, 2])
def test_a_stand_in_keeps_the_lead_of_the_side_that_it_replaces(
    tmp_path: Path, lookahead: int
) -> None:
    leads = []

    class StandIn(Doubling):
        def start(self, populations: Populations) -> None:
            assert populations == POPULATIONS
            self.returned = 0

        def coupling_of(self, window: Window) -> Arrays:
            leads.append(window.index - self.returned)
            return {"x": np.zeros(window.ticks)}

        def rates(self, window: Window, ranks: Sequence[Arrays]) -> Arrays:
            self.returned = window.index + 1
            return {}

    plan = make_plan(
        tmp_path / "run",
        window_ticks=1,
        lookahead=lookahead,
        participants={"nest": 1, "translator": 1},
        edges=[TRANSLATOR_TO_NEST, NEST_TO_TRANSLATOR],
    )
    run_in_memory(plan, {"nest": lambda rank: Echo("nest", 0)}, StandIn)
    assert len(leads) == plan.grid.window_count
    assert max(leads) == 2 * lookahead - 1


class Clockless:
    """A recorder that keeps no times."""

    def phase(self, name: str) -> nullcontext[None]:
        return nullcontext()


class LeftAlone:
    """A link whose peers have left, perhaps because the run was told to stop."""

    def __init__(self, end: int | None) -> None:
        self.end = end

    def frames_of(self, block: Block) -> list[Frame]:
        return []

    def send_frames(self, frames: Frames, peer: str) -> Never:
        raise ParticipantLost(f"{peer} has left")

    def ends_before(self, window: int) -> bool:
        return self.end is not None and self.end <= window


@pytest.mark.parametrize(("end", "is_lost"), [(None, True), (4, True), (3, False)])
def test_who_left_after_a_stop_is_not_missed(
    tmp_path: Path, end: int | None, is_lost: bool
) -> None:
    plan = make_plan(tmp_path / "run")
    relay = _Relay(Doubling(plan), LeftAlone(end), plan, Clockless())
    window = plan.grid.window(3)
    if is_lost:
        with pytest.raises(ParticipantLost):
            relay.send(TRANSLATOR_TO_NEST, window, {})
    else:
        relay.send(TRANSLATOR_TO_NEST, window, {})


def test_nothing_is_translated_beyond_a_stop(tmp_path: Path) -> None:
    plan = make_plan(tmp_path / "run")
    relay = _Relay(Doubling(plan), LeftAlone(3), plan, Clockless())
    assert relay.last() == 3
    for lane, _ in relay._lanes:
        lane.next = 3
        assert not lane.has_input()
