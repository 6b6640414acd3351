"""However many ask about a run that goes on, an answer is made once and kept for a while."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tvb_nest_cosim.orchestrator.server.live import cache
from tvb_nest_cosim.orchestrator.server.live.cache import KEPT, AnswerCache


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        monkeypatch.setattr(cache.time, "monotonic", lambda: self.now_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_an_answer_is_kept_for_a_while(clock: Clock) -> None:
    kept, made = AnswerCache(), iter(range(10))
    assert kept.get("a", lambda: next(made)) == 0
    clock.now_s += cache.FRESH_S * 0.9
    assert kept.get("a", lambda: next(made)) == 0
    assert kept.get("b", lambda: next(made)) == 1
    clock.now_s += cache.FRESH_S * 0.2
    assert kept.get("a", lambda: next(made)) == 2


def test_a_dear_answer_is_kept_for_longer(clock: Clock) -> None:
    kept, made = AnswerCache(), iter(range(10))

    def make() -> int:
        clock.now_s += 1.0
        return next(made)

    assert kept.get("a", make) == 0
    clock.now_s += 0.9 / cache.SHARE
    assert kept.get("a", make) == 0
    clock.now_s += 0.2 / cache.SHARE
    assert kept.get("a", make) == 1


def test_those_who_ask_at_once_share_one_answer() -> None:
    kept, made, all_there = AnswerCache(), [], threading.Barrier(8)

    def ask() -> int:
        all_there.wait(10.0)
        return int(kept.get("a", lambda: made.append(1) or len(made)))

    with ThreadPoolExecutor(8) as pool:
        found = [future.result(10.0) for future in [pool.submit(ask) for _ in range(8)]]
    assert found == [1] * 8


def test_what_fails_is_tried_again_and_memory_is_bounded(clock: Clock) -> None:
    kept = AnswerCache()
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    assert kept.get("a", lambda: "good") == "good"
    for question in range(3 * KEPT):
        kept.get(question, lambda: None)
    assert len(kept._answers) == KEPT
