"""Starts the participants as processes of this machine, and sees that none is left."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tvb_nest_cosim.cosim_core.processes.mpi import Starter
from tvb_nest_cosim.cosim_core.processes.process_group import (
    Exit,
    ProcessGroup,
    start_workers,
    worker_command,
)
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.wire.protocol import LAUNCH_ORDER


class LocalLauncher:
    """The processes of one run.

    Args:
        layout: Paths of the run; output lands in its logs.
        participants: Processes by role.
        starter: What starts ranks; needed for more than one.
        nest_kernels: How many NESTs share the ranks of that role.
    """

    def __init__(
        self,
        layout: RunLayout,
        participants: Mapping[str, int],
        starter: Starter | None,
        nest_kernels: int = 1,
    ) -> None:
        self._layout = layout
        self._participants = participants
        self._starter = starter
        self._kernels = {"nest": nest_kernels}
        self._group = ProcessGroup()

    def start(self, control: str, run: str, digest: str) -> None:
        """Starts every participant."""
        for role in LAUNCH_ORDER:
            ranks = self._participants.get(role, 0)
            if ranks:
                command = worker_command(role, control, run, digest)
                kernels = self._kernels.get(role, 1)
                logs, starter = self._layout.logs, self._starter
                start_workers(self._group, role, ranks, command, logs, os.environ, starter, kernels)

    def pids(self) -> dict[str, int]:
        """Returns the process id by the name of its first participant."""
        return self._group.pids()

    def poll(self) -> list[Exit]:
        """Returns the processes that ended since the last call, causes before consequences."""
        return self._group.poll()

    def stop(self, grace_s: float) -> None:
        """Waits for the processes to leave, then makes them.

        Args:
            grace_s: How long they may take to leave by themselves.
        """
        self._group.stop(grace_s)
