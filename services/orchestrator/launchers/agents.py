"""Leaves the start of participants to agents, in other containers or on other machines."""

from __future__ import annotations

import time
from collections.abc import Mapping

from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.processes.process_group import Exit
from tvb_nest_cosim.cosim_core.wire.agent_protocol import Launch
from tvb_nest_cosim.cosim_core.wire.protocol import LAUNCH_ORDER, MODULES, Role, peer_name
from tvb_nest_cosim.orchestrator.launchers.agent_hub import Agent, AgentHub, Work

AWAIT_S = 15.0
"""How long a run waits for agents that are not there yet."""

_POLL_S = 0.05


class AttachLauncher:
    """The workers of one run, started and watched by agents.

    Args:
        hub: Knows the agents.
        participants: Processes by role.
        run_dir: Run directory, the same path for everybody.
        nest_kernels: How many NESTs share the ranks of that role.
    """

    def __init__(
        self, hub: AgentHub, participants: Mapping[str, int], run_dir: str, nest_kernels: int = 1
    ) -> None:
        self._hub = hub
        self._participants = participants
        self._run_dir = run_dir
        self._kernels = {"nest": nest_kernels}
        self._run = ""
        self._work: list[Work] = []

    def start(self, control: str, run: str, digest: str) -> None:
        """Asks one free agent per role.

        Raises:
            ExperimentError: If no agent of some role is free in time.
        """
        self._run = run
        chosen = self._choose(Deadline.after(AWAIT_S))
        for role, agent in chosen.items():
            ranks = self._participants[role]
            names = tuple(peer_name(role, rank) for rank in range(ranks))
            message = Launch(
                run=run,
                digest=digest,
                control=control,
                ranks=ranks,
                kernels=self._kernels.get(role, 1),
                run_dir=self._run_dir,
            )
            self._work.append(self._hub.launch(agent, names, message))

    def poll(self) -> list[Exit]:
        """Returns the processes that ended since the last call, causes before consequences."""
        exits = []
        for work in self._work:
            while work.ended:
                report = work.ended.popleft()
                exits.append(
                    Exit(
                        tuple(report.names),
                        report.how,
                        is_consequence=report.is_consequence,
                        last_words=report.last_words,
                    )
                )
            if not work.all_gone and self._hub.is_gone(work.agent):
                work.all_gone = True
                how = f"was lost: its agent {work.agent} is not heard any more"
                exits.append(Exit(work.names, how, is_consequence=False, last_words=""))
        return sorted(exits, key=lambda gone: gone.is_consequence)

    def stop(self, grace_s: float) -> None:
        """Sees that every worker ends, waiting no longer than is sensible for agents to answer."""
        for work in self._work:
            self._hub.end(work, self._run, grace_s)
        deadline = Deadline.after(grace_s + 5.0)
        while not deadline.passed() and not all(
            work.all_gone or self._hub.is_gone(work.agent) for work in self._work
        ):
            time.sleep(_POLL_S)
        for work in self._work:
            self._hub.forget(work, self._run)

    def _choose(self, deadline: Deadline) -> dict[Role, Agent]:
        while True:
            roles = [role for role in LAUNCH_ORDER if self._participants.get(role)]
            chosen = {role: self._hub.free(role) for role in roles}
            missing = [role for role, agent in chosen.items() if agent is None]
            if not missing:
                return {role: agent for role, agent in chosen.items() if agent is not None}
            if deadline.passed():
                there = ", ".join(sorted(a.name for a in self._hub.agents())) or "none"
                raise ExperimentError(
                    Fault(
                        "resources",
                        f"no free agent for {role} at {self._hub.endpoint}; agents there: {there}. "
                        f"Start one with: python -m {MODULES[role]} agent --orchestrator ENDPOINT",
                    )
                    for role in missing
                )
            time.sleep(_POLL_S)
