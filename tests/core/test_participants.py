"""Simulators and the translator in lockstep, by the real coordinator.

Whatever the windows, lags, leads and the transport, the numbers are those computed in one go.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.ensembles import Doubling, Echo, expected, make_plan, recorded
from small_orchestrator import MakeSimulators, SmallOrchestrator, Vanish, run_in_memory
from tvb_nest_cosim.cosim_core.errors import SimulationError
from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.model.plan import Populations
from tvb_nest_cosim.cosim_core.model.signals import EDGES
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.cosim_core.run_dir.journal import read_journal
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.wire.zmq_transport import ZmqTransport

EXPECTED = expected(95)
ECHOES = {"tvb": lambda rank: Echo("tvb", 1), "nest": lambda rank: Echo("nest", 1)}


@pytest.mark.parametrize(
    ("window_ticks", "lags", "leads"),
    [
        (10, (1, 1), (0, 0)),
        (10, (2, 2), (0, 0)),
        (10, (1, 1), (1, 0)),
        (10, (2, 1), (2, 1)),
        (10, (2, 2), (2, 2)),
        (7, (1, 2), (1, 1)),
        (13, (2, 1), (0, 1)),
        (1, (2, 2), (1, 0)),
    ],
)
def test_windows_lags_and_leads_do_not_change_the_numbers(
    tmp_path: Path, window_ticks: int, lags: tuple[int, int], leads: tuple[int, int]
) -> None:
    plan = make_plan(tmp_path / "run", window_ticks=window_ticks)
    tvb, nest = (
        Echo(role, lag, lead) for role, lag, lead in zip(("tvb", "nest"), lags, leads, strict=True)
    )
    run_in_memory(plan, {"tvb": lambda rank: tvb, "nest": lambda rank: nest}, Doubling)
    for role in ("tvb", "nest"):
        np.testing.assert_array_equal(recorded(tmp_path / "run", role), EXPECTED[role])


def test_calls_come_in_the_order_promised(tmp_path: Path) -> None:
    plan = make_plan(tmp_path / "run", total_ticks=35)
    nest, tvb = Echo("nest", lag=2), Echo("tvb", lag=1, lead=2)
    run_in_memory(plan, {"tvb": lambda rank: tvb, "nest": lambda rank: nest}, Doubling)
    assert nest.calls == [
        ("advance", 0),
        ("advance", 1),
        ("absorb", 0),
        ("advance", 2),
        ("absorb", 1),
        ("advance", 3),
        ("absorb", 2),
        ("absorb", 3),
        ("finish", 35),
    ]
    assert tvb.calls[:4] == [("prologue", 0), ("prologue", 1), ("advance", 0), ("absorb", 0)]
    assert tvb.calls[-3:] == [("advance", 3), ("absorb", 3), ("finish", 35)]
    assert nest.closed
    assert tvb.closed


def test_a_run_shorter_than_the_lead(tmp_path: Path) -> None:
    plan = make_plan(tmp_path / "run", total_ticks=5)
    tvb, nest = Echo("tvb", lag=2, lead=2), Echo("nest", lag=2, lead=1)
    run_in_memory(plan, {"tvb": lambda rank: tvb, "nest": lambda rank: nest}, Doubling)
    np.testing.assert_array_equal(recorded(tmp_path / "run", "nest"), EXPECTED["nest"][:5])


def test_the_translator_keeps_what_it_got_in_order(tmp_path: Path) -> None:
    run_in_memory(make_plan(tmp_path / "run"), ECHOES, Doubling)
    blocks = list(read_journal(RunLayout(tmp_path / "run").journal("translator", 0)))
    for role in ("tvb", "nest"):
        own = [block for block in blocks if block.edge == f"{role}>translator"]
        assert [block.window for block in own] == list(range(10))
        series = np.concatenate([block.arrays["x"] for block in own])
        np.testing.assert_array_equal(series, EXPECTED[role])


class Failing(Echo):
    """Raises in the advance of a window."""

    def __init__(self, role: str, error: BaseException, window: int = 4) -> None:
        super().__init__(role, lag=1)
        self._error, self._window = error, window

    def advance(self, window: Window) -> None:
        if window.index == self._window:
            raise self._error
        super().advance(window)


@pytest.fixture(params=["memory", "ipc"])
def make_run(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., SmallOrchestrator]]:
    """Makes runs with two NEST ranks, over each transport."""
    folder = tempfile.mkdtemp(prefix="cosim-")

    def make(simulators: MakeSimulators | None = None, **changes: Any) -> SmallOrchestrator:
        changes = {"participants": {"tvb": 1, "nest": 2, "translator": 1}, **changes}
        plan = make_plan(tmp_path / "run", **changes)
        own = {
            "tvb": lambda rank: Echo("tvb", lag=1, lead=1),
            "nest": lambda rank: Echo("nest", lag=2, ranks=2),
            **(simulators or {}),
        }
        if request.param == "memory":
            return SmallOrchestrator(plan, own, Doubling)
        ends = (f"ipc://{folder}/control", f"ipc://{folder}/data")
        return SmallOrchestrator(plan, own, Doubling, ZmqTransport, ends)

    yield make
    shutil.rmtree(folder)


def check_numbers(tmp_path: Path, windows: int = 10) -> None:
    ticks = min(95, windows * 10)
    for role, rank in (("tvb", 0), ("nest", 0), ("nest", 1)):
        got = recorded(tmp_path / "run", role, rank)
        np.testing.assert_array_equal(got, EXPECTED[role][:ticks])


def test_a_run_to_its_end(make_run: Callable[..., SmallOrchestrator], tmp_path: Path) -> None:
    run = make_run()
    assert run.run().kind == "finished"
    assert run.ended == dict.fromkeys(["tvb-0", "nest-0", "nest-1", "translator-0"], "done")
    assert run.coordinator.windows == 10
    check_numbers(tmp_path)


def test_everybody_stops_at_the_same_window(
    make_run: Callable[..., SmallOrchestrator], tmp_path: Path
) -> None:
    done = threading.Event()

    class Waiting(Echo):
        def advance(self, window: Window) -> None:
            if window.index == 3:
                done.wait(20)
            super().advance(window)

    def script(run: SmallOrchestrator) -> None:
        if run.coordinator.is_running and not done.is_set():
            run.send(run.coordinator.stop("interrupted by the user"))
            done.set()

    run = make_run({"nest": lambda rank: Waiting("nest", lag=2, ranks=2)}, total_ticks=950)
    outcome = run.run(script)
    assert (outcome.kind, outcome.cause) == ("interrupted", "interrupted by the user")
    assert set(run.ended.values()) == {"done"}
    stopped = run.coordinator.horizon
    assert 4 <= stopped < 95
    assert {peer.windows for peer in run.coordinator.peers.values()} == {stopped}
    series = expected(950)
    for role, rank in (("tvb", 0), ("nest", 0), ("nest", 1)):
        got = recorded(tmp_path / "run", role, rank)
        np.testing.assert_array_equal(got, series[role][: stopped * 10])


def test_paused_and_stepped_runs_compute_the_same(
    make_run: Callable[..., SmallOrchestrator], tmp_path: Path
) -> None:
    steps = []

    def script(run: SmallOrchestrator) -> None:
        coordinator = run.coordinator
        if coordinator.is_running and not steps:
            coordinator.pause()
            steps.append(coordinator.horizon)
        elif steps and coordinator.windows == coordinator.horizon < 8:
            assert {peer.windows for peer in coordinator.peers.values()} == {coordinator.horizon}
            steps.append(coordinator.horizon)
            run.send(coordinator.step(1))
        elif steps and coordinator.windows == 8:
            run.send(coordinator.resume(time.monotonic()))

    run = make_run()
    assert run.run(script).kind == "finished"
    assert steps == [4, 4, 5, 6, 7]
    check_numbers(tmp_path)


def test_a_failure_ends_everybody_and_keeps_what_was_computed(
    make_run: Callable[..., SmallOrchestrator], tmp_path: Path
) -> None:
    error = SimulationError("NaN in E of rHC at tick 41", "Traceback ...")
    run = make_run({"tvb": lambda rank: Failing("tvb", error)})
    outcome = run.run()
    assert (outcome.kind, outcome.detail) == ("failed", "Traceback ...")
    assert outcome.cause == "tvb-0: NaN in E of rHC at tick 41"
    assert run.ended.pop("tvb-0") == "NaN in E of rHC at tick 41"
    assert len(run.ended) == 3
    assert set(run.ended.values()) <= {"StopRequested", "ParticipantLost"}
    np.testing.assert_array_equal(recorded(tmp_path / "run", "tvb"), EXPECTED["tvb"][:40])


def test_a_vanished_participant_fails_the_run(make_run: Callable[..., SmallOrchestrator]) -> None:
    run = make_run({"tvb": lambda rank: Failing("tvb", Vanish())})
    outcome = run.run()
    assert outcome.kind == "failed"
    assert outcome.cause.startswith("tvb-0 was killed by signal 9 (SIGKILL) at window ")
    assert set(run.ended) == {"nest-0", "nest-1", "translator-0"}
    assert set(run.ended.values()) <= {"StopRequested", "ParticipantLost"}


def test_a_stall_names_who_waits_for_what(make_run: Callable[..., SmallOrchestrator]) -> None:
    release = threading.Event()

    class Stuck(Echo):
        def advance(self, window: Window) -> None:
            if window.index == 2:
                release.wait(30)
            super().advance(window)

    def script(run: SmallOrchestrator) -> None:
        if run.coordinator.outcome is not None:
            release.set()

    experiment = Experiment.model_validate({"timeouts": {"stall_s": 1.5}})
    stuck = {"tvb": lambda rank: Stuck("tvb", lag=1)}
    run = make_run(stuck, experiment=experiment, lookahead=2)
    outcome = run.run(script)
    assert outcome.kind == "failed"
    assert outcome.cause.startswith("no progress for 1.5 s: tvb-0 was last heard of after ")
    assert "translator-0 waits for window 2 of tvb>translator from tvb" in outcome.cause
    assert "nest-0 waits for window 2 of translator>nest from translator" in outcome.cause


def test_tvb_alone_needs_no_data_plane(
    make_run: Callable[..., SmallOrchestrator], tmp_path: Path
) -> None:
    class Alone(Echo):
        def __init__(self) -> None:
            super().__init__("tvb", lag=1)
            self.in_edge = self.out_edge = None

        def start(self, populations: Populations) -> None:
            assert populations == {}

        def read(self, window: Window) -> dict[str, Reals]:
            self._record(window, {"x": np.zeros(window.ticks)})
            return {}

    run = make_run({"tvb": lambda rank: Alone()}, participants={"tvb": 1}, edges=[])
    assert run.run().kind == "finished"
    assert len(recorded(tmp_path / "run", "tvb")) == 95


def test_a_block_in_another_name_is_refused(make_run: Callable[..., SmallOrchestrator]) -> None:
    class Impostor(Echo):
        def __init__(self) -> None:
            super().__init__("tvb", lag=1)
            self.out_edge = "nest>translator"

    run = make_run({"tvb": lambda rank: Impostor()}, edges=list(EDGES))
    outcome = run.run()
    assert outcome.kind == "failed"
    assert outcome.cause == "translator-0: tvb-0 sent a block in the name of nest rank 0"
