"""Processes that agents start, in other containers or on other machines."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault, ParticipantLost, SecurityError
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.processes.host import Host
from tvb_nest_cosim.cosim_core.processes.process_group import Exit
from tvb_nest_cosim.cosim_core.processes.process_state import ProcessState
from tvb_nest_cosim.cosim_core.wire.agent_protocol import Launch
from tvb_nest_cosim.cosim_core.wire.keys import Keys, load_keys
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES, Role
from tvb_nest_cosim.cosim_core.wire.zmq_transport import ZmqTransport
from tvb_nest_cosim.orchestrator.launchers.agent_hub import Agent, AgentHub, Work
from tvb_nest_cosim.orchestrator.launchers.base import EVERYWHERE, Processes, programs_by_role

AWAIT_S = 15.0
"""How long a run waits for agents that are not there yet."""

_THIS_HOST_ONLY = "tcp://127.0.0.1:*"
_POLL_S = 0.05


class AgentsLauncher:
    """Listens to agents, which start the participants of runs.

    Args:
        endpoint: Where agents connect, ``tcp://ADDRESS:PORT``.
        key_folder: Folder of keys; none: agents must be on this machine.

    Raises:
        ExperimentError: If the endpoint cannot be listened at.
        SecurityError: If the keys cannot be used.
    """

    name = "agents"
    is_here = False

    def __init__(self, endpoint: str, key_folder: Path | None) -> None:
        self._keys = load_keys(key_folder, "orchestrator") if key_folder is not None else None
        transport = ZmqTransport(self._keys)
        try:
            self.hub = AgentHub(transport, endpoint)
        except (ParticipantLost, SecurityError) as error:
            transport.close()
            raise ExperimentError.single("--orchestrator", str(error)) from error

    def open(self, plan: RunPlan) -> AgentProcesses:
        """Prepares the processes of a run; none is started yet."""
        return AgentProcesses(plan, self.hub, self._keys)

    def hosts(self, *, is_busy: bool) -> list[tuple[Host, bool]]:
        """Describes the agents that are there, and whether each takes part in a run."""
        heres = [agent.here for agent in self.hub.agents()]
        about = {"kind", "version", "run"}
        return [(Host(**here.model_dump(exclude=about)), here.run is not None) for here in heres]

    def close(self) -> None:
        """Stops listening to agents; they keep trying to reconnect."""
        self.hub.close()


class AgentProcesses(Processes):
    """The workers of one run, started and watched by agents.

    With keys, sockets are bound on every interface; without, on loopback alone.

    Args:
        plan: Plan of the run; its directory has the same path for every agent.
        hub: Knows the agents.
        keys: Keys of the sockets.
    """

    def __init__(self, plan: RunPlan, hub: AgentHub, keys: Keys | None) -> None:
        endpoint = EVERYWHERE if keys is not None else _THIS_HOST_ONLY
        super().__init__(plan, ZmqTransport(keys), endpoint, endpoint)
        self._hub = hub
        self._work: list[Work] = []

    def start(self, control: str) -> None:
        """Asks one free agent per role.

        Raises:
            ExperimentError: If no agent of some role is free in time.
        """
        plan = self.plan
        programs = programs_by_role(plan)
        for role, agent in self._choose(list(programs), Deadline.after(AWAIT_S)).items():
            names = tuple(name for program in programs[role] for name in program.names)
            message = Launch(
                run=plan.run,
                digest=plan.experiment_digest,
                control=control,
                ranks=len(names),
                kernels=len(programs[role]),
                run_dir=plan.run_dir,
            )
            self._work.append(self._hub.launch(agent, names, message))

    def _ended(self) -> list[Exit]:
        return [gone for work in self._work for gone in self._ended_of(work)]

    def _ended_of(self, work: Work) -> Iterator[Exit]:
        while work.ended:
            report = work.ended.popleft()
            yield Exit(tuple(report.names), report.how, report.is_consequence, report.last_words)
        if not work.all_gone and self._hub.is_gone(work.agent):
            work.all_gone = True
            how = f"was lost: its agent {work.agent} is not heard any more"
            yield Exit(work.names, how, is_consequence=False, last_words="")

    def look(self, reported: Mapping[str, tuple[str, int]]) -> dict[str, ProcessState]:
        """Has the agents look; what they answer is returned by the next call."""
        seen: dict[str, ProcessState] = {}
        for work in self._work:
            pids = {name: reported[name][1] for name in work.names if name in reported}
            if pids:
                seen |= self._hub.look(work, self.plan.run, pids)
        return seen

    def stop(self, grace_s: float) -> None:
        """Has the agents end their workers; waits five seconds beyond the grace for the answer."""
        for work in self._work:
            self._hub.end(work, self.plan.run, grace_s)
        deadline = Deadline.after(grace_s + 5.0)
        while not deadline.passed() and not all(
            work.all_gone or self._hub.is_gone(work.agent) for work in self._work
        ):
            time.sleep(_POLL_S)
        for work in self._work:
            self._hub.forget(work, self.plan.run)

    def _choose(self, roles: list[Role], deadline: Deadline) -> dict[Role, Agent]:
        while True:
            chosen = {role: agent for role in roles if (agent := self._hub.free(role)) is not None}
            missing = [role for role in roles if role not in chosen]
            if not missing:
                return chosen
            if deadline.passed():
                raise ExperimentError(map(self._missing, missing))
            time.sleep(_POLL_S)

    def _missing(self, role: Role) -> Fault:
        there = ", ".join(sorted(agent.name for agent in self._hub.agents())) or "none"
        return Fault(
            "resources",
            f"no free agent for {role} at {self._hub.endpoint}; agents there: {there}. "
            f"Start one with: python -P -m {MODULES[role]} agent --orchestrator ENDPOINT",
        )
