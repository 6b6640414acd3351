"""The soak: that its oracles see what they look for; the soak itself takes minutes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchmarks.soak import report
from benchmarks.soak.damage import WAYS, why_wrong
from benchmarks.soak.faults import FAULTS
from benchmarks.soak.history import History, why_incomplete
from benchmarks.soak.reading import how_alike
from benchmarks.soak.resources import FEWEST, WARM_UP, Look, Watch, growth
from benchmarks.soak.runs import checked_digest
from benchmarks.soak.wall_clock import WallClock
from results.synthetic_run import Activity, completed, write_run
from tvb_nest_cosim.cosim_core.client import RunAnswer
from tvb_nest_cosim.cosim_core.results import digest


def answer(run: str, state: str, digest: str | None = "d", cause: str | None = None) -> RunAnswer:
    return RunAnswer(
        id=run, label=None, name="soak", state=state, cause=cause,
        created=datetime.now(UTC), started=None, ended=None,
        windows=10, windows_total=10, duration_ms=20.0, wall_s=None, digest=digest,
        faults=[], links={},
    )  # fmt: skip


@pytest.fixture
def history() -> History:
    found = History()
    found.accept("a", "short-1", "d")
    return found


def test_a_run_that_finishes_with_its_digest_breaks_no_promise(history: History) -> None:
    for state in ("queued", "building", "running", "finishing", "finished", "finished"):
        history.see([answer("a", state)])
    assert not history.violations
    assert not history.open_runs()


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ([[]], "lost"),
        ([[answer("a", "finished", "other")]], "finished with digest other, not d"),
        ([[answer("a", "failed")]], "nothing says why"),
        ([[answer("a", "failed", cause="x")], [answer("a", "finished")]], "an end is no end"),
    ],
)
def test_a_broken_promise_is_told(history: History, seen: list[list[RunAnswer]], told: str) -> None:
    for answers in seen:
        history.see(answers)
    assert [told in violation for violation in history.violations] == [True]


@pytest.mark.parametrize(
    ("before", "after", "survives", "told"),
    [
        ("running", "failed", False, ""),
        ("running", "failed", True, "should survive it"),
        ("queued", "queued", False, "had not begun when it was over"),
        ("finished", "finished", True, ""),
    ],
)
def test_only_a_run_that_was_exposed_to_a_fault_may_fail(
    history: History, before: str, after: str, survives: bool, told: str
) -> None:
    history.runs["a"].state = "failed"
    history.judge("fault", {"a": before}, {"a": after}, survives=survives)
    assert [told in violation for violation in history.violations] == ([True] if told else [])


def test_what_is_read_of_a_run_is_compared_with_the_undisturbed_one() -> None:
    known = {"times": np.array([0.1, np.nan, 0.3]), "region": np.array(["a", "b"])}
    assert how_alike({**known}, known) == "same"
    assert how_alike({**known, "times": known["times"][:2]}, known) == "prefix"
    assert how_alike({}, known) == "prefix"
    assert how_alike({**known, "times": np.array([0.2])}, known) == "different"
    assert how_alike({**known, "other": np.zeros(1)}, known) == "different"


def test_finished_runs_have_to_be_whole_and_others_begin_as_they_should() -> None:
    part = {"tvb": "prefix", "digest": "different", "timing": "different", "spikes": "missing"}
    assert not why_incomplete(part, has_finished=False)
    assert len(why_incomplete(part, has_finished=True)) == len(part)
    assert why_incomplete({"tvb": "different"}, has_finished=False)
    assert why_incomplete({"tvb": "crash: OSError"}, has_finished=False)


@pytest.mark.parametrize(
    ("found", "is_wrong"),
    [
        ("same", False),
        ("missing", False),
        ("error: /r/tvb.nc is damaged", False),
        ("error: something is damaged", True),
        ("different", True),
        ("crash: KeyError: 'x'", True),
    ],
)
def test_damage_may_be_harmless_or_named_and_nothing_else(found: str, is_wrong: bool) -> None:
    assert bool(why_wrong(found, Path("/r/tvb.nc"))) == is_wrong


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_damage_changes_every_file(way: Callable[[bytes, random.Random], bytes | None]) -> None:
    chance = random.Random(1)  # noqa: S311 - not for secrets
    for size in (1, 2, 1000):
        data = bytes([255]) * size
        assert way(data, chance) != data


def looks(per_run_mib: float, count: int = 40) -> list[Look]:
    """A process whose memory grows, but for what it needs first, and a spike now and then."""
    memory_mib = [
        100 + max(0, WARM_UP - n) * -20 + n * per_run_mib + (30 if n % 7 == 0 else 0)
        for n in range(count)
    ]
    return [
        Look(n, {"memory_mib": mib, "files": 10.0, "threads": 4.0, "children": 0.0})
        for n, mib in enumerate(memory_mib)
    ]


def test_growth_is_seen_in_spite_of_spikes() -> None:
    flat, growing = (growth("server", "memory_mib", looks(mib)[WARM_UP:]) for mib in (0.0, 1.0))
    assert flat.is_flat
    assert not growing.is_flat
    assert growing.per_run == pytest.approx(1.0, abs=0.2)
    assert growing.last - growing.first == pytest.approx(24, abs=5)


def test_a_process_that_was_started_anew_is_judged_by_itself() -> None:
    watch = Watch()
    watch.looks = {("server", 1): looks(0.0), ("server", 2): looks(1.0, WARM_UP + FEWEST - 1)}
    assert {found.runs for found in watch.growths()} == {40 - 1 - WARM_UP}
    watch.look("server", psutil.Process(), 41)
    assert len(watch.looks) == 3


def test_the_table_names_what_was_left_out() -> None:
    history = History()
    history.accept("a", "short-1", "d")
    history.see([answer("a", "failed", cause="killed")])
    history.judge("agent killed", {"a": "running"}, {"a": "failed"}, survives=False)
    table = report.table({"agent killed": 3, "disk full": 0}, history.ends)
    assert "| agent killed | 3 |  | 1 |  |  |" in table
    assert "| disk full | left out |" in table


def test_the_clock_jumps_for_those_who_share_it(tmp_path: Path) -> None:
    clock = WallClock(tmp_path)
    if clock.missing:
        pytest.skip(clock.missing)
    clock.set(86_400)
    ask = (
        "import time; from datetime import datetime; print(time.time(), datetime.now().timestamp())"
    )
    told = subprocess.run(
        [sys.executable, "-c", ask],
        capture_output=True, text=True, check=True, env={**os.environ, **clock.environment},
    )  # fmt: skip
    now_s = datetime.now(UTC).timestamp()
    assert [float(word) - now_s for word in told.stdout.split()] == pytest.approx(
        [86_400, 86_400], abs=60
    )


def test_orphans_that_a_soak_leaves_behind_are_named_and_ended() -> None:
    """In a process of its own, since all descendants of the calling process are ended."""
    orphan = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid)"
    program = f"""
import subprocess, sys
from benchmarks.soak.deployment import left_behind
from benchmarks.soak.sandbox import adopt_orphans
adopt_orphans()
subprocess.run([sys.executable, "-c", {orphan!r}], stdout=subprocess.DEVNULL, check=True)
print(left_behind(grace_s=0.0), left_behind(grace_s=5.0))
"""
    root = Path(__file__).parents[1]
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    told = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": path},
    ).stdout  # fmt: skip
    assert "sleep" in told
    assert told.strip().endswith("[]")


def test_a_run_without_spikes_is_no_reference(tmp_path: Path) -> None:
    """Its digest would be right whatever becomes of spikes."""
    activity = Activity.make()
    for name in ("active", "silent"):
        root = write_run(tmp_path / name, activity=activity, window_ticks=40, nest_ranks=2)
        completed(root)
        if name == "active":
            assert checked_digest(name, root) == digest(root)
            activity.spikes = {region: rows[:0] for region, rows in activity.spikes.items()}
    with pytest.raises(RuntimeError, match="silent has 0 spikes"):
        checked_digest("silent", tmp_path / "silent")


def test_every_fault_has_its_own_name() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
