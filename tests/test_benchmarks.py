"""Benchmarks run, and their report is written; how fast they are is no matter of tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import drift, nest_alone, ranks_run, report
from benchmarks.__main__ import main
from benchmarks.framework import Benchmark, Once, Quantity, Result, Setting, carry_out
from benchmarks.machine import machine
from benchmarks.parts import PARTS
from benchmarks.runs import PARTICIPANTS, Look, Ran
from benchmarks.servers import Served, served
from results.synthetic_run import Activity, write_run
from system.conftest import mpi_is_missing

SERIES = (
    *("nest-alone", "windows", "drift", "ranks", "ranks-run", "tvb-stepper"),
    *("lockstep", "listeners", "start-up"),
)
"""Parts of which a tiny measurement takes the beginning, or in which too little happens."""


def invented(*values: dict[str, float]) -> Benchmark:
    """Returns a benchmark that measures what is given, one after another."""

    @contextmanager
    def prepared(setting: Setting) -> Iterator[Once]:
        left = iter(values)
        yield lambda: next(left)

    quantities = (
        Quantity("slow", "how slow", "s", at_most=2.0),
        Quantity("fast", "how fast", at_least=2.0),
        Quantity("plain", "how many"),
    )
    return Benchmark("invented", "nothing", quantities, prepared, repeats=len(values))


def test_medians_are_held_against_targets(tmp_path: Path) -> None:
    values = [{"slow": s, "fast": s, "plain": 1.0} for s in (9.0, 1.0, 1.5)]
    result = carry_out(invented(*values), Setting(tmp_path))
    assert result.samples["slow"] == [9.0, 1.0, 1.5]
    told = {each["key"]: (each["median"], each["is_met"]) for each in result.tree()["quantities"]}
    assert told == {"slow": (1.5, True), "fast": (1.5, False), "plain": (1.0, None)}


def test_what_was_not_declared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="typo"):
        carry_out(invented({"typo": 1.0}), Setting(tmp_path))


def test_the_table_names_machine_targets_and_misses(tmp_path: Path) -> None:
    result = Result(invented(), {"slow": [3.0, 2.5, 7.0]}, 1.0, (0.5, 3.25))
    report.write(tmp_path, machine(), datetime(2030, 1, 2), [result])
    table = (tmp_path / "results.md").read_text()
    assert "| invented | how slow | 3 s | 2.5 to 7 | 3 | at most 2 s | **no** |" in table
    assert "how fast" not in table
    assert "Load of the machine meanwhile: 0.5 to 3.2" in table
    assert f"{machine()['cores']} cores" in table
    tree = json.loads((tmp_path / "results.json").read_text())
    assert tree["machine"]["packages"]["numpy"] in table
    assert tree["benchmarks"][0]["quantities"][0]["samples"] == [3.0, 2.5, 7.0]


@pytest.fixture(scope="module")
def one_server() -> Iterator[Served]:
    """A server with its agents, for one benchmark after another; each would start its own."""
    with served() as there:
        yield there


SERVED = ("first-window", "listeners", "page-load", "page-hour")
"""Benchmarks of a server."""


@pytest.mark.parametrize("part", [part for part in PARTS if part not in SERVED])
def test_every_benchmark_runs(part: str, tmp_path: Path) -> None:
    if part == "ranks-run" and (reason := mpi_is_missing()):
        pytest.skip(reason)
    carry_out_part(part, tmp_path)


@pytest.mark.parametrize("part", SERVED)
def test_every_benchmark_of_a_server_runs(
    part: str, tmp_path: Path, one_server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    if part.startswith("page"):
        browser = pytest.importorskip("benchmarks.browser", reason="playwright is not installed")
        if not browser.CHROMIUM.exists():
            pytest.skip(f"there is no Chromium at {browser.CHROMIUM}")
    name = part.replace("-", "_")
    monkeypatch.setattr(f"benchmarks.{name}.served", lambda: nullcontext(one_server))
    carry_out_part(part, tmp_path)


def carry_out_part(part: str, folder: Path) -> None:
    """Carries out one benchmark at its smallest, and checks what it leaves."""
    main([part, "--tiny", "--repeats", "1", "--out", str(folder)])
    (found,) = json.loads((folder / "results.json").read_text())["benchmarks"]
    assert found["name"] == part
    measured = [q["key"] for q in found["quantities"]]
    declared = [q.key for q in PARTS[part].quantities]
    assert measured == [key for key in declared if key in measured]
    assert len(measured) == len(declared) or part in SERIES
    assert (folder / "page-hour.svg").is_file() == (part == "page-hour")
    has_figure = PARTS[part].draw is not None or part == "drift"
    assert (folder / f"{part}.png").is_file() == has_figure


def test_windows_that_are_taken_in_one_go_count_with_the_time_of_the_first() -> None:
    windows = np.arange(100)
    send_s = np.where(windows % 4 == 0, 400e-6, 0.0)
    send_s[0] = 1.0
    timing = pd.DataFrame({"window": windows, "send_s": send_s, "encode_s": 5e-6, "wait_s": 9.0})
    mean_us = ranks_run.mean_us(timing, "send_s", "encode_s")
    assert mean_us == pytest.approx(105.0, rel=0.05)


@pytest.mark.parametrize("differs", ["cosim", "alone"])
def test_other_spikes_end_the_comparison(
    differs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_otherwise(example: Path, changes: list[str], root: Path) -> Ran:
        activity = Activity.make(60)
        if root.name == differs:
            activity.spikes["rHC"][0, 0] += 1
        return Ran(write_run(root, activity, 20, 1), 3, [])

    monkeypatch.setattr(nest_alone, "run", write_otherwise)
    with pytest.raises(RuntimeError, match=f"/{differs} has other spikes than"):
        carry_out(nest_alone.BENCHMARK, Setting(tmp_path, is_tiny=True), repeats=1)


def looks(per_window_s: float, bytes_now: int, first: int) -> list[Look]:
    """A tenth of 1,000 windows, looked at twice."""
    begin = 0.0 if first == 0 else 1000.0
    return [
        Look(
            first + windows,
            begin + windows * per_window_s,
            dict.fromkeys(drift.PROCESSES, begin + 0.5 * windows * per_window_s),
            dict.fromkeys(drift.PROCESSES, bytes_now),
        )
        for windows in (0, 100)
    ]


def test_drift_holds_the_last_tenth_against_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = Ran(tmp_path, 1000, [*looks(0.002, 2**20, 0), *looks(0.003, 2**21, 900)])
    advance = np.r_[np.full(500, 1e-3), np.full(500, 2e-3)]
    phases = {"wait": np.arange(1000.0), "advance": advance}
    monkeypatch.setattr(Ran, "phases", lambda self: dict.fromkeys(PARTICIPANTS, phases))
    found = drift.values_of(ran)
    assert found["wall"] == pytest.approx(1.5)
    assert found["work nest-0"] == pytest.approx(2.0)
    assert found["processor tvb-0"] == pytest.approx(1.5)
    assert found["memory translator-0"] == pytest.approx(2.0)
    assert found["size orchestrator"] == pytest.approx(2.0)


def test_a_part_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["frist-window"])
    assert "there is no frist-window; there are nest-alone, " in capsys.readouterr().err
