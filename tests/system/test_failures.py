"""Whatever goes wrong while a run goes on: one cause, finished windows kept, nothing left over."""

from __future__ import annotations

import io
import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq
from rich.console import Console

from small_disk import MIB, mounted
from system.trouble import (
    USER_CODE,
    eventually,
    processes_of,
    rank_of,
    recorded_windows,
    running,
    write_experiment,
)
from tvb_nest_cosim.cosim_core.errors import EXIT_FAILED, EXIT_INTERRUPTED, RunDirectoryError
from tvb_nest_cosim.cosim_core.model.experiment import parse
from tvb_nest_cosim.cosim_core.results import open_run
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.orchestrator.launchers.local import LocalProcesses
from tvb_nest_cosim.orchestrator.planning.plan import plan_run
from tvb_nest_cosim.orchestrator.run import runner
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.terminal import show_finished

Tree = dict[str, Any]
Act = Callable[[Coordinator], None]

HANG_S = 20.0
"""Far above the two seconds within which a death is noticed: only a hang lasts so long."""

MODULES = {"tvb-0": "tvb_service", "translator-0": "translator", "nest-0": "nest_service"}


@pytest.fixture
def long(tiny: Tree) -> Tree:
    """An experiment that does not end by itself before the test acts."""
    tiny["duration_ms"] = 5000.0
    return tiny


def once(condition: Callable[[Coordinator], bool], act: Act) -> Act:
    """Makes an observer that acts as soon as a condition holds, and never again."""
    acted = False

    def observe(coordinator: Coordinator) -> None:
        nonlocal acted
        if not acted and condition(coordinator):
            acted = True
            act(coordinator)

    return observe


def carry_out(
    tree: Tree, root: Path, observe: Act, tell: Callable[[str], None] = lambda text: None
) -> runner.Finished:
    """Runs an experiment as the command line does."""
    planned = plan_run(parse(tree), USER_CODE, root)
    return runner.run(planned, command=["cosim", "run"], observe=observe, tell=tell)


def provenance_of(root: Path) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(RunLayout(root).provenance.read_text())
    return tree


# Killed participants


def kill_at_random(
    tree: Tree, root: Path, find: Callable[[], psutil.Process]
) -> tuple[runner.Finished, int]:
    """Kills a process at a random window; returns what came of it, and the window."""
    window = random.randint(2, 30)  # noqa: S311 - chance is the point
    clock: dict[str, float] = {}

    def kill(coordinator: Coordinator) -> None:
        victim = find()
        clock["killed"] = time.monotonic()
        victim.kill()

    def tell(text: str) -> None:
        clock.setdefault(text, time.monotonic())

    finished = carry_out(tree, root, once(lambda c: c.windows >= window, kill), tell)
    elapsed_s = clock["Writing the results"] - clock["killed"]
    print(f"noticed and everybody gone {elapsed_s:.2f} s after the kill at window {window}")
    assert elapsed_s < HANG_S
    return finished, window


def check_failed(finished: runner.Finished, window: int, who: str) -> None:
    root = finished.root
    assert (finished.outcome.kind, finished.exit_code) == ("failed", EXIT_FAILED)
    cause = finished.outcome.cause
    assert cause.startswith(f"{who} was killed by signal 9 (SIGKILL)"), cause
    at, _, total = cause.rpartition(" at window ")[2].partition(" of ")
    with open_run(root) as run:
        assert int(total) == run.plan.grid.window_count
        assert window <= int(at) + run.plan.lookahead
        # TVB records a window when the rates of the spiking regions have come
        windows = run.records.complete_windows
        assert windows >= window - run.plan.lookahead
        assert run.tvb.sizes["time_Raw"] == windows * run.plan.window_ticks
        times_ms, _ = run.spikes("rHC", "excitatory")
        assert (times_ms <= run.records.simulated_ms).all()
        told = run.provenance
    assert told is not None
    assert (told.outcome, told.cause, told.exit_code) == ("failed", cause, EXIT_FAILED)
    assert told.windows_done == windows
    assert finished.report is not None
    assert cause in finished.report.read_text()
    assert processes_of(root) == {}


@pytest.mark.parametrize("who", list(MODULES))
def test_a_killed_participant_fails_the_run(long: Tree, tmp_path: Path, who: str) -> None:
    root = tmp_path / f"killed-{who}"
    finished, window = kill_at_random(long, root, lambda: processes_of(root)[MODULES[who]][0])
    check_failed(finished, window, who)


@pytest.mark.mpi
@pytest.mark.usefixtures("mpi")
def test_a_killed_rank_fails_the_run_and_is_named(long: Tree, tmp_path: Path) -> None:
    long["resources"] = {"nest": {"ranks": 2}}
    root = tmp_path / "killed-rank"
    finished, window = kill_at_random(long, root, lambda: rank_of(root, 1))
    check_failed(finished, window, "nest-1")


# Errors while running


def own_model(tree: Tree, name: str) -> None:
    tree["tvb"]["model"]["name"] = f"bad_models:{name}"
    for group in tree["spiking"]:
        group["drive"]["hz_per_unit"] = 1000.0
        group["feed"] = [{"variable": "E", "population": "excitatory", "unit_per_hz": 0.001}]


def own_network(tree: Tree, name: str) -> None:
    del tree["spiking"][1]
    tree["spiking"][0]["network"] = {"module": f"bad_networks:{name}"}


def own_translator(tree: Tree, name: str) -> None:
    tree["spiking"][1]["rate"] = {
        "translator": f"bad_translators:{name}",
        "translator_parameters": {"window": 3},
    }


IN_PROCESSES = ("RaisesLater", "unstable_after_20_ms", "Exits")
"""An error that ends a process of each role; the words of the others are the same in threads."""

IN_WINDOW_3 = "of region 'lHC', edge translator>tvb, window 3 (ticks "


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        (own_model, "NotANumberLater", ["tvb-0: TVB's ", " is nan at tick ", "Likely causes: "]),
        (own_model, "RaisesLater", ["tvb-0: TVB failed at tick ", "the [model] is broken"]),
        (own_network, "unstable_after_20_ms", ["nest-0: NEST failed in window ", "Instability"]),
        (own_translator, "WrongShape", [IN_WINDOW_3, "is of shape (2, ", "expected shape (2, "]),
        (own_translator, "NotANumber", [IN_WINDOW_3, "is nan", "expected finite numbers"]),
        (own_translator, "Negative", [IN_WINDOW_3, "is -1000000.0", "not negative"]),
        (own_translator, "Raises", [IN_WINDOW_3, "it raised KeyError", "no [calibration]"]),
        (own_translator, "Exits", [IN_WINDOW_3, "it raised SystemExit"]),
    ],
)
def test_an_error_while_running_is_told_in_one_line(
    run: Callable[..., Any],
    run_here: Callable[..., Any],
    tiny: Tree,
    change: Callable[[Tree, str], None],
    name: str,
    words: list[str],
) -> None:
    change(tiny, name)
    ran = (run if name in IN_PROCESSES else run_here)(tiny, base=USER_CODE)
    cause = ran.outcome.cause
    assert ran.outcome.kind == "failed"
    assert [word for word in words if word not in cause] == [], cause
    assert "\n" not in cause
    if "Raises" in name:
        assert "Traceback" in ran.outcome.detail
    with open_run(ran.root) as results:
        assert 0 < results.records.complete_windows < results.plan.grid.window_count
        assert results.tvb.sizes["time_Raw"]
    assert processes_of(ran.root) == {}


# Participants and orchestrators that stand still


def test_a_stall_names_who_waits_for_what(run: Callable[..., Any], long: Tree) -> None:
    long["timeouts"] = {"stall_s": 3.0}

    def freeze(coordinator: Coordinator) -> None:
        processes_of(Path(coordinator.plan.run_dir))["nest_service"][0].send_signal(signal.SIGSTOP)

    ran = run(long, observe=once(lambda c: c.windows >= 3, freeze))
    cause = ran.outcome.cause
    assert ran.outcome.kind == "failed"
    assert cause.startswith("no progress for 3 s: ")
    assert "translator-0 waits for window " in cause
    assert " of nest>translator from nest" in cause
    assert re.search(r"nest-0 was last heard of after \d+ windows and is stopped", cause)
    assert "raise timeouts.stall_s" in cause
    assert processes_of(ran.root) == {}


@pytest.mark.mpi
@pytest.mark.usefixtures("mpi")
def test_of_several_ranks_that_say_nothing_the_stopped_one_is_named(
    run: Callable[..., Any], long: Tree
) -> None:
    """The other waits for it within MPI and looks as busy as ever."""
    long["timeouts"] = {"stall_s": 3.0}
    long["resources"] = {"nest": {"ranks": 2}}

    def freeze(coordinator: Coordinator) -> None:
        os.kill(coordinator.peers["nest-1"].pid, signal.SIGSTOP)

    cause = run(long, observe=once(lambda c: c.windows >= 3, freeze)).outcome.cause
    assert re.search(r"nest-1 was last heard of after \d+ windows and is stopped", cause)
    assert not re.search(r"nest-0 was last heard of after \d+ windows and is stopped", cause)


def test_a_run_survives_that_its_orchestrator_is_stopped_for_a_while(
    tiny: Tree, tmp_path: Path
) -> None:
    """As by Ctrl-Z and fg: that nobody heard the participants is not their fault."""
    tiny["duration_ms"] = 300.0
    tiny["timeouts"] = {"stall_s": 4.0}
    path, root = write_experiment(tmp_path, tiny), tmp_path / "paused"
    with running("run", path, "--out", root, cwd=tmp_path) as process:
        eventually(lambda: recorded_windows(root, "nest") >= 2, "windows")
        process.send_signal(signal.SIGSTOP)
        time.sleep(5.0)
        process.send_signal(signal.SIGCONT)
        output, errors = process.communicate(timeout=100)
    assert process.returncode == 0, output + errors
    assert provenance_of(root)["outcome"] == "finished"


# The end of the orchestrator


@pytest.fixture
def building(tiny: Tree, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run whose NEST is in the middle of a call that lasts for hours."""
    own_network(tiny, "builds_for_hours")
    path, root = write_experiment(tmp_path, tiny), tmp_path / "building"
    with running("run", path, "--out", root, cwd=tmp_path) as process:
        eventually((tmp_path / "NEST-builds").exists, "NEST")
        yield process, root


@pytest.fixture
def computing(long: Tree, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run that has computed some windows."""
    path, root = write_experiment(tmp_path, long), tmp_path / "computing"
    with running("run", path, "--out", root, cwd=tmp_path) as process:
        eventually(lambda: recorded_windows(root, "tvb") >= 3, "windows")
        yield process, root


@pytest.mark.parametrize("phase", ["building", "computing"])
def test_nobody_outlives_a_killed_orchestrator(phase: str, request: pytest.FixtureRequest) -> None:
    process, root = request.getfixturevalue(phase)
    assert processes_of(root)
    killed_s = time.monotonic()
    process.kill()
    eventually(lambda: not processes_of(root), "the end of the participants")
    elapsed_s = time.monotonic() - killed_s
    print(f"everybody gone {elapsed_s:.2f} s after the orchestrator, {phase}")
    assert elapsed_s < HANG_S
    if phase == "computing":
        with open_run(root) as run:
            assert run.records.complete_windows >= 1
        # What is left can be turned into results by hand.
        assert runner.make_report(root).is_file()


# Ended by the user


def check_interrupted(process: subprocess.Popen[str], root: Path) -> dict[str, Any]:
    output, errors = process.communicate(timeout=100)
    assert process.returncode == EXIT_INTERRUPTED, output + errors
    # At once, and not again when figures have been drawn.
    assert 0 < output.index("interrupted") < output.index("Writing the results")
    assert output.count("interrupted") == 1
    assert "Traceback" not in output + errors
    assert processes_of(root) == {}
    told = provenance_of(root)
    assert (told["outcome"], told["exit_code"]) == ("interrupted", EXIT_INTERRUPTED)
    assert RunLayout(root).report.is_file()
    return told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_all_at_the_same_window_and_keeps_everything(
    computing: tuple[subprocess.Popen[str], Path], number: signal.Signals
) -> None:
    process, root = computing
    process.send_signal(number)
    told = check_interrupted(process, root)
    windows = {role: recorded_windows(root, role) for role in ("tvb", "nest", "translator")}
    assert set(windows.values()) == {told["windows_done"]}, windows
    with open_run(root) as run:
        assert 3 <= told["windows_done"] < run.plan.grid.window_count
        assert run.tvb.sizes["time_Raw"] == told["windows_done"] * run.plan.window_ticks


def test_a_closed_terminal_ends_a_run_and_its_results_are_kept(
    computing: tuple[subprocess.Popen[str], Path],
) -> None:
    """Nobody is there to read, and closing may send the signal twice."""
    process, root = computing
    assert process.stdout is not None
    process.stdout.close()
    for _ in range(2):
        process.send_signal(signal.SIGHUP)
    assert process.stderr is not None
    errors = process.stderr.read()
    assert (process.wait(100), errors) == (EXIT_INTERRUPTED, "")
    told = provenance_of(root)
    assert told["cause"] == "interrupted since its terminal was closed"
    with open_run(root) as run:
        assert told["windows_done"] >= 3
        assert run.tvb.sizes["time_Raw"] == told["windows_done"] * run.plan.window_ticks
    assert processes_of(root) == {}


def test_a_second_ctrl_c_ends_at_once(computing: tuple[subprocess.Popen[str], Path]) -> None:
    """Even a participant that cannot come to the end of its window is not waited for."""
    process, root = computing
    processes_of(root)["nest_service"][0].send_signal(signal.SIGSTOP)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert check_interrupted(process, root)["windows_done"] >= 1


def test_ctrl_c_while_building(building: tuple[subprocess.Popen[str], Path]) -> None:
    process, root = building
    process.send_signal(signal.SIGINT)
    assert check_interrupted(process, root)["windows_done"] == 0


def test_ctrl_c_while_validating(tiny: Tree, tmp_path: Path) -> None:
    own_network(tiny, "builds_for_hours")
    path = write_experiment(tmp_path, tiny)
    # A NEST with MPI that another test has imported here keeps a daemon of OpenMPI's.
    before = psutil.Process().children(recursive=True)
    with running("validate", path, cwd=tmp_path) as process:
        eventually((tmp_path / "NEST-builds").exists, "NEST")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=100)
    assert process.returncode == EXIT_INTERRUPTED, output + errors
    assert "Traceback" not in output + errors
    assert psutil.Process().children(recursive=True) == before


# Disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", 10 * MIB) as folder:
        yield folder


def test_a_full_disk_is_told_and_the_windows_before_are_kept(small_disk: Path, long: Tree) -> None:
    long["duration_ms"] = 1000.0
    filler = small_disk / "filler"

    def fill(coordinator: Coordinator) -> None:
        with filler.open("wb", buffering=0) as file:
            for size in (1 << 16, 1):
                while True:
                    try:
                        file.write(bytes(size))
                    except OSError:
                        break

    root = small_disk / "full"
    with pytest.raises(RunDirectoryError) as caught:
        carry_out(long, root, once(lambda c: c.windows >= 3, fill))
    message = str(caught.value)
    assert "the run failed: " in message
    assert "cannot write window" in message
    assert ".journal: " in message
    assert "No space left on device" in message
    assert f"cosim report {root}" in message
    assert processes_of(root) == {}
    filler.unlink()
    assert runner.make_report(root).is_file()
    with open_run(root) as run:
        assert run.records.complete_windows >= 1
        assert run.tvb.sizes["time_Raw"] == run.records.complete_windows * run.plan.window_ticks


def test_results_that_cannot_be_written_hide_no_finished_run(tiny: Tree, tmp_path: Path) -> None:
    root = tmp_path / "blocked"
    obstacle = RunLayout(root).spikes

    def block(coordinator: Coordinator) -> None:
        obstacle.mkdir()

    with pytest.raises(RunDirectoryError) as caught:
        carry_out(tiny, root, once(lambda c: c.is_running, block))
    assert str(caught.value).startswith("the run finished\nIts results could not be completed: ")
    assert f"cannot write {obstacle}" in str(caught.value)
    assert provenance_of(root)["outcome"] == "finished"
    obstacle.rmdir()
    assert runner.make_report(root).is_file()
    assert obstacle.is_file()


def test_participants_that_cannot_be_started(
    tiny: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*arguments: Any) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(LocalProcesses, "start", start)
    finished = carry_out(tiny, tmp_path / "unborn", lambda coordinator: None)
    assert (finished.outcome.kind, finished.exit_code) == ("failed", EXIT_FAILED)
    assert finished.outcome.cause == (
        "the participants cannot be started: [Errno 11] Resource temporarily unavailable"
    )
    assert provenance_of(finished.root)["windows_done"] == 0
    # Nothing was computed: there are no results that a digest could stand for.
    assert (finished.digest, provenance_of(finished.root)["digest"]) == (None, None)
    console = Console(record=True, file=io.StringIO())
    with open_run(finished.root) as run:
        show_finished(console, finished, run)
    assert "failed" in (said := console.export_text())
    assert "digest" not in said


# Strangers


def test_strangers_at_the_sockets_disturb_nothing(
    run: Callable[..., Any], run_here: Callable[..., Any], tiny: Tree
) -> None:
    expected = run_here(tiny).digest
    context = zmq.Context()
    sockets: list[zmq.Socket[bytes]] = []
    garbage = [
        [b""],
        [b"\xff" * 50],
        [b"OPEN"],
        [b"COSIM", b"\xc1"],
        [b"COSIM", b"\x81\xa4kind\xa5hello"],
        [b"a", b"b", b"c", bytes(100_000)],
    ]

    def knock(coordinator: Coordinator) -> None:
        data = coordinator._data_endpoint
        for endpoint in (data, data.replace("/data", "/control")):
            for identity in (b"", b"tvb-7", b"\xfe\xff"):
                socket = context.socket(zmq.DEALER)
                socket.setsockopt(zmq.LINGER, 0)
                if identity:
                    socket.setsockopt(zmq.IDENTITY, identity)
                socket.connect(endpoint)
                sockets.append(socket)
                for frames in garbage:
                    socket.send_multipart(frames)

    try:
        ran = run(tiny, observe=once(lambda c: c.is_running, knock))
    finally:
        for socket in sockets:
            socket.close()
        context.term()
    assert len(sockets) == 6
    assert (ran.outcome.kind, ran.outcome.cause) == ("finished", "")
    assert ran.digest == expected
