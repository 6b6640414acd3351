"""Who carries out the runs of a server: processes of this machine, or agents."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Protocol

from tvb_nest_cosim.cosim_core.wire.protocol import LAUNCH_ORDER
from tvb_nest_cosim.orchestrator.launchers.sites import HERE, Place, listen_to_agents
from tvb_nest_cosim.orchestrator.planning.plan import Planned
from tvb_nest_cosim.orchestrator.run import runner
from tvb_nest_cosim.orchestrator.run.control import RunControl
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.server.schemas import AgentAnswer

_DISTRIBUTIONS = {"nest": "nest-simulator", "tvb": "tvb-library", "translator": "tvb-nest-cosim"}


class Ensemble(Protocol):
    """Carries out runs, one at a time."""

    @property
    def launcher(self) -> str:
        """``local`` or ``attach``."""

    @property
    def place(self) -> Place:
        """Where they take place."""

    def agents(self, busy: bool) -> list[AgentAnswer]:
        """Describes what can play each role.

        Args:
            busy: Whether a run goes on.
        """

    def run(
        self,
        planned: Planned,
        *,
        observe: Callable[[Coordinator], None],
        control: RunControl,
        tell: Callable[[str], None],
    ) -> runner.Finished:
        """Carries out a plan, as :func:`orchestrator.run.runner.run` does."""

    def close(self) -> None:
        """Releases what was opened."""


class _Running:
    """Runs plans at a place."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def run(
        self,
        planned: Planned,
        *,
        observe: Callable[[Coordinator], None],
        control: RunControl,
        tell: Callable[[str], None],
    ) -> runner.Finished:
        """Carries out a plan."""
        return runner.run(
            planned,
            command=["cosim", "serve"],
            observe=observe,
            control=control,
            tell=tell,
            place=self.place,
        )


class LocalEnsemble(_Running):
    """Simulators are processes of this machine."""

    launcher = "local"

    def __init__(self) -> None:
        super().__init__(HERE)

    def agents(self, busy: bool) -> list[AgentAnswer]:
        """Describes this machine, once per role that is installed."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        found = []
        for role in LAUNCH_ORDER:
            try:
                versions = {_DISTRIBUTIONS[role]: metadata.version(_DISTRIBUTIONS[role])}
            except metadata.PackageNotFoundError:
                continue
            found.append(
                AgentAnswer(
                    role=role,
                    host=platform.node(),
                    versions=versions,
                    cores=os.cpu_count(),
                    memory_bytes=memory,
                    mpi=role == "nest" and shutil.which("mpirun") is not None,
                    busy=busy,
                )
            )
        return found

    def close(self) -> None:
        """Releases nothing: every run closes its own site."""


class AttachedEnsemble(_Running):
    """Simulators are started by agents, in other containers or on other machines.

    Args:
        endpoint: Where agents connect.
        keys: Folder of keys; none: agents must be on this machine.
    """

    launcher = "attach"

    def __init__(self, endpoint: str, keys: Path | None) -> None:
        self._hub, place = listen_to_agents(endpoint, keys)
        super().__init__(place)

    def agents(self, busy: bool) -> list[AgentAnswer]:
        """Describes the agents that are there."""
        return [
            AgentAnswer(
                role=agent.here.role,
                host=agent.here.host,
                versions=agent.here.versions,
                cores=agent.here.cores,
                memory_bytes=agent.here.memory_bytes,
                mpi=agent.here.mpi,
                busy=agent.here.run is not None,
            )
            for agent in self._hub.agents()
        ]

    def close(self) -> None:
        """Stops listening to agents."""
        self._hub.close()
