"""Processes of this machine, of which none outlives its run."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata

from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.processes.commands import worker_command, worker_environment
from tvb_nest_cosim.cosim_core.processes.host import Host, this_host
from tvb_nest_cosim.cosim_core.processes.mpi import find_starter
from tvb_nest_cosim.cosim_core.processes.process_group import Exit, ProcessGroup
from tvb_nest_cosim.cosim_core.processes.process_state import ProcessState, look_at
from tvb_nest_cosim.cosim_core.processes.scratch import ScratchFolder
from tvb_nest_cosim.cosim_core.wire.protocol import LAUNCH_ORDER
from tvb_nest_cosim.cosim_core.wire.zmq_transport import ZmqTransport
from tvb_nest_cosim.orchestrator.launchers.base import Processes, programs_by_role
from tvb_nest_cosim.orchestrator.launchers.endpoints import (
    control_endpoint,
    data_endpoint,
    make_socket_folder,
)


class LocalLauncher:
    """Starts participants as child processes; their sockets lie in a private folder."""

    name = "local"
    is_here = True

    def open(self, plan: RunPlan) -> LocalProcesses:
        """Prepares the processes of a run; none is started yet."""
        return LocalProcesses(plan, make_socket_folder())

    def hosts(self, *, is_busy: bool) -> list[tuple[Host, bool]]:
        """Describes this machine, once per role whose packages are installed."""
        found = []
        for role in LAUNCH_ORDER:
            try:
                found.append((this_host(role), is_busy))
            except metadata.PackageNotFoundError:
                continue
        return found

    def close(self) -> None:
        """Releases nothing: every run closes what is its own."""


LOCAL = LocalLauncher()
"""This machine."""


class LocalProcesses(Processes):
    """The child processes of one run; their output lands in its logs.

    Args:
        plan: Plan of the run; its folders exist.
        sockets: Folder of its sockets, removed on closing.
    """

    def __init__(self, plan: RunPlan, sockets: ScratchFolder) -> None:
        control, data = control_endpoint(sockets.path), data_endpoint(sockets.path)
        super().__init__(plan, ZmqTransport(), control, data)
        self._sockets = sockets
        self._group = ProcessGroup()

    def start(self, control: str) -> None:
        """Starts every participant."""
        plan = self.plan
        starter = find_starter() if plan.ranks_per_kernel > 1 else None
        for role, programs in programs_by_role(plan).items():
            command = worker_command(role, control, plan.run, plan.experiment_digest)
            environment = worker_environment(role)
            self._group.start_programs(programs, command, self.layout.logs, environment, starter)

    def _ended(self) -> list[Exit]:
        return self._group.poll()

    def look(self, reported: Mapping[str, tuple[str, int]]) -> dict[str, ProcessState]:
        """Looks at the child processes, also at those that have not said hello yet."""
        started = self._group.pids()
        return look_at({name: pid or started[name] for name, (_, pid) in reported.items()})

    def stop(self, grace_s: float) -> None:
        """Waits ``grace_s`` for the processes to leave, then ends them."""
        self._group.stop(grace_s)

    def close(self) -> None:
        """Closes the sockets and removes their folder."""
        super().close()
        self._sockets.close()
