"""Processes that the batch script starts which has started this orchestrator.

They meet in a folder on the node, whose path is in ``COSIM_JOB``:

==================  ================  ==============================================================
file                written by        content
==================  ================  ==============================================================
orchestrator.pid    the orchestrator  process to which the script passes signals
call                the orchestrator  where it listens and the digest of the experiment (a pipe)
PROGRAM.group       the script        process group of a participant, or of NEST's ranks
PROGRAM.code        the script        its exit code, once it has ended
==================  ================  ==============================================================
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.processes.host import Host
from tvb_nest_cosim.cosim_core.processes.mpi import Starter
from tvb_nest_cosim.cosim_core.processes.process_group import Exit, exit_of
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.wire.keys import load_keys, new_keys
from tvb_nest_cosim.cosim_core.wire.zmq_transport import ZmqTransport
from tvb_nest_cosim.orchestrator.launchers.base import EVERYWHERE, Processes, programs_by_role

_POLL_S = 0.02
_KILL_GRACE_S = 1.0


class JobLauncher:
    """Leaves the start of participants to the batch script.

    Args:
        folder: Where the script and this process meet.
        interface: Network interface of the sockets; None: every interface, and the name of the
            host.
        starter: What starts NEST's ranks.

    Raises:
        ExperimentError: If the node lacks the network interface.
    """

    name = "job"
    is_here = False

    def __init__(self, folder: Path, interface: str | None, starter: Starter) -> None:
        interfaces = [name for _, name in socket.if_nameindex()]
        if interface is not None and interface not in interfaces:
            raise ExperimentError.single(
                "--interface",
                f"{socket.gethostname()} has no '{interface}'; it has {', '.join(interfaces)}",
            )
        self._folder = folder
        self._endpoint = f"tcp://{interface}:*" if interface is not None else EVERYWHERE
        self._starter = starter
        (folder / "orchestrator.pid").write_text(f"{os.getpid()}\n")

    def open(self, plan: RunPlan) -> JobProcesses:
        """Prepares the processes of a run; the script starts none of them yet."""
        return JobProcesses(plan, self._folder, self._endpoint, self._starter)

    def hosts(self, *, is_busy: bool) -> list[tuple[Host, bool]]:
        """Describes nothing: a job's nodes are for one run, never for a server."""
        return []

    def close(self) -> None:
        """Releases nothing: the script removes the folder."""


class JobProcesses(Processes):
    """The participants of one run; keys of their own lie in the run directory until it ends.

    Args:
        plan: Plan of the run; its folders exist.
        folder: Where the script and the orchestrator meet.
        endpoint: Where sockets are bound.
        starter: What starts NEST's ranks.
    """

    def __init__(self, plan: RunPlan, folder: Path, endpoint: str, starter: Starter) -> None:
        keys = RunLayout(Path(plan.run_dir)).keys
        new_keys(keys)
        super().__init__(plan, ZmqTransport(load_keys(keys, "orchestrator")), endpoint, endpoint)
        self._folder = folder
        self._starter = starter
        self._programs = [p for programs in programs_by_role(plan).values() for p in programs]
        self._reported: set[str] = set()

    def start(self, control: str) -> None:
        """Sends the script where to connect, upon which it starts everybody.

        Raises:
            OSError: If the script does not listen.
        """
        call = os.open(self._folder / "call", os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(call, f"{control} {self.plan.experiment_digest}\n".encode())
        finally:
            os.close(call)

    def _ended(self) -> Iterator[Exit]:
        for program in self._programs:
            code = self._number(f"{program.label}.code")
            if code is not None and program.label not in self._reported:
                self._reported.add(program.label)
                starter = self._starter if len(program.names) > 1 else None
                output = self.layout.logs / f"{program.label}.out"
                yield exit_of(program.names, code, output, starter)

    def stop(self, grace_s: float) -> None:
        """Waits ``grace_s`` for the processes to leave, then ends them."""
        self._wait(Deadline.after(grace_s))
        for number in (signal.SIGTERM, signal.SIGKILL):
            for group in self._groups():
                with suppress(ProcessLookupError):
                    os.killpg(group, number)
            self._wait(Deadline.after(_KILL_GRACE_S))

    def close(self) -> None:
        """Closes the sockets and removes their keys."""
        super().close()
        shutil.rmtree(self.layout.keys)

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
