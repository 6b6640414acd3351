"""A run is complete when its manifest says so; whatever ends its writer, it can be completed."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest
import xarray as xr
from typer.testing import CliRunner

from results.conftest import MakeRun
from results.synthetic_run import Activity, completed
from results.test_damage import finished_run, result_bytes
from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.processes import collector as collecting
from tvb_nest_cosim.cosim_core.processes.collector import Collector, collect_apart
from tvb_nest_cosim.cosim_core.results import collect, complete, digest, open_run
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.lock import run_lock
from tvb_nest_cosim.cosim_core.run_dir.manifest import Manifest
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance
from tvb_nest_cosim.orchestrator.cli.main import app
from tvb_nest_cosim.orchestrator.run.runner import make_report

KILLED_WRITER = Path(__file__).with_name("killed_writer.py")


@pytest.mark.usefixtures("no_sync")
def test_a_writer_killed_at_any_file_operation_leaves_a_run_that_can_be_completed(
    tmp_path: Path,
) -> None:
    whole = finished_run(tmp_path / "whole" / "run", simulators="tvb")
    expected = result_bytes(whole)
    unfinished = shutil.copytree(whole, tmp_path / "unfinished" / "run")
    layout = RunLayout(unfinished)
    for path in (*layout.results(), layout.manifest):
        path.unlink(missing_ok=True)
    command = [sys.executable, str(KILLED_WRITER), str(unfinished), str(tmp_path / "killed")]
    subprocess.run(command, check=True, timeout=100)
    killed = [path for path in (tmp_path / "killed").iterdir() if path.name != "warm"]
    print(f"killed at {len(killed) - 1} operations")
    assert len(killed) > 30
    for folder in killed:
        root, is_last = folder / "run", len(killed) - 1 == int(folder.name)
        if Manifest.read(RunLayout(root)) is None:
            assert not is_last
            with open_run(root) as run, pytest.raises(RunDirectoryError, match="cosim report"):
                _ = run.tvb
            complete(root, make=collect)
        assert result_bytes(root) == expected
        assert not list(root.glob(".*.partial"))


def test_a_run_without_a_manifest_has_journals_and_no_results(make_run: MakeRun) -> None:
    root = make_run()
    collect(root)
    with open_run(root) as run:
        assert not run.is_complete
        assert run.records.complete_windows == 15
        assert run.digest == digest(root)
        assert "not complete" in repr(run)
        for read in (lambda: run.tvb, lambda: run.timing, lambda: run.has("analog")):
            with pytest.raises(RunDirectoryError, match=r"no manifest\.json.*cosim report"):
                read()
    with open_run(root, partial=True) as run:
        assert run.tvb.sizes["region"] == 76
    completed(root)
    with open_run(root) as run:
        assert run.is_complete
        assert run.tvb.sizes["region"] == 76


@pytest.mark.parametrize("role", ["nest", "translator", "tvb"])
def test_a_journal_with_fewer_windows_than_the_run_ended_with_is_named(
    make_run: MakeRun, role: str
) -> None:
    root = make_run()
    Provenance(outcome="finished", windows_done=15).write(root)
    path = RunLayout(root).journal(role, 0)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    expected = rf"{path.name} holds \d+ complete windows, the run ended with 15: its last whole "
    expected += r"record is of window \d+ and ends at byte \d+ of \d+.*--partial"
    for read in (digest, completed):
        with pytest.raises(RunDirectoryError, match=expected):
            read(root)
    assert not RunLayout(root).manifest.exists()
    answer = CliRunner().invoke(app, ["digest", str(root), "--partial"])
    assert answer.exit_code == 0
    assert len(answer.stdout.strip()) == 64
    assert answer.stderr.startswith("warning: what follows is of a damaged run: ")


def test_journals_of_another_digest_are_refused(make_run: MakeRun) -> None:
    activity = Activity.make()
    activity.spikes["rHC"] = activity.spikes["rHC"][1:]
    root, other = make_run(), make_run("other/run", activity=activity)
    Provenance(outcome="finished", windows_done=15, digest=digest(root)).write(root)
    for rank in range(2):
        name = RunLayout(root).journal("nest", rank).name
        shutil.copyfile(other / "journal" / name, root / "journal" / name)
    for read in (digest, completed):
        with pytest.raises(RunDirectoryError, match=r"give the digest \w+, in provenance\.json"):
            read(root)


def test_what_is_left_of_a_damaged_run_is_drawn_if_that_is_asked_for(make_run: MakeRun) -> None:
    root = completed(make_run(), Provenance(outcome="finished", windows_done=15))
    layout = RunLayout(root)
    path = layout.journal("tvb", 0)
    path.write_bytes(path.read_bytes()[:-100])
    layout.rates.unlink()
    intact = layout.tvb.read_bytes()
    with pytest.raises(RunDirectoryError, match=r"tvb-0\.journal is not the file"):
        make_report(root)
    told: list[str] = []
    assert make_report(root, partial=True, tell=told.append).is_file()
    assert len(told) == 1
    assert "the run directory is damaged: 14 of 15 windows" in layout.report.read_text()
    assert layout.tvb.read_bytes() == intact
    with open_run(root, partial=True) as run:
        assert run.rates.attrs["windows"] == 14
    with pytest.raises(RunDirectoryError, match=r"tvb-0\.journal is not the file"):
        open_run(root)


def test_damaged_results_are_made_again_from_whole_journals_and_named(make_run: MakeRun) -> None:
    root = completed(make_run())
    layout, before = RunLayout(root), digest(root)
    layout.tvb.write_bytes(layout.tvb.read_bytes()[:-7] + b"damaged")
    layout.timing.unlink()
    told: list[str] = []
    complete(root, tell=told.append)
    assert len(told) == 1
    assert told[0].startswith("made again from the journals: tvb.nc, timing.csv ")
    with open_run(root) as run:
        assert run.tvb.sizes["time_TemporalAverage"] == 60
        assert run.digest == before
    complete(root, tell=told.append)
    assert len(told) == 1


def test_result_files_say_how_many_windows_they_hold(make_run: MakeRun) -> None:
    root = make_run(windows={"nest": 9})
    collect(root)
    layout = RunLayout(root)
    for path in (layout.tvb, layout.rates, layout.analog):
        with xr.open_dataset(path, engine="h5netcdf") as data:
            assert data.attrs["windows"] == 9
    with h5py.File(layout.spikes) as file:
        assert file.attrs["windows"] == 9


def test_a_run_of_no_window_has_axes_and_variables(make_run: MakeRun) -> None:
    root = completed(make_run(windows={"tvb": 0, "nest": 0, "translator": 0}))
    with open_run(root) as run:
        assert run.tvb["TemporalAverage"].shape == (0, 2, 76)
        assert run.rates["counts_rHC"].shape == (0, 2)
        assert run.rates["rate_lHC"].shape == (0, 2)
        assert run.analog["V_m_rHC_0"].shape == (0, 3)
        assert len(run.timing) == 0


def test_results_of_monitors_that_were_never_built_are_said_not_to_be_there(
    make_run: MakeRun,
) -> None:
    root = make_run(windows={"tvb": 0, "nest": 0, "translator": 0})
    plan = RunLayout(root).plan
    plan.write_text(json.dumps({"plan": json.loads(plan.read_text())["plan"]}))
    completed(root)
    with open_run(root) as run, pytest.raises(RunDirectoryError, match=r"has no tvb\.nc: the run"):
        _ = run.tvb


def test_a_copy_without_journals_can_be_read_and_has_no_digest(
    make_run: MakeRun, tmp_path: Path
) -> None:
    root = completed(make_run())
    copy = shutil.copytree(root, tmp_path / "copy", ignore=shutil.ignore_patterns("journal"))
    with open_run(copy) as run:
        assert run.records.simulated_ms == 60.0
        assert run.tvb.sizes["region"] == 76
    with pytest.raises(RunDirectoryError, match="copy of the results and holds no journals"):
        digest(copy)


# One writer


@pytest.fixture
def going_on(make_run: MakeRun) -> Iterator[Path]:
    """A run whose orchestrator is another process, at work."""
    root = make_run(windows={"tvb": 5})
    hold = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(1, flush=True)"
    hold += "; f.write('process 7 on node7'); f.flush(); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(RunLayout(root).lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield root


def test_nothing_is_made_of_a_run_that_goes_on(going_on: Path) -> None:
    before = sorted(path.name for path in going_on.iterdir())
    time.sleep(0.05)
    for partial in (False, True):
        with pytest.raises(RunDirectoryError, match=r"another process works on .* the run goes on"):
            make_report(going_on, partial=partial)
    assert sorted(path.name for path in going_on.iterdir()) == before


def test_the_holder_of_the_lock_removes_what_dead_writers_left(make_run: MakeRun) -> None:
    root = make_run()
    stale = root / ".tvb.nc.999999.partial"
    stale.write_bytes(b"half")
    with run_lock(RunLayout(root)):
        assert not stale.exists()
        with RunLayout(root).lock.open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    completed(root)


# The process that writes


def test_another_process_makes_the_same_files(make_run: MakeRun) -> None:
    root, other = make_run(), make_run("other/run")
    found = collect_apart(root)
    assert found == collect(other)
    for name in found.files:
        assert (root / name).read_bytes() == (other / name).read_bytes()


def test_a_disk_without_room_for_results_is_one_sentence_and_harms_no_later_run(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_run()
    code = [
        sys.executable,
        "-c",
        "import os, sys, resource as r; "
        "r.setrlimit(r.RLIMIT_FSIZE, (65536, 65536)); os.execvp(sys.argv[1], sys.argv[1:])",
    ]
    with monkeypatch.context() as patch:
        patch.setattr(collecting, "tied_to_parent", lambda command: [*code, *command])
        for _ in range(2):
            with pytest.raises(RunDirectoryError, match="Is the disk full"):
                complete(root)
    assert not RunLayout(root).manifest.exists()
    complete(root)
    with open_run(root) as run:
        assert run.tvb.sizes["region"] == 76


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGSEGV, r"was killed by signal 11 \(SIGSEGV\) before it had written them"),
        (signal.SIGKILL, r"was killed by signal 9 \(SIGKILL\), perhaps for lack of memory,"),
    ],
)
def test_a_process_that_is_killed_while_it_writes_is_one_sentence(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    code = f"import os, sys; sys.stdin.readline(); os.kill(os.getpid(), {number})"
    command = [sys.executable, "-S", "-c", code]
    monkeypatch.setattr(collecting, "tied_to_parent", lambda _: command)
    with pytest.raises(RunDirectoryError, match=words):
        complete(make_run())


def test_a_process_that_does_nothing_any_more_is_ended(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-S", "-c", "import time; time.sleep(1000)"]
    monkeypatch.setattr(collecting, "tied_to_parent", lambda _: command)
    monkeypatch.setattr(collecting, "_LOOK_EVERY_S", 0.3)
    monkeypatch.setattr(collecting, "STALL_S", 0.6)
    with Collector() as collector:
        collector.start()
        with pytest.raises(RunDirectoryError, match=r"has done nothing for .* s and was ended"):
            collector.collect(make_run())


def test_ctrl_c_does_not_reach_the_process_that_writes(make_run: MakeRun) -> None:
    with Collector() as collector:
        collector.start()
        process = collector._process
        assert process is not None
        assert os.getpgid(process.pid) != os.getpgid(0)
        assert collector.collect(make_run()).windows == 15
