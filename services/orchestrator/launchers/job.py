"""Leaves the start of participants to the batch script that started this orchestrator.

They meet in a folder on the node, whose path is in ``COSIM_JOB``:

==================  ================  ==============================================================
file                written by        content
==================  ================  ==============================================================
orchestrator.pid    the orchestrator  whom to send signals
call                the orchestrator  where it listens and the digest of the experiment (a pipe)
PROGRAM.group       the script        process group of a participant, or of NEST's ranks
PROGRAM.code        the script        its exit code, once it has ended
==================  ================  ==============================================================
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.processes.mpi import Starter
from tvb_nest_cosim.cosim_core.processes.process_group import Exit, exit_of
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.wire.protocol import LAUNCH_ORDER, programs_of

_POLL_S = 0.02
_KILL_GRACE_S = 1.0


class JobLauncher:
    """The participants of one run, as the batch script looks after them.

    Args:
        folder: Where the script and the orchestrator meet.
        layout: Paths of the run.
        participants: Processes by role.
        starter: What starts NEST's ranks.
        nest_kernels: How many NESTs share the ranks of that role.
    """

    def __init__(
        self,
        folder: Path,
        layout: RunLayout,
        participants: Mapping[str, int],
        starter: Starter,
        nest_kernels: int = 1,
    ) -> None:
        self._folder = folder
        self._layout = layout
        self._programs = [
            program
            for role in LAUNCH_ORDER
            if participants.get(role)
            for program in programs_of(
                role, participants[role], nest_kernels if role == "nest" else 1
            )
        ]
        self._starter = starter
        self._reported: set[str] = set()

    def start(self, control: str, run: str, digest: str) -> None:
        """Tells the script that it may start everybody.

        Raises:
            OSError: If the script does not listen.
        """
        call = os.open(self._folder / "call", os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(call, f"{control} {digest}\n".encode())
        finally:
            os.close(call)

    def poll(self) -> list[Exit]:
        """Returns the processes that ended since the last call, causes before consequences."""
        exits = []
        for program in self._programs:
            code = self._number(f"{program.label}.code")
            if code is not None and program.label not in self._reported:
                self._reported.add(program.label)
                starter = self._starter if len(program.names) > 1 else None
                output = self._layout.logs / f"{program.label}.out"
                exits.append(exit_of(program.names, code, output, starter))
        return sorted(exits, key=lambda gone: gone.is_consequence)

    def stop(self, grace_s: float) -> None:
        """Waits ``grace_s`` for the processes to leave, then makes them."""
        self._wait(Deadline.after(grace_s))
        for number in (signal.SIGTERM, signal.SIGKILL):
            for group in self._groups():
                with suppress(ProcessLookupError):
                    os.killpg(group, number)
            self._wait(Deadline.after(_KILL_GRACE_S))

    def _wait(self, deadline: Deadline) -> None:
        while self._groups() and not deadline.passed():
            time.sleep(_POLL_S)

    def _groups(self) -> list[int]:
        """Returns the process groups of the participants that have not ended."""
        groups = [
            self._number(f"{program.label}.group")
            for program in self._programs
            if self._number(f"{program.label}.code") is None
        ]
        return [group for group in groups if group is not None and _is_alive(group)]

    def _number(self, name: str) -> int | None:
        """Reads a number that the script wrote, if it is there."""
        try:
            text = (self._folder / name).read_text()
        except FileNotFoundError:
            return None
        return int(text) if text.endswith("\n") else None


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
