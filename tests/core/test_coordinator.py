"""Decisions of the coordinator, without sockets, clock or processes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ensembles import POPULATIONS, make_plan
from plans import DIGEST
from tvb_nest_cosim.cosim_core.errors import Fault, ProtocolError
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.model.plan import Built
from tvb_nest_cosim.cosim_core.wire.codec import TAG, decode_message
from tvb_nest_cosim.cosim_core.wire.lifecycle import State
from tvb_nest_cosim.cosim_core.wire.protocol import (
    Abort,
    Bye,
    Configure,
    Done,
    Failed,
    FaultReport,
    Hello,
    Horizon,
    Progress,
    Ready,
    Refused,
    Start,
    Stop,
)
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.run.peers import Send

KILLED = "was killed by signal 9 (SIGKILL)"
NAMES = ("tvb-0", "nest-0", "nest-1", "translator-0")


def make(windows: int = 100, *, only_build: bool = False, **changes: Any) -> Coordinator:
    plan = make_plan(
        Path("/nowhere/run"),
        total_ticks=windows * 10,
        **{"participants": {"tvb": 1, "nest": 2, "translator": 1}, **changes},
    )
    return Coordinator(plan, "ipc:///nowhere/data", 0.0, only_build=only_build)


def hello(name: str, **changes: Any) -> Hello:
    role, rank = name.split("-")
    values = {"run": "run-1", "digest": DIGEST, "role": role, "rank": int(rank)}
    return Hello(**{**values, "host": "here", "pid": 1, **changes})


def refused(*paths: str) -> Refused:
    return Refused(faults=[FaultReport(path=path, message=f"{path} is wrong") for path in paths])


def ready(name: str) -> Ready:
    built = Built(populations=POPULATIONS if name == "nest-0" else {})
    endpoint = "ipc:///nowhere/really" if name == "translator-0" else None
    return Ready(built=built.model_dump(mode="json"), data_endpoint=endpoint)


def greeted(coordinator: Coordinator, names: Iterable[str] = NAMES) -> Coordinator:
    for name in names:
        coordinator.hear(name, hello(name), 0.0)
    return coordinator


def built(windows: int = 100, **changes: Any) -> tuple[Coordinator, list[Send]]:
    """Everybody is ready; returns also what was sent then."""
    coordinator = greeted(make(windows, **changes))
    for name in NAMES:
        sends = coordinator.hear(name, ready(name), 1.0)
    return coordinator, sends


def started(windows: int = 100, **changes: Any) -> tuple[Coordinator, list[Send]]:
    """Everybody stands before the first window; returns also what was sent then."""
    coordinator, _ = built(windows, **changes)
    for name in NAMES:
        sends = coordinator.hear(name, Progress(windows=0), 1.0)
    return coordinator, sends


def kinds(sends: Iterable[Send]) -> set[tuple[str, str]]:
    return {(name, message.kind) for name, message in sends}


def to_all(kind: str, names: Iterable[str] = NAMES) -> set[tuple[str, str]]:
    return {(name, kind) for name in names}


# Before the run


def test_whoever_greets_gets_the_plan() -> None:
    coordinator = make()
    for name in NAMES:
        ((receiver, message),) = coordinator.hear(name, hello(name), 0.0)
        assert receiver == name
        assert isinstance(message, Configure)
        assert message.plan == coordinator.plan.model_dump(mode="json")
        assert message.data_endpoint == "ipc:///nowhere/data"
    assert not coordinator.is_running


def test_all_start_when_the_last_is_ready_but_enter_no_window() -> None:
    coordinator, sends = built()
    assert kinds(sends) == to_all("start")
    (start,) = {message.model_dump_json(): message for _, message in sends}.values()
    assert isinstance(start, Start)
    assert start.populations == POPULATIONS
    assert start.data_endpoint == "ipc:///nowhere/really"
    assert start.horizon == coordinator.horizon == 0
    assert not coordinator.is_running


def test_windows_open_when_all_stand_before_the_first() -> None:
    coordinator, _ = built()
    for name in NAMES[:-1]:
        assert coordinator.hear(name, Progress(windows=0), 2.0) == []
    sends = coordinator.hear(NAMES[-1], Progress(windows=0), 2.0)
    assert kinds(sends) == to_all("horizon")
    assert {message.until for _, message in sends} == {coordinator.horizon}
    assert coordinator.horizon >= 2 * coordinator.plan.lookahead
    assert coordinator.is_running


def test_what_others_built_may_still_be_refused_before_the_first_window() -> None:
    coordinator, _ = built()
    for name in NAMES[:-1]:
        coordinator.hear(name, Progress(windows=0), 2.0)
    sends = coordinator.hear(NAMES[-1], refused("spiking.0.feed"), 2.0)
    assert kinds(sends) == to_all("abort")
    assert coordinator.outcome.kind == "refused"
    assert [fault.path for fault in coordinator.outcome.faults] == ["spiking.0.feed"]


def test_nobody_starts_before_all_are_ready() -> None:
    coordinator = greeted(make())
    for name in NAMES[:-1]:
        assert coordinator.hear(name, ready(name), 1.0) == []


def test_an_ensemble_without_edges_gets_no_data_plane() -> None:
    coordinator = make(participants={"tvb": 1}, edges=[])
    coordinator.hear("tvb-0", hello("tvb-0"), 0.0)
    ((_, start),) = coordinator.hear("tvb-0", ready("tvb-0"), 1.0)
    assert start.data_endpoint is None


def test_only_building_ends_before_the_first_window() -> None:
    coordinator, sends = started(only_build=True)
    assert coordinator.outcome.kind == "validated"
    assert kinds(sends) == to_all("abort")
    assert coordinator.built().populations == POPULATIONS


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("tvb-0", {"digest": "e" * 64}, "started for the experiment eeeeeeeeeeee, this run is of"),
        ("tvb-0", {"run": "run-0"}, "of run run-0 called, this is run run-1"),
        ("tvb-0", {"role": "nest"}, "tvb-0 greeted as nest-0"),
        ("tvb-7", {}, "tvb-7 is not a participant of this run"),
        ("\\xff", {"role": "tvb", "rank": 0}, "is not a participant"),
    ],
)
def test_strangers_are_turned_away_and_change_nothing(
    name: str, changes: dict[str, Any], says: str
) -> None:
    coordinator = make()
    greeting = hello("tvb-0", **changes)
    ((receiver, message),) = coordinator.hear(name, greeting, 0.0)
    assert receiver == name
    assert isinstance(message, Abort)
    assert says in message.reason
    assert coordinator.outcome is None
    assert coordinator.peers["tvb-0"].state is State.LAUNCHED
    assert kinds(coordinator.hear("tvb-0", hello("tvb-0"), 0.0)) == {("tvb-0", "configure")}


def test_a_stranger_in_mid_run_changes_nothing() -> None:
    coordinator, _ = started()
    assert kinds(coordinator.hear("tvb-9", Done(windows=100), 2.0)) == {("tvb-9", "abort")}
    assert coordinator.is_running


def test_a_second_hello_is_not_due() -> None:
    coordinator = greeted(make())
    with pytest.raises(ProtocolError, match="tvb-0 is building; a message 'hello' is not due"):
        coordinator.hear("tvb-0", hello("tvb-0"), 0.0)


def test_another_version_is_refused_at_hello() -> None:
    fields = {**hello("tvb-0").model_dump(), "version": 99}
    with pytest.raises(ProtocolError, match=r"tvb-0 speaks protocol version 99, .* speaks 3"):
        decode_message([TAG, msgpack.packb(fields)], "tvb-0")


def test_faults_of_all_are_collected_and_named_once() -> None:
    coordinator = greeted(make())
    assert coordinator.hear("nest-0", refused("spiking.0", "spiking.1"), 1.0) == []
    assert coordinator.hear("nest-1", refused("spiking.0", "spiking.1"), 1.0) == []
    assert coordinator.hear("translator-0", ready("translator-0"), 1.0) == []
    sends = coordinator.hear("tvb-0", refused("tvb.model"), 1.0)
    assert kinds(sends) == to_all("abort")
    assert coordinator.outcome.kind == "refused"
    assert coordinator.outcome.faults == tuple(
        Fault(path, f"{path} is wrong") for path in ("spiking.0", "spiking.1", "tvb.model")
    )


def test_who_refused_may_leave_while_others_still_build() -> None:
    coordinator = greeted(make())
    coordinator.hear("translator-0", refused("spiking.0.rate"), 1.0)
    assert coordinator.lose(["translator-0"], "ended with exit code 2", now_s=2.0) == []
    coordinator.hear("tvb-0", refused("tvb.model"), 5.0)
    coordinator.hear("nest-0", ready("nest-0"), 6.0)
    assert coordinator.outcome is None
    sends = coordinator.hear("nest-1", ready("nest-1"), 6.0)
    assert kinds(sends) == to_all("abort", ["tvb-0", "nest-0", "nest-1"])
    assert [fault.path for fault in coordinator.outcome.faults] == ["spiking.0.rate", "tvb.model"]


def test_ranks_that_mpirun_ends_with_a_refusing_one_hide_no_fault() -> None:
    coordinator = greeted(make())
    coordinator.hear("tvb-0", ready("tvb-0"), 1.0)
    coordinator.hear("translator-0", ready("translator-0"), 1.0)
    coordinator.hear("nest-0", refused("spiking.0.network"), 2.0)
    coordinator.lose(["nest-0", "nest-1"], "ended with exit code 2", now_s=2.0)
    assert coordinator.outcome.kind == "refused"
    assert [fault.path for fault in coordinator.outcome.faults] == ["spiking.0.network"]


def test_faults_count_though_somebody_never_answers() -> None:
    coordinator = greeted(make())
    coordinator.hear("tvb-0", refused("tvb.model"), 1.0)
    for second in range(302):
        coordinator.tick(float(second))
    assert coordinator.outcome.kind == "refused"


def test_a_late_builder_is_named_at_the_deadline() -> None:
    experiment = Experiment.model_validate({"timeouts": {"start_s": 30}})
    coordinator = greeted(make(experiment=experiment), ["tvb-0", "nest-0", "translator-0"])
    coordinator.hear("tvb-0", ready("tvb-0"), 5.0)
    for second in range(31):
        assert coordinator.tick(float(second)) == []
    sends = coordinator.tick(30.1)
    assert coordinator.outcome.kind == "failed"
    assert coordinator.outcome.cause.startswith(
        "nest-0, nest-1, translator-0 did not get ready within 30 s; raise timeouts.start_s"
    )
    assert kinds(sends) == to_all("abort", ["tvb-0", "nest-0", "translator-0"])


# Horizons


class Crowd:
    """Participants that do as they are told: nobody enters a window beyond the horizon."""

    def __init__(self, windows: int = 200) -> None:
        self.coordinator = make(windows)
        self.now_s = 0.0
        self.windows = dict.fromkeys(NAMES, 0)
        self.horizons = {name: [] for name in NAMES}
        self.ends = dict.fromkeys(NAMES)
        self.total = windows
        for name in NAMES:
            self.take(self.coordinator.hear(name, hello(name), 0.0))
        for message in (ready, lambda name: Progress(windows=0)):
            for name in NAMES:
                self.take(self.coordinator.hear(name, message(name), 0.0))

    def take(self, sends: Iterable[Send]) -> None:
        for name, message in sends:
            if isinstance(message, Start):
                assert message.horizon == 0
            elif isinstance(message, Horizon):
                self.horizons[name].append(message.until)
            elif isinstance(message, Stop):
                self.ends[name] = message.before

    def limit(self, name: str) -> int:
        return self.horizons[name][-1] if self.ends[name] is None else self.ends[name]

    def advance(self, name: str, by: int, seconds: float) -> None:
        """Computes up to so many windows, as far as allowed, and reports."""
        self.now_s += seconds
        if self.coordinator.peers[name].state is not State.RUNNING:
            return
        self.windows[name] = min(self.windows[name] + by, self.limit(name))
        over = self.windows[name] >= (self.total if self.ends[name] is None else self.ends[name])
        message = Done if over else Progress
        self.take(self.coordinator.hear(name, message(windows=self.windows[name]), self.now_s))


STEPS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(1, 30), st.floats(0.0, 0.5)), max_size=120
)


def check_horizons(crowd: Crowd) -> None:
    told = list(crowd.horizons.values())
    assert all(horizons == told[0] for horizons in told), "somebody got another horizon"
    assert told[0] == sorted(set(told[0])), "a horizon stood still or moved back"
    assert told[0][-1] == crowd.coordinator.horizon <= crowd.total
    assert crowd.coordinator.horizon >= crowd.coordinator.windows


@given(STEPS)
def test_all_always_have_the_same_horizon_and_it_never_moves_back(
    steps: list[tuple[str, int, float]],
) -> None:
    crowd = Crowd()
    for step in steps:
        crowd.advance(*step)
        check_horizons(crowd)


@given(STEPS, st.integers(1, 1000))
def test_every_run_gets_to_its_end(steps: list[tuple[str, int, float]], windows: int) -> None:
    crowd = Crowd(windows)
    for step in steps:
        crowd.advance(*step)
    for _ in range(windows):
        for name in NAMES:
            crowd.advance(name, windows, 0.01)
        if crowd.coordinator.outcome is not None:
            break
    assert crowd.coordinator.outcome.kind == "finished"
    assert set(crowd.windows.values()) == {windows}


@given(STEPS, STEPS)
def test_a_stop_ends_all_at_the_same_window(
    before: list[tuple[str, int, float]], after: list[tuple[str, int, float]]
) -> None:
    crowd = Crowd()
    for step in before:
        crowd.advance(*step)
    if crowd.coordinator.outcome is not None:
        return
    crowd.take(crowd.coordinator.stop("interrupted by the user"))
    stop = crowd.coordinator.horizon
    assert set(crowd.ends.values()) == {stop}
    for step in after:
        crowd.advance(*step)
        crowd.take(crowd.coordinator.step(3))
        crowd.take(crowd.coordinator.resume(crowd.now_s))
        assert crowd.coordinator.horizon == stop
    for name in NAMES:
        crowd.advance(name, 1000, 0.1)
    assert set(crowd.windows.values()) == {stop}
    kind = "finished" if stop == crowd.total else "interrupted"
    assert crowd.coordinator.outcome.kind == kind


@given(STEPS, st.integers(1, 5))
def test_a_paused_run_moves_by_steps_alone(
    steps: list[tuple[str, int, float]], windows: int
) -> None:
    crowd = Crowd()
    crowd.coordinator.pause()
    for name in NAMES:
        crowd.advance(name, 1000, 0.1)
    halted = crowd.coordinator.horizon
    for step in steps:
        crowd.advance(*step)
    assert crowd.coordinator.horizon == halted
    assert set(crowd.windows.values()) == {halted}
    crowd.take(crowd.coordinator.step(windows))
    for name in NAMES:
        crowd.advance(name, 1000, 0.1)
    assert set(crowd.windows.values()) == {halted + windows}
    assert crowd.coordinator.tick(crowd.now_s + 1e6) == []
    crowd.take(crowd.coordinator.resume(crowd.now_s))
    assert crowd.coordinator.horizon > halted + windows
    check_horizons(crowd)


def test_a_fast_run_gets_more_credit_than_a_slow_one() -> None:
    horizons = {}
    for seconds in (0.001, 10.0):
        crowd = Crowd(100_000)
        for _ in range(50):
            for name in NAMES:
                crowd.advance(name, 4, seconds)
        horizons[seconds] = crowd.coordinator.horizon - crowd.coordinator.windows
    assert horizons[0.001] > horizons[10.0]
    assert horizons[10.0] <= 4 * crowd.coordinator.plan.lookahead + 4


# Ends


def test_a_run_is_finished_when_all_are_done() -> None:
    crowd = Crowd(3)
    for name in NAMES:
        assert crowd.coordinator.outcome is None
        crowd.advance(name, 3, 0.1)
        crowd.coordinator.hear(name, Bye(), 1.0)
    assert crowd.coordinator.outcome.kind == "finished"
    assert crowd.coordinator.lose(NAMES, "ended with exit code 0", now_s=2.0) == []
    assert crowd.coordinator.outcome.kind == "finished"


def test_a_stop_before_the_start_ends_at_once() -> None:
    coordinator = greeted(make(), NAMES[:2])
    assert kinds(coordinator.stop("interrupted by the user")) == to_all("abort", NAMES[:2])
    assert coordinator.outcome.kind == "interrupted"
    assert coordinator.stop("again") == []


def test_an_abort_ends_at_once() -> None:
    coordinator, _ = started()
    coordinator.stop("interrupted by the user")
    assert coordinator.outcome is None
    assert kinds(coordinator.abort("interrupted by the user")) == to_all("abort")
    assert coordinator.outcome.kind == "interrupted"
    assert coordinator.abort("again") == []


@pytest.mark.parametrize("is_consequence", [True, False])
def test_a_loss_after_a_stop_is_no_failure(is_consequence: bool) -> None:
    """What ends a whole job, as scancel does, ends the participants before they can obey."""
    coordinator, _ = started()
    coordinator.stop("interrupted by the user")
    how = "was killed by signal 15 (SIGTERM)"
    coordinator.lose(["tvb-0"], how, now_s=1.0, is_consequence=is_consequence)
    coordinator.tick(3.0)
    assert coordinator.outcome.kind == "interrupted"
    assert coordinator.outcome.cause.startswith(f"interrupted by the user; tvb-0 {how}")


@pytest.mark.parametrize(
    "until", [State.LAUNCHED, State.GREETED, State.BUILDING, State.READY, State.RUNNING]
)
def test_a_death_in_any_state_fails_the_run(until: State) -> None:
    coordinator = make()
    if until in (State.BUILDING, State.READY):
        greeted(coordinator)
    if until is State.GREETED:
        coordinator.peers["tvb-0"].state = State.GREETED
    if until is State.READY:
        coordinator.hear("tvb-0", ready("tvb-0"), 1.0)
    if until is State.RUNNING:
        coordinator, _ = started()
        coordinator.hear("tvb-0", Progress(windows=7), 2.0)
    assert coordinator.peers["tvb-0"].state is until
    others = [n for n in NAMES if coordinator.peers[n].state is not State.LAUNCHED][1:]
    sends = coordinator.lose(["tvb-0"], KILLED, "last words", now_s=2.0)
    where = " at window 7 of 100" if until is State.RUNNING else " while the run was built"
    assert coordinator.outcome.kind == "failed"
    assert coordinator.outcome.cause == f"tvb-0 {KILLED}{where}"
    assert coordinator.outcome.detail == "last words"
    assert kinds(sends) == to_all("abort", others)


def test_a_broken_connection_waits_a_moment_for_its_cause() -> None:
    coordinator, _ = started()
    deserted = "lost its connection to the others"
    assert coordinator.lose(["nest-0", "nest-1"], deserted, now_s=2.0, is_consequence=True) == []
    assert coordinator.tick(2.1) == []
    coordinator.lose(["translator-0"], KILLED, now_s=2.2)
    assert coordinator.outcome.cause == f"translator-0 {KILLED} at window 0 of 100"


def test_a_broken_connection_without_a_cause_is_the_cause() -> None:
    coordinator, _ = started()
    deserted = "lost its connection to the others"
    coordinator.lose(["nest-0", "nest-1"], deserted, now_s=2.0, is_consequence=True)
    coordinator.lose(["tvb-0"], deserted, now_s=2.1, is_consequence=True)
    assert kinds(coordinator.tick(4.0)) == to_all("abort", ["translator-0"])
    assert coordinator.outcome.cause == f"nest-0 {deserted} at window 0 of 100"


def test_time_in_which_the_orchestrator_itself_stood_still_is_no_stall() -> None:
    coordinator, _ = started()
    coordinator.tick(1.0)
    assert coordinator.tick(10_000.0) == []
    assert coordinator.tick(10_001.0) == []
    assert coordinator.outcome is None


def test_leaving_without_a_word_is_a_failure_even_with_exit_code_0() -> None:
    coordinator, _ = started()
    coordinator.lose(["nest-0", "nest-1"], "ended with exit code 0", now_s=2.0)
    assert coordinator.outcome.cause == "nest-0 ended with exit code 0 at window 0 of 100"


def test_a_failure_is_told_with_its_name() -> None:
    coordinator, _ = started()
    sends = coordinator.hear("nest-1", Failed(cause="out of memory", detail="Traceback"), 2.0)
    assert (coordinator.outcome.kind, coordinator.outcome.cause, coordinator.outcome.detail) == (
        "failed",
        "nest-1: out of memory",
        "Traceback",
    )
    assert {(name, m.reason) for name, m in sends} == {
        (n, coordinator.outcome.cause) for n in NAMES
    }


def test_the_first_cause_counts() -> None:
    coordinator, _ = started(windows=3)
    coordinator.hear("nest-0", Failed(cause="first"), 2.0)
    coordinator.hear("nest-1", Failed(cause="second"), 2.0)
    coordinator.lose(["nest-0", "nest-1"], "ended with exit code 1", now_s=2.0)
    coordinator.lose(["translator-0"], KILLED, now_s=2.0)
    coordinator.hear("tvb-0", Done(windows=3), 2.0)
    coordinator.stop("interrupted")
    coordinator.abort("interrupted")
    coordinator.tick(1e9)
    assert (coordinator.outcome.kind, coordinator.outcome.cause) == (
        "failed",
        "nest-0: first",
    )


def test_a_ready_after_an_abort_starts_nothing() -> None:
    coordinator = greeted(make())
    coordinator.abort("interrupted by the user")
    for name in NAMES:
        assert coordinator.hear(name, ready(name), 1.0) == []
    assert not coordinator.is_running
    assert coordinator.outcome.kind == "interrupted"


def test_a_stall_names_who_waits_for_whom() -> None:
    experiment = Experiment.model_validate({"timeouts": {"stall_s": 20}})
    coordinator, _ = started(experiment=experiment)
    coordinator.hear("tvb-0", Progress(windows=2), 5.0)
    coordinator.hear("nest-0", Progress(windows=4, waiting_for="window 4 of a>b"), 6.0)
    for second in range(27):
        assert coordinator.tick(float(second)) == []
    coordinator.hear("nest-0", Progress(windows=4, waiting_for="window 4 of a>b"), 26.0)
    sends = coordinator.tick(26.1)
    assert kinds(sends) == to_all("abort")
    assert coordinator.outcome.cause == (
        "no progress for 20 s: tvb-0 was last heard of after 2 windows; "
        "nest-0 waits for window 4 of a>b after 4 windows; "
        "nest-1 was last heard of after 0 windows; "
        "translator-0 was last heard of after 0 windows; "
        "raise timeouts.stall_s if a window may take that long"
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.sampled_from(["hello", "ready", "refused", "progress", "done", "failed", "bye"]),
        ),
        max_size=40,
    ),
    st.lists(st.sampled_from(["lose", "tick", "stop", "abort", "pause", "resume", "step"])),
)
def test_no_order_of_events_breaks_it_and_the_first_outcome_stays(
    events: list[tuple[str, str]], commands: list[str]
) -> None:
    coordinator, outcome = make(5), None
    commands = commands + ["tick"] * len(events)
    for now_s, ((name, kind), command) in enumerate(zip(events, commands, strict=False)):
        message = {
            "hello": hello(name),
            "ready": ready(name),
            "refused": refused("spiking"),
            "progress": Progress(windows=1),
            "done": Done(windows=5),
            "failed": Failed(cause="broke"),
            "bye": Bye(),
        }[kind]
        act = {
            "lose": lambda name=name, now_s=now_s: coordinator.lose([name], KILLED, now_s=now_s),
            "tick": lambda now_s=now_s: coordinator.tick(now_s),
            "stop": lambda: coordinator.stop("enough"),
            "abort": lambda: coordinator.abort("enough"),
            "pause": lambda: coordinator.pause() or [],
            "resume": lambda now_s=now_s: coordinator.resume(now_s),
            "step": lambda: coordinator.step(1),
        }[command]
        try:
            sends = coordinator.hear(name, message, now_s)
        except ProtocolError:
            sends = []
        sends = [*sends, *act()]
        assert all(receiver in NAMES for receiver, _ in sends)
        if outcome is not None:
            assert coordinator.outcome is outcome
            assert {message.kind for _, message in sends} <= {"abort"}
        outcome = coordinator.outcome
