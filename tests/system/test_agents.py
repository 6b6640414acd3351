"""Agents: workers started for a distant orchestrator, run after run."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from system.agent_ensemble import WAIT_S, Ensemble, nothing
from system.trouble import eventually
from tvb_nest_cosim.cosim_core.results import digest
from tvb_nest_cosim.cosim_core.wire.keys import load_keys, new_keys
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator


def test_runs_one_after_another_give_the_local_digest(
    ensemble: Ensemble, tiny: dict[str, Any], tmp_path: Path, finished_here: Callable[..., Any]
) -> None:
    tiny["duration_ms"] = 20.0
    expected = finished_here(tiny).digest
    ensemble.await_free(*MODULES)
    for number in range(2):
        waiting = ensemble.workers()
        seen: set[psutil.Process] = set()
        root = tmp_path / f"attached-{number}"
        outcome = ensemble.run(tiny, root, lambda _, s=seen: s.update(*ensemble.workers()))
        assert outcome.kind == "finished", outcome
        assert digest(root) == expected
        assert [len(processes) for processes in waiting] == [1, 1, 1]
        assert seen == {process for processes in waiting for process in processes}
        ensemble.await_free(*MODULES)
        assert not any(process.is_running() for process in seen), "every run has its own workers"


def test_waiting_workers_that_die_are_done_without(
    ensemble: Ensemble, tiny: dict[str, Any], tmp_path: Path
) -> None:
    ensemble.await_free(*MODULES)
    killed = [process for processes in ensemble.workers() for process in processes]
    for process in killed:
        process.kill()
    # Their agents notice when they want to use them, and have not buried them until then.
    dead = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    eventually(lambda: all(process.status() in dead for process in killed), "their end")
    tiny["duration_ms"] = 10.0
    outcome = ensemble.run(tiny, tmp_path / "cold", nothing)
    assert outcome.kind == "finished", outcome


def test_waiting_workers_end_with_their_agent(ensemble: Ensemble) -> None:
    ensemble.await_free(*MODULES)
    waiting = [process for processes in ensemble.workers() for process in processes]
    assert len(waiting) == len(MODULES)
    for agent, number in zip(
        ensemble.processes.values(), (signal.SIGKILL, signal.SIGTERM, signal.SIGINT), strict=True
    ):
        agent.send_signal(number)
    assert psutil.wait_procs(waiting, WAIT_S)[1] == []


def kill_worker(ensemble: Ensemble, role: str, coordinator: Coordinator) -> None:
    """Kills the worker of a role once some windows are done."""
    if coordinator.is_running and coordinator.windows >= 3:
        for child in psutil.Process(ensemble.processes[role].pid).children(recursive=True):
            child.send_signal(signal.SIGKILL)


def kill_agent(ensemble: Ensemble, role: str, coordinator: Coordinator) -> None:
    """Kills an agent, and with it (they are on its leash) its workers."""
    if coordinator.is_running and coordinator.windows >= 3:
        ensemble.processes[role].kill()


def test_a_killed_worker_and_a_killed_agent_are_named_and_replaced(
    ensemble: Ensemble, tiny: dict[str, Any], tmp_path: Path
) -> None:
    tiny["duration_ms"] = 1000.0
    ensemble.await_free(*MODULES)
    outcome = ensemble.run(tiny, tmp_path / "worker", partial(kill_worker, ensemble, "tvb"))
    assert outcome.kind == "failed"
    assert "tvb-0 was killed by signal 9" in outcome.cause

    ensemble.await_free(*MODULES)
    outcome = ensemble.run(tiny, tmp_path / "agent", partial(kill_agent, ensemble, "nest"))
    assert outcome.kind == "failed"
    assert "nest-0" in outcome.cause

    ensemble.processes["nest"].wait(WAIT_S)
    ensemble.start("nest")
    ensemble.await_free(*MODULES)
    tiny["duration_ms"] = 10.0
    assert ensemble.run(tiny, tmp_path / "again", nothing).kind == "finished"


def test_keys_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    for path in new_keys(folder):
        assert path.stat().st_mode & 0o077 == 0
    keys = load_keys(folder, "tvb")
    assert keys.secret.decode() not in repr(keys)
    shutil.copy(folder / "tvb.key_secret", folder / "copy")
    (folder / "tvb.key_secret").chmod(0o644)
    with pytest.raises(Exception, match="chmod 600"):
        load_keys(folder, "tvb")
