"""A launcher is where the processes of runs come from; it opens the processes of run after run."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.processes.host import Host
from tvb_nest_cosim.cosim_core.processes.process_group import Exit, causes_first
from tvb_nest_cosim.cosim_core.processes.process_state import ProcessState, look_at
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.wire.protocol import LAUNCH_ORDER, Program, Role, programs_of
from tvb_nest_cosim.cosim_core.wire.transport import Transport

EVERYWHERE = "tcp://0.0.0.0:*"
"""Endpoint on every network interface, at a port that the system chooses."""


class Processes(ABC):
    """The processes of one run, and the sockets by which they are reached.

    Args:
        plan: Plan of the run; its folders exist.
        transport: Makes the orchestrator's sockets; closed with this object.
        control_endpoint: Where the orchestrator binds.
        data_endpoint: Where the translator binds.
    """

    def __init__(
        self, plan: RunPlan, transport: Transport, control_endpoint: str, data_endpoint: str
    ) -> None:
        self.plan = plan
        self.layout = RunLayout(Path(plan.run_dir))
        self.transport = transport
        self.control_endpoint = control_endpoint
        self.data_endpoint = data_endpoint

    @abstractmethod
    def start(self, control: str) -> None:
        """Starts every participant.

        Args:
            control: How they reach the orchestrator.

        Raises:
            ExperimentError: If nobody is there to start them.
            OSError: If this machine cannot start them.
        """

    def poll(self) -> list[Exit]:
        """Returns the processes that ended since the last call, causes before consequences."""
        return causes_first(self._ended())

    @abstractmethod
    def _ended(self) -> Iterable[Exit]:
        """Returns the processes that ended since the last call, in any order."""

    def look(self, reported: Mapping[str, tuple[str, int]]) -> dict[str, ProcessState]:
        """Looks at processes without waiting for anything: at those of this host.

        Args:
            reported: Host and process id by participant, as it said; ``("", 0)`` before.

        Returns:
            What was seen, perhaps a moment ago, by participant, without those that cannot be seen.
        """
        here = socket.gethostname()
        return look_at({name: pid for name, (host, pid) in reported.items() if host == here})

    @abstractmethod
    def stop(self, grace_s: float) -> None:
        """Waits ``grace_s`` for the processes to leave, then ends them."""

    def close(self) -> None:
        """Closes the sockets and removes what belongs to them; the processes have ended before."""
        self.transport.close()


class Launcher(Protocol):
    """Where the processes of runs come from: this machine, agents or a batch script.

    Attributes:
        name: ``local``, ``agents`` or ``job``.
        is_here: Whether this machine must offer what a run needs: sockets, mpirun, simulators.
    """

    name: str
    is_here: bool

    def open(self, plan: RunPlan) -> Processes:
        """Prepares the processes of a run; none is started yet."""
        ...

    def hosts(self, *, is_busy: bool) -> list[tuple[Host, bool]]:
        """Describes what can play each role, and whether it takes part in a run.

        Args:
            is_busy: Whether a run goes on that this launcher has opened.
        """
        ...

    def close(self) -> None:
        """Releases what serves all runs."""
        ...


def programs_by_role(plan: RunPlan) -> dict[Role, list[Program]]:
    """Returns the programs of a run by role, in the order in which they are started."""
    return {
        role: programs_of(role, ranks, plan.nest_kernels if role == "nest" else 1)
        for role in LAUNCH_ORDER
        if (ranks := plan.participants.get(role, 0))
    }
