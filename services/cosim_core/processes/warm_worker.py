"""Workers that wait for their run, with everything imported that is slow to import.

Half the time from a request to the first window goes into importing the simulators. So an agent
starts the worker of the next run while there is none:
``python -P -m tvb_nest_cosim.nest_service warm-worker`` imports, opens neither socket nor file, and
waits for one line on its standard input, the run's order. Still every run gets a process of its
own, which has seen no other run; what is new is only when it was started.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict

from tvb_nest_cosim.cosim_core.processes.commands import (
    module_command,
    tied_to_parent,
    worker_environment,
)
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES, Role

_logger = logging.getLogger(__name__)


class Order(BaseModel):
    """The run that a worker shall take part in.

    Attributes:
        control: Endpoint of the orchestrator.
        run: Identity of the run.
        digest: Digest of the experiment.
        first_rank: Rank of the first process of its MPI world.
        output: File for the standard streams; None: they are where they should be.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    control: str
    run: str
    digest: str
    first_rank: int = 0
    output: Path | None = None


class WarmWorker:
    """At most one waiting worker of a role; used by one thread.

    Args:
        role: The role.
    """

    def __init__(self, role: Role) -> None:
        self._role = role
        self._environment = worker_environment(role)
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Starts a worker unless one waits; without it the next run only begins later."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - a fixed command line, no shell
                tied_to_parent(module_command(MODULES[self._role], "warm-worker")),
                stdin=subprocess.PIPE,
                env=self._environment,
                start_new_session=True,
            )
        except OSError as error:
            _logger.warning("no worker can be started ahead: %s", error)

    def take(self, order: Order) -> subprocess.Popen[bytes] | None:
        """Sends the waiting worker into a run; None if there is none, or it has died.

        Returns:
            The process, which belongs to the caller and leads a process group.
        """
        process, self._process = self._process, None
        if process is None:
            return None
        if process.poll() is not None or not _send(process, order):
            _logger.warning("the worker started ahead ended with code %s", process.poll())
            _end(process)
            return None
        return process

    def close(self) -> None:
        """Ends the waiting worker."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)


def await_order(source: IO[str]) -> Order | None:
    """Waits, as the worker, for the order; None if the process that started it has gone.

    There is no deadline: waiting is what this process is for, and it ends with its agent.
    """
    line = source.readline()
    return Order.model_validate_json(line) if line else None


def write_to(output: Path) -> None:
    """Lets this process write its standard streams to a file.

    Raises:
        OSError: If it cannot be opened.
    """
    with output.open("ab") as stream:
        for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):
            os.dup2(stream.fileno(), descriptor)


def _send(process: subprocess.Popen[bytes], order: Order) -> bool:
    assert process.stdin is not None  # noqa: S101 - it was started with a pipe
    try:
        with process.stdin:
            process.stdin.write(order.model_dump_json().encode() + b"\n")
    except OSError:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    # It has nothing to finish, and while it imports it would hear of nothing gentler.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    process.wait()
