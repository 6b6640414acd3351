"""Small ensembles for tests: a plan, and two simulators that answer each other.

The simulators compute, tick by tick and far from any window,

    a(s) = sin(s) + b(s - DELAY) / 2        ("tvb")
    b(s) = cos(s) + 2 a(s - DELAY) / 4      ("nest", the translator doubles what it gets)

with zeros before the run, so that every window length, lag and lead must give the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from plans import run_plan
from tvb_nest_cosim.cosim_core.model.arrays import Arrays, Reals
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.model.plan import Built, Populations, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import KeepSignals
from tvb_nest_cosim.cosim_core.model.timegrid import Window, ms_of
from tvb_nest_cosim.cosim_core.run_dir.journal import read_journal
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout

DELAY = 40
POPULATIONS = {"rHC": {"excitatory": 8, "inhibitory": 2}}


def make_plan(run_dir: Path, **changes: Any) -> RunPlan:
    """Makes the plan of 95 ticks in windows of 10, of three processes."""
    experiment = changes.pop("experiment", Experiment())
    total_ticks = changes.pop("total_ticks", 95)
    duration_ms = ms_of(total_ticks, experiment.dt_ms)
    return run_plan(
        experiment.model_copy(update={"duration_ms": duration_ms}),
        run="run-1",
        run_dir=str(run_dir),
        base_dir=str(run_dir.parent),
        total_ticks=total_ticks,
        **changes,
    )


def expected(total_ticks: int) -> dict[str, np.ndarray]:
    """Computes both series in one go, without windows; index s - 1 is tick s."""
    a, b = np.zeros(total_ticks + 1), np.zeros(total_ticks + 1)
    for s in range(1, total_ticks + 1):
        before = max(0, s - DELAY)
        a[s] = np.sin(s) + b[before] / 2
        b[s] = np.cos(s) + 2 * a[before] / 4
    return {"tvb": a[1:], "nest": b[1:]}


class Echo:
    """One of the two simulators; rank r of n adds 1/n of the series, so that ranks sum up."""

    def __init__(self, role: str, lag: int, lead: int = 0, ranks: int = 1) -> None:
        self.in_edge: str | None = f"translator>{role}"
        self.out_edge: str | None = f"{role}>translator"
        self.lag, self.lead, self._ranks = lag, lead, ranks
        self._own, self._factor = (np.sin, 0.5) if role == "tvb" else (np.cos, 0.25)
        self._received = np.zeros(0)
        self.calls: list[tuple[str, int]] = []
        self.closed = False

    def build(self, plan: RunPlan, rank: int, record: KeepSignals) -> Built:
        self._grid, self._record = plan.grid, record
        return Built(populations=POPULATIONS if self.in_edge == "translator>nest" else {})

    def start(self, populations: Populations) -> None:
        assert populations == POPULATIONS

    def prologue(self, window: Window) -> dict[str, Reals]:
        self.calls.append(("prologue", window.index))
        return self._series(window)

    def absorb(self, window: Window, arrays: Arrays) -> None:
        self.calls.append(("absorb", window.index))
        assert arrays["x"].shape == (window.ticks,)
        assert len(self._received) == window.start
        self._received = np.concatenate([self._received, arrays["x"]])

    def advance(self, window: Window) -> None:
        self.calls.append(("advance", window.index))

    def read(self, window: Window) -> dict[str, Reals]:
        self._record(window, {"x": self._series(window)["x"] * self._ranks})
        target = window.index + self.lead
        return self._series(self._grid.window(target)) if target < self._grid.window_count else {}

    def finish(self) -> None:
        self.calls.append(("finish", len(self._received)))

    def close(self) -> None:
        self.closed = True

    def _series(self, window: Window) -> dict[str, Reals]:
        ticks = np.arange(window.start + 1, window.stop + 1)
        before = np.concatenate([[0.0], self._received])[np.maximum(0, ticks - DELAY)]
        return {"x": (self._own(ticks) + self._factor * before) / self._ranks}


class Doubling:
    """The translation: doubles on the way to NEST, adds up ranks on the way to TVB."""

    def __init__(self, plan: RunPlan) -> None:
        self.windows: dict[str, list[int]] = {"drive": [], "rates": []}

    def build(self, record: KeepSignals) -> Built:
        return Built()

    def start(self, populations: Populations) -> None:
        assert populations == POPULATIONS

    def drive(self, window: Window, coupling: Arrays) -> Arrays:
        self.windows["drive"].append(window.index)
        return {"x": 2 * coupling["x"]}

    def rates(self, window: Window, ranks: Sequence[Arrays]) -> Arrays:
        self.windows["rates"].append(window.index)
        return {"x": np.sum([arrays["x"] for arrays in ranks], axis=0)}

    def coupling_of(self, window: Window) -> Arrays:
        raise AssertionError("nobody stands in for TVB here")

    def rates_of(self, window: Window) -> Arrays:
        raise AssertionError("nobody stands in for NEST here")


def recorded(run_dir: Path, role: str, rank: int = 0) -> np.ndarray:
    """Reads what a simulator has recorded."""
    blocks = [b for b in read_journal(RunLayout(run_dir).journal(role, rank)) if ".r" in b.edge]
    assert [block.window for block in blocks] == list(range(len(blocks)))
    return np.concatenate([block.arrays["x"] for block in blocks] or [np.zeros(0)])
