"""Who carries out the runs of a server: processes of this machine, or agents."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Protocol

from cosim_core.protocol import LAUNCH_ORDER
from cosim_core.security import load_keys
from cosim_core.transport_zmq import ZmqTransport
from orchestrator import runner
from orchestrator.agents import AgentHub
from orchestrator.api.schemas import AgentAnswer
from orchestrator.control import RunControl
from orchestrator.coordinator import Coordinator
from orchestrator.sites import OpenSite, attached_site, local_site

_DISTRIBUTIONS = {"nest": "nest-simulator", "tvb": "tvb-library", "translator": "tvb-nest-cosim"}


class Ensemble(Protocol):
    """Carries out runs, one at a time."""

    @property
    def launcher(self) -> str:
        """``local`` or ``attach``."""

    @property
    def is_here(self) -> bool:
        """Whether this machine must offer what a run needs."""

    def agents(self, busy: bool) -> list[AgentAnswer]:
        """Describes what can play each role.

        Args:
            busy: Whether a run goes on.
        """

    def run(
        self,
        prepared: runner.Prepared,
        *,
        observe: Callable[[Coordinator], None],
        control: RunControl,
        tell: Callable[[str], None],
    ) -> runner.Finished:
        """Carries out a plan, as :func:`orchestrator.runner.run` does."""

    def close(self) -> None:
        """Releases what was opened."""


class _Running:
    """Runs plans where ``open_site`` says."""

    def __init__(self, open_site: OpenSite) -> None:
        self._open_site = open_site

    def run(
        self,
        prepared: runner.Prepared,
        *,
        observe: Callable[[Coordinator], None],
        control: RunControl,
        tell: Callable[[str], None],
    ) -> runner.Finished:
        """Carries out a plan."""
        return runner.run(
            prepared,
            command=["cosim", "serve"],
            observe=observe,
            control=control,
            tell=tell,
            open_site=self._open_site,
        )


class LocalEnsemble(_Running):
    """Simulators are processes of this machine."""

    launcher = "local"
    is_here = True

    def __init__(self) -> None:
        super().__init__(local_site)

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
    is_here = False

    def __init__(self, endpoint: str, keys: Path | None) -> None:
        loaded = load_keys(keys, "orchestrator") if keys is not None else None
        self._hub = AgentHub(ZmqTransport(loaded), endpoint)
        super().__init__(partial(attached_site, self._hub, loaded))

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
