"""Participants that stand still in real processes are named within ten seconds by default."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from system.agent_ensemble import Ensemble
from system.trouble import USER_CODE, processes_of
from tvb_nest_cosim.cosim_core.processes.process_state import ProcessState, look_at
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator

Tree = dict[str, Any]

NAMED_WITHIN_S = 10.0

BUSY_S = 5.0
"""What a machine that other tests keep busy may add."""


class Clock:
    """Acts once at a window; measures how long after that the run was given up."""

    def __init__(self, act: Callable[[Coordinator], None], window: int = 10) -> None:
        self._act, self._window = act, window
        self._acted_s = self._ended_s = 0.0

    def __call__(self, coordinator: Coordinator) -> None:
        if not self._acted_s and coordinator.is_running and coordinator.windows >= self._window:
            self._act(coordinator)
            self._acted_s = time.monotonic()
        if coordinator.outcome is not None:
            self._ended_s = time.monotonic()

    def check(self) -> None:
        assert self._acted_s
        elapsed_s = self._ended_s - self._acted_s
        print(f"named after {elapsed_s:.1f} s")
        assert elapsed_s < NAMED_WITHIN_S + BUSY_S


@pytest.fixture
def long(tiny: Tree) -> Tree:
    tiny["duration_ms"] = 20_000.0
    return tiny


def stop(name: str) -> Callable[[Coordinator], None]:
    return lambda coordinator: os.kill(coordinator.peers[name].pid, signal.SIGSTOP)


def test_a_stopped_process_is_named(run: Callable[..., Any], long: Tree) -> None:
    clock = Clock(stop("tvb-0"))
    ran = run(long, observe=clock)
    assert ran.outcome.kind == "failed"
    assert ran.outcome.cause.startswith("tvb-0 was stopped by a signal (SIGSTOP or SIGTSTP) at ")
    assert processes_of(ran.root) == {}
    clock.check()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Sleeps", ["translator-0 hangs at window ", "nest-0 waits for window "]),
        ("Spins", ["no progress for 10 s: ", "translator-0 was last heard of ", " and computes"]),
    ],
)
def test_user_code_that_never_returns_is_named(
    run: Callable[..., Any], long: Tree, name: str, words: list[str]
) -> None:
    parameters = {"window": 60}
    long["spiking"][1]["rate"] = {
        "translator": f"bad_translators:{name}",
        "translator_parameters": parameters,
    }
    clock = Clock(lambda coordinator: None, window=1)
    ran = run(long, observe=clock, base=USER_CODE)
    assert ran.outcome.kind == "failed"
    assert [word for word in words if word not in ran.outcome.cause] == [], ran.outcome.cause
    clock.check()


def test_behind_an_agent_a_stopped_worker_is_named(
    ensemble: Ensemble, long: Tree, tmp_path: Path
) -> None:
    ensemble.await_free(*MODULES)
    clock = Clock(stop("nest-0"))
    outcome = ensemble.run(long, tmp_path / "worker", clock)
    assert outcome.kind == "failed"
    assert outcome.cause.startswith("nest-0 was stopped by a signal"), outcome
    clock.check()


def test_a_stopped_agent_is_named(ensemble: Ensemble, long: Tree, tmp_path: Path) -> None:
    ensemble.await_free(*MODULES)
    agent = ensemble.processes["tvb"]
    clock = Clock(lambda coordinator: agent.send_signal(signal.SIGSTOP))
    try:
        outcome = ensemble.run(long, tmp_path / "agent", clock)
    finally:
        agent.send_signal(signal.SIGCONT)
    assert outcome.kind == "failed"
    assert outcome.cause.startswith("tvb-0 was lost: its agent tvb@"), outcome
    clock.check()


def test_the_work_of_a_child_counts_for_who_waits_for_it() -> None:
    """As of user code that calls another program."""
    code = "import time\nend = time.time() + 20\nwhile time.time() < end: pass"
    with psutil.Popen(["sh", "-c", f"python3 -c '{code}'; true"]) as shell:
        try:
            deadline_s = time.monotonic() + 20.0
            states: list[ProcessState] = []
            while time.monotonic() < deadline_s and (not states or states[-1].cpu_s < 0.2):
                time.sleep(0.05)
                states.append(look_at({"nest-0": shell.pid})["nest-0"])
            assert states[-1].cpu_s >= 0.2
            assert "R" in {state.letter for state in states}
            assert look_at({"nobody": 0}) == {}
        finally:
            for child in shell.children():
                child.kill()
            shell.kill()
