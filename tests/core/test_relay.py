"""The translator's loop: what it keeps before it acts, and how far a stand-in runs ahead."""

from __future__ import annotations

import numpy as np
import pytest

from core.ensembles import POPULATIONS, Doubling, Echo, make_plan
from cosim_core.ensemble import Built
from cosim_core.journal import read_journal
from cosim_core.layout import RunLayout
from cosim_core.signals import NEST_TO_TRANSLATOR, TRANSLATOR_TO_NEST
from cosim_core.testing import run_in_memory


class Recording(Doubling):
    """Records every window as soon as both directions have translated it."""

    def build(self, record):
        self._record, self._translated = record, {}
        return Built()

    def drive(self, window, coupling):
        self._note(window)
        return super().drive(window, coupling)

    def rates(self, window, ranks):
        self._note(window)
        return super().rates(window, ranks)

    def _note(self, window):
        self._translated[window.index] = self._translated.get(window.index, 0) + 1
        if self._translated[window.index] == 2:
            self._record(window, {})


def test_what_came_in_is_kept_before_the_window_counts_as_complete(tmp_path):
    plan = make_plan(tmp_path / "run")
    run_in_memory(plan, {"tvb": Echo("tvb", 1), "nest": Echo("nest", 1)}, Recording)
    kept: dict[int, set[str]] = {}
    complete = 0
    for block in read_journal(RunLayout(tmp_path / "run").journal("translator", 0)):
        if block.edge == "translator.record":
            assert kept[block.window] == {"tvb>translator", "nest>translator"}
            complete += 1
        else:
            kept.setdefault(block.window, set()).add(block.edge)
    assert complete == plan.grid.window_count


@pytest.mark.parametrize("lookahead", [1, 2])
def test_a_stand_in_keeps_the_lead_of_the_side_that_it_replaces(tmp_path, lookahead):
    leads = []

    class StandIn(Doubling):
        def start(self, populations):
            assert populations == POPULATIONS
            self.returned = 0

        def coupling_of(self, window):
            leads.append(window.index - self.returned)
            return {"x": np.zeros(window.ticks)}

        def rates(self, window, ranks):
            self.returned = window.index + 1
            return {}

    plan = make_plan(
        tmp_path / "run",
        window_ticks=1,
        lookahead=lookahead,
        participants={"nest": 1, "translator": 1},
        edges=[TRANSLATOR_TO_NEST, NEST_TO_TRANSLATOR],
    )
    run_in_memory(plan, {"nest": Echo("nest", 0)}, StandIn)
    assert len(leads) == plan.grid.window_count
    assert max(leads) == 2 * lookahead - 1
