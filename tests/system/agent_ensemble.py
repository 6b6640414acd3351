"""A hub and the agents that call it, as tests use them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.model.experiment import parse
from tvb_nest_cosim.cosim_core.results import collect, complete
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.plan_file import write_plan
from tvb_nest_cosim.cosim_core.wire.keys import Keys, load_keys
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES
from tvb_nest_cosim.cosim_core.wire.zmq_transport import ZmqTransport
from tvb_nest_cosim.orchestrator.launchers.agent_hub import AgentHub
from tvb_nest_cosim.orchestrator.launchers.agents import AgentProcesses
from tvb_nest_cosim.orchestrator.planning.plan import plan_run
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.run.peers import Outcome
from tvb_nest_cosim.orchestrator.run.session import Session

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
            [sys.executable, "-P", "-m", MODULES[role], "agent", "--orchestrator", self.reach()],  # type: ignore[index]
            env=self.environment,
        )

    def reach(self) -> str:
        port = self.hub.endpoint.rsplit(":", 1)[1]
        return f"tcp://127.0.0.1:{port}"

    def workers(self) -> list[list[psutil.Process]]:
        """Returns the processes that agents have started, by agent.

        Without those that a worker starts for a moment, as Python's ``platform`` does (``uname``),
        which packages ask as they are imported.
        """
        agents = [psutil.Process(process.pid) for process in self.processes.values()]
        return [agent.children() for agent in agents]

    def await_free(self, *roles: str) -> None:
        deadline = Deadline.after(WAIT_S)
        while not all(self.hub.free(role) for role in roles):
            assert not deadline.passed(), [a.here for a in self.hub.agents()]
            time.sleep(0.05)

    def run(
        self, tree: dict[str, Any], root: Path, observe: Callable[[Coordinator], None]
    ) -> Outcome:
        plan = plan_run(parse(tree), root.parent, root).plan
        RunLayout(root).make()
        session = Session(plan, AgentProcesses(plan, self.hub, self.keys), observe=observe)
        outcome, _ = session.run()
        write_plan(root, plan, session.coordinator.built())
        complete(root, make=collect)
        return outcome


def agent_ensemble(tmp_path: Path, keys: Path | None) -> Iterator[Ensemble]:
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


def nothing(coordinator: Coordinator) -> None:
    """Observes nothing."""
