"""Agents: workers started for a distant orchestrator, in the clear on loopback and with keys."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from cosim_core.deadline import Deadline
from cosim_core.ensemble import plan_file
from cosim_core.experiment import parse
from cosim_core.layout import RunLayout, write_atomically
from cosim_core.protocol import MODULES
from cosim_core.results import collect, digest
from cosim_core.security import Keys, load_keys, new_keys
from cosim_core.transport_zmq import ZmqTransport
from orchestrator.agents import AgentHub
from orchestrator.coordinator import Coordinator
from orchestrator.peers import Outcome
from orchestrator.runner import prepare
from orchestrator.session import Session
from orchestrator.sites import attached_site

WAIT_S = 60.0


@dataclass
class Ensemble:
    """A hub and three agents in processes of their own."""

    hub: AgentHub
    keys: Keys | None
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def start(self, role: str) -> None:
        self.processes[role] = subprocess.Popen(
            [sys.executable, "-m", MODULES[role], "agent", "--orchestrator", self.reach()],  # type: ignore[index]
            env=self.environment,
        )

    def reach(self) -> str:
        port = self.hub.endpoint.rsplit(":", 1)[1]
        return f"tcp://127.0.0.1:{port}"

    def await_free(self, *roles: str) -> None:
        deadline = Deadline.after(WAIT_S)
        while not all(self.hub.free(role) for role in roles):
            assert not deadline.passed(), [a.here for a in self.hub.agents()]
            time.sleep(0.05)

    def run(
        self, tree: dict[str, Any], root: Path, observe: Callable[[Coordinator], None]
    ) -> Outcome:
        plan = prepare(parse(tree), root.parent, root).plan
        RunLayout(root).make()
        session = Session(plan, attached_site(self.hub, self.keys, plan), observe=observe)
        outcome, _ = session.run()
        write_atomically(RunLayout(root).plan, plan_file(plan, session.coordinator.built()))
        collect(root)
        return outcome


def make(tmp_path: Path, keys: Path | None) -> Iterator[Ensemble]:
    environment = {**os.environ, "COSIM_ADVERTISE": "127.0.0.1"}
    own = None
    if keys is not None:
        environment["COSIM_KEYS"] = str(keys)
        own = load_keys(keys, "orchestrator")
    lines: list[str] = []
    endpoint = "tcp://127.0.0.1:*" if own is None else "tcp://0.0.0.0:*"
    hub = AgentHub(ZmqTransport(own), endpoint, lambda run, new: lines.extend(new))
    ensemble = Ensemble(hub, own, environment, lines=lines)
    for role in MODULES:
        ensemble.start(role)
    yield ensemble
    for process in ensemble.processes.values():
        process.terminate()
    for process in ensemble.processes.values():
        process.wait(WAIT_S)
    hub.close()


@pytest.fixture
def ensemble(tmp_path: Path) -> Iterator[Ensemble]:
    yield from make(tmp_path, None)


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ensemble]:
    monkeypatch.setenv("COSIM_ADVERTISE", "127.0.0.1")
    new_keys(tmp_path / "keys")
    yield from make(tmp_path, tmp_path / "keys")


def nothing(coordinator: Coordinator) -> None:
    pass


def test_runs_one_after_another_give_the_local_digest(
    ensemble: Ensemble, tiny: dict[str, Any], tmp_path: Path, finished: Callable[..., Any]
) -> None:
    tiny["duration_ms"] = 20.0
    expected = finished(tiny).digest
    ensemble.await_free(*MODULES)
    children = []
    for number in range(2):
        root = tmp_path / f"attached-{number}"
        outcome = ensemble.run(tiny, root, nothing)
        assert outcome.kind == "finished", outcome
        assert digest(root) == expected
        ensemble.await_free(*MODULES)
        agents = [psutil.Process(p.pid) for p in ensemble.processes.values()]
        children.append([len(agent.children(recursive=True)) for agent in agents])
    assert children == [[0, 0, 0], [0, 0, 0]]


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


def test_keys_open_and_strangers_stay_outside(
    guarded: Ensemble, tiny: dict[str, Any], tmp_path: Path
) -> None:
    """With keys everything works; without a listed key nothing gets in or disturbs."""
    tiny["duration_ms"] = 20.0
    guarded.await_free(*MODULES)
    context = zmq.Context()
    plain = context.socket(zmq.DEALER)
    plain.connect(guarded.reach())
    unlisted = context.socket(zmq.DEALER)
    unlisted.curve_publickey, unlisted.curve_secretkey = zmq.curve_keypair()
    unlisted.curve_serverkey = guarded.keys.public  # type: ignore[union-attr]
    unlisted.connect(guarded.reach())
    try:
        for stranger in (plain, unlisted):
            for _ in range(200):
                # Whoever is turned away at the door soon has nowhere to send to.
                with suppress(zmq.Again):
                    stranger.send_multipart([b"COSIM", b"garbage"], zmq.NOBLOCK)
        before = {agent.name for agent in guarded.hub.agents()}
        assert guarded.run(tiny, tmp_path / "guarded", nothing).kind == "finished"
        assert {agent.name for agent in guarded.hub.agents()} == before
        assert not plain.poll(200)
        assert not unlisted.poll(200)
    finally:
        context.destroy(linger=0)


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
