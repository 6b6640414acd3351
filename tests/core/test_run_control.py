"""The mailbox of a run: signals and other threads post, the run's own thread takes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.ensembles import make_plan
from tvb_nest_cosim.orchestrator.run.control import RunControl, ignore_time_limit, signals_to
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
HANDLED = (*ENDING, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in HANDLED}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Notes(Coordinator):
    """Notes what it is asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(make_plan(folder), "nowhere", 0.0)
        self.asked: list[str] = []

    def stop(self, cause: str) -> list[object]:  # type: ignore[override]
        self.asked.append(f"stop: {cause}")
        return []

    def abort(self, cause: str) -> list[object]:  # type: ignore[override]
        self.asked.append(f"abort: {cause}")
        return []


def asked(control: RunControl, folder: Path) -> list[str]:
    notes = Notes(folder)
    for command in control.taken():
        command(notes, 0.0)
    return notes.asked


def test_asked_once_it_ends_in_good_order_and_asked_again_at_once(tmp_path: Path) -> None:
    control = RunControl()
    control.interrupt("one")
    assert asked(control, tmp_path) == ["stop: one"]
    control.interrupt("two")
    control.interrupt("three")
    assert asked(control, tmp_path) == ["abort: two", "abort: three"]
    assert asked(control, tmp_path) == []


@pytest.mark.parametrize("number", ENDING)
def test_signals_are_posted_with_their_cause_and_handlers_put_back(
    tmp_path: Path, number: signal.Signals
) -> None:
    before = {n: signal.getsignal(n) for n in HANDLED}
    control = RunControl()
    with signals_to(control):
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
    who = "the time limit of the job" if number is signal.SIGUSR1 else "the user"
    said = f"interrupted by {who}"
    assert asked(control, tmp_path) == [f"stop: {said}", f"abort: {said}"]
    assert {n: signal.getsignal(n) for n in HANDLED} == before


def test_a_closed_terminal_ends_a_run_in_good_order_however_often_it_says_so(
    tmp_path: Path,
) -> None:
    control = RunControl()
    with signals_to(control):
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    closed = "stop: interrupted since its terminal was closed"
    by_user = "interrupted by the user"
    assert asked(control, tmp_path) == [closed, closed, f"stop: {by_user}", f"abort: {by_user}"]


def test_under_nohup_a_closed_terminal_means_nothing(tmp_path: Path) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    control = RunControl()
    with signals_to(control):
        os.kill(os.getpid(), signal.SIGHUP)
    assert asked(control, tmp_path) == []
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_signal_may_come_while_the_mailbox_is_read(tmp_path: Path) -> None:
    """It is handled in the thread that reads; a queue with a lock of its own would stop there."""
    control = RunControl()
    with signals_to(control):
        control.stop("asked by a client")
        taken = []
        for command in control.taken():
            taken.append(command)
            if len(taken) < 3:
                os.kill(os.getpid(), signal.SIGTERM)
    assert len(taken) == 3


def test_a_thread_of_a_server_leaves_signals_alone() -> None:
    before = {n: signal.getsignal(n) for n in HANDLED}
    seen: list[object] = []

    def run() -> None:
        with signals_to(RunControl()):
            seen.append({n: signal.getsignal(n) for n in HANDLED})

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [before]


def test_the_time_limit_of_a_job_ends_a_run_but_not_what_comes_before_and_after(
    tmp_path: Path,
) -> None:
    ignore_time_limit()
    control = RunControl()
    os.kill(os.getpid(), signal.SIGUSR1)
    with signals_to(control):
        os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert asked(control, tmp_path) == ["stop: interrupted by the time limit of the job"]
