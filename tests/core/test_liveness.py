"""What counts as a hang: reports and looks in, a verdict out; no processes, no clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core.ensembles import make_plan
from core.test_coordinator import hello, ready
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.processes.process_state import ProcessState
from tvb_nest_cosim.cosim_core.wire.protocol import Progress
from tvb_nest_cosim.orchestrator.run.activity import Activity, Look, activity_of
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator

NAMES = ("tvb-0", "nest-0", "translator-0")
TICK_S = 0.1

Sight = Callable[[float], ProcessState]
"""What can be seen of a process at a time."""


def like(letter: str, share: float = 0.0) -> Sight:
    """A process in one state that uses a share of a core."""
    return lambda now_s: ProcessState(letter, share * now_s)


WAITING = like("S", 0.002)


@dataclass
class World:
    """A run in which a test decides who says what and who looks how; time passes in ticks."""

    timeouts: Mapping[str, float] = field(default_factory=dict)
    now_s: float = 0.0
    looks: int = 0

    def __post_init__(self) -> None:
        experiment = Experiment.model_validate({"timeouts": dict(self.timeouts)})
        plan = make_plan(Path("/nowhere/run"), total_ticks=100_000, experiment=experiment)
        self.coordinator = Coordinator(plan, "ipc:///nowhere/data", 0.0)
        self.sights: dict[str, Sight] = dict.fromkeys(NAMES, WAITING)
        self.waits: set[str] = set()
        for name in NAMES:
            self.coordinator.hear(name, hello(name), 0.0)

    def begin(self) -> World:
        for name in NAMES:
            self.coordinator.hear(name, ready(name), self.now_s)
        for name in NAMES:
            self.coordinator.hear(name, Progress(windows=0), self.now_s)
        assert self.coordinator.is_running
        return self

    def window(self, length_s: float, silent: str = "nest-0") -> None:
        """Lets everybody complete a window, which one of them computes without a word."""
        windows = self.coordinator.windows + 1
        self.waits = set(NAMES) - {silent}
        self.wait(length_s)
        for name in NAMES:
            self.coordinator.hear(name, Progress(windows=windows), self.now_s)

    def windows(self, count: int, length_s: float) -> World:
        for _ in range(count):
            self.window(length_s)
        return self

    def wait(self, seconds: float) -> str:
        """Lets time pass; returns the cause if the run was given up."""
        coordinator = self.coordinator
        for _ in range(round(seconds / TICK_S)):
            self.now_s += TICK_S
            for name in self.waits:
                peer = coordinator.peers[name]
                report = Progress(windows=peer.windows, waiting_for="a block")
                coordinator.hear(name, report, self.now_s)
            if peers := coordinator.liveness.worth_a_look(coordinator.peers.values(), self.now_s):
                self.looks += 1
                states = {peer.name: self.sights[peer.name](self.now_s) for peer in peers}
                coordinator.liveness.see(states, self.now_s)
            coordinator.tick(self.now_s)
        return coordinator.outcome.cause if coordinator.outcome else ""

    def until_named(self, silent: str, sight: Sight, at_most_s: float) -> tuple[str, float]:
        """Lets one fall silent; returns the cause and after how many seconds it came."""
        began_s = self.now_s
        self.sights[silent] = sight
        self.waits = set(NAMES) - {silent} if self.coordinator.is_running else set()
        while self.now_s - began_s < at_most_s:
            if cause := self.wait(TICK_S):
                return cause, self.now_s - began_s
        return "", at_most_s


def fast(**timeouts: float) -> World:
    """A run whose windows take a tenth of a second."""
    return World(timeouts).begin().windows(20, 0.1)


def test_a_run_in_which_everybody_talks_is_never_looked_at() -> None:
    world = fast()
    world.windows(100, 0.1)
    assert world.looks == 0
    world.waits = set(NAMES)
    world.wait(9.0)
    assert world.looks == 0, "who waits says so"


@pytest.mark.parametrize("timeouts", [{}, {"stall_s": 600.0}])
def test_a_stopped_process_is_named_within_ten_seconds(timeouts: dict[str, float]) -> None:
    cause, after_s = fast(**timeouts).until_named("tvb-0", like("T"), 60.0)
    assert cause.startswith("tvb-0 was stopped by a signal (SIGSTOP or SIGTSTP) at window 20 of ")
    assert after_s < 9.0


def test_a_stopped_process_is_named_though_others_still_compute() -> None:
    world = fast()
    world.sights["nest-0"] = like("R", 1.0)
    world.waits = {"translator-0"}
    world.sights["tvb-0"] = like("T")
    assert world.wait(9.0).startswith("tvb-0 was stopped")


def test_a_process_that_goes_on_after_a_moment_is_not_named() -> None:
    world = fast()
    stopped_s = world.now_s
    sight = lambda now_s: ProcessState("T" if now_s - stopped_s < 7.0 else "R", now_s)  # noqa: E731
    cause, after_s = world.until_named("tvb-0", sight, 12.0)
    assert after_s > 10.0
    assert cause.startswith("no progress for 10 s: tvb-0 was last heard of")


def test_a_process_that_is_stopped_while_it_builds_is_named_within_ten_seconds() -> None:
    cause, after_s = World().until_named("nest-0", like("T"), 60.0)
    assert cause.startswith("nest-0 was stopped by a signal (SIGSTOP or SIGTSTP) while the run was")
    assert after_s < 9.0


def test_one_that_sleeps_while_it_builds_may_be_downloading() -> None:
    cause, after_s = World().until_named("nest-0", like("S"), 400.0)
    assert "did not get ready within 300 s" in cause
    assert after_s > 300.0


def test_who_sleeps_while_all_others_wait_hangs() -> None:
    cause, after_s = fast().until_named("nest-0", like("S"), 60.0)
    assert cause.startswith("nest-0 hangs at window 20 of 10000: asleep, without a word for 9 s")
    assert "tvb-0 waits for a block after 20 windows" in cause
    assert cause.endswith("set timeouts.stall_s")
    assert after_s < 9.0


def test_who_has_given_a_time_for_stalls_allows_sleep_until_then() -> None:
    cause, after_s = fast(stall_s=30.0).until_named("nest-0", like("S"), 60.0)
    assert cause.startswith("no progress for 30 s: tvb-0 waits for a block after 20 windows; ")
    assert "nest-0 was last heard of after 20 windows and is asleep" in cause
    assert after_s > 30.0


def test_one_that_waited_before_its_long_window_does_not_count_as_waiting() -> None:
    """It said so once; who waits repeats it."""
    world = fast()
    world.waits = set(NAMES)
    world.wait(1.0)
    cause, _ = world.until_named("nest-0", like("S"), 60.0)
    assert cause.startswith("nest-0 hangs")


def test_nobody_hangs_while_somebody_who_does_not_wait_computes() -> None:
    """A rank that sleeps may wait within MPI for the one that computes."""
    world = World().begin().windows(10, 2.0)
    world.sights["tvb-0"] = like("R", 1.0)
    world.sights["nest-0"] = like("S")
    world.waits = {"translator-0"}
    assert world.wait(35.0) == ""


def test_a_spinning_process_is_named_after_ten_seconds_where_windows_are_short() -> None:
    cause, after_s = fast().until_named("translator-0", like("R", 1.0), 60.0)
    assert cause.startswith("no progress for 10 s: ")
    assert "translator-0 was last heard of after 20 windows and computes" in cause
    assert cause.endswith("window may take that long (the longest so far took 0.1 s)")
    assert after_s < 10.5


def test_a_window_that_is_told_late_by_who_waits_does_not_raise_the_limit() -> None:
    world = fast()
    world.waits = {"tvb-0", "translator-0"}
    world.wait(0.9)
    late = Progress(windows=21, waiting_for="a block")
    world.coordinator.hear("tvb-0", late, world.now_s)
    cause, _ = world.until_named("nest-0", like("R", 1.0), 60.0)
    assert cause.startswith("no progress for 10 s: ")


def test_windows_that_really_take_a_minute_are_none() -> None:
    world = World().begin()
    world.sights["nest-0"] = like("R", 1.0)
    world.windows(8, 60.0)
    assert world.coordinator.outcome is None
    cause, after_s = world.until_named("nest-0", like("R", 1.0), 2000.0)
    assert cause.startswith("no progress for 1200 s: ")
    assert after_s > 1200.0


@pytest.mark.parametrize("silent", NAMES)
def test_a_first_window_that_takes_a_minute_is_none_and_does_not_count(silent: str) -> None:
    """It compiles; that must not make later hangs go unnoticed for 20 minutes."""
    world = World().begin()
    world.sights[silent] = like("R", 1.0)
    world.window(60.0, silent)
    world.windows(20, 0.1)
    cause, after_s = world.until_named(silent, like("R", 1.0), 60.0)
    assert cause.startswith("no progress for 10 s: ")
    assert after_s < 10.5


def test_a_slow_disk_has_two_minutes() -> None:
    cause, after_s = fast().until_named("nest-0", like("D"), 200.0)
    assert cause.startswith("no progress for 120 s: ")
    assert "nest-0 was last heard of after 20 windows and waits for a disk" in cause
    assert after_s > 120.0


def test_a_network_that_stands_still_while_all_wait_has_two_minutes() -> None:
    world = fast()
    world.waits = set(NAMES)
    assert world.wait(119.0) == ""
    assert world.wait(3.0).startswith("no progress for 120 s: tvb-0 waits for a block")


def test_who_cannot_be_seen_has_two_minutes() -> None:
    world = fast()
    world.coordinator.liveness.see = lambda states, now_s: None  # type: ignore[method-assign]
    _, after_s = world.until_named("nest-0", like("S"), 200.0)
    assert after_s > 120.0


def test_a_paused_run_does_not_hang() -> None:
    world = fast()
    world.coordinator.pause()
    world.sights = dict.fromkeys(NAMES, like("T"))
    world.waits = set()
    assert world.wait(100.0) == ""
    world.coordinator.resume(world.now_s)
    world.sights = dict.fromkeys(NAMES, WAITING)
    world.windows(3, 0.1)
    cause, after_s = world.until_named("nest-0", like("R", 1.0), 60.0)
    assert "the longest so far took 0.1 s" in cause, "the pause is no window"
    assert after_s < 10.5


def test_after_a_jump_of_time_it_looks_again() -> None:
    """A suspended laptop, or an orchestrator that was itself stopped."""
    world = fast()
    world.until_named("nest-0", like("T"), 7.5)
    world.now_s += 3600.0
    assert world.wait(7.0) == ""
    assert world.wait(2.0).startswith("nest-0 was stopped")


@pytest.mark.parametrize(
    ("letters", "cpu_s", "activity"),
    [
        ("TTTT", 0.0, Activity.STOPPED),
        ("TTTR", 0.0, Activity.COMPUTES),
        ("SSSS", 0.0, Activity.ASLEEP),
        ("SSSS", 0.5, Activity.COMPUTES),
        ("RRRR", 0.0, Activity.COMPUTES),
        ("SSRS", 0.0, Activity.COMPUTES),
        ("SSDS", 0.0, Activity.ON_DISK),
        ("DDDD", 0.0, Activity.ON_DISK),
        ("tttt", 0.0, Activity.DEBUGGED),
        ("ZZZZ", 0.0, Activity.ENDED),
        ("S", 0.0, Activity.UNSEEN),
        ("", 0.0, Activity.UNSEEN),
    ],
)
def test_what_looks_show(letters: str, cpu_s: float, activity: Activity) -> None:
    looks = [
        Look(float(second), {"nest-0": ProcessState(letter, cpu_s * second)})
        for second, letter in enumerate(letters)
    ]
    assert activity_of("nest-0", looks) is activity


def test_participants_wait_longer_than_their_orchestrator() -> None:
    def backstop_s(longest_s: float, **timeouts: Any) -> float:
        experiment = Experiment.model_validate({"timeouts": timeouts})
        return experiment.timeouts.backstop_s(longest_s)

    assert backstop_s(0.01, stall_s=7.0) == 14.0
    assert backstop_s(0.01) == 600.0
    assert backstop_s(0.01, start_s=1.0) == 240.0
    assert backstop_s(60.0) == 2400.0
