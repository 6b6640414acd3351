"""Result files made by a process of their own: ``python -P -m tvb_nest_cosim.cosim_core.results``.

After a write that failed, for example on a full disk, HDF5 leaves a process in a state in which its
next use may end it. So the process that writes result files does nothing else. It imports, waits
for one line on its standard input, and answers with one line.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.processes.commands import module_command, tied_to_parent
from tvb_nest_cosim.cosim_core.processes.process_group import how_it_ended
from tvb_nest_cosim.cosim_core.processes.process_state import look_at

_logger = logging.getLogger(__name__)

STALL_S = 300.0
"""Time without any use of a processor after which the writing counts as hung."""

_LOOK_EVERY_S = 10.0
_MODULE = "tvb_nest_cosim.cosim_core.results"


class Order(BaseModel):
    """What shall be made; attributes are arguments of :func:`cosim_core.results.collect`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    root: Path
    only: tuple[str, ...] | None = None
    partial: bool = False


class Collected(BaseModel):
    """What was made of the journals.

    Attributes:
        windows: Complete windows.
        simulated_ms: Simulated time that they cover.
        digest: Digest of spikes and TVB series; None if no window is complete.
        files: Names of the result files that the run has.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    windows: int
    simulated_ms: float
    digest: str | None
    files: tuple[str, ...]


class Answer(BaseModel):
    """What became of it: results, or why there are none, in one sentence."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    collected: Collected | None = None
    error: str = ""


class Collector:
    """The process that makes result files, once; use it as a context manager."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the process ahead, so that it imports meanwhile; may be called again.

        Raises:
            RunDirectoryError: If it cannot be started.
        """
        if self._process is not None:
            return
        try:
            self._process = subprocess.Popen(  # noqa: S603 - a fixed command line, no shell
                tied_to_parent(module_command(_MODULE)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the one who waits
            )
        except OSError as error:
            raise RunDirectoryError(
                f"the process that writes results cannot be started: {error}"
            ) from error

    def collect(
        self, root: Path, *, only: Collection[str] | None = None, partial: bool = False
    ) -> Collected:
        """Makes result files; arguments and errors as of :func:`collect`."""
        self.start()
        assert self._process is not None  # noqa: S101 - it was just started
        order = Order(root=root.absolute(), only=only and tuple(only), partial=partial)
        output = _talk(self._process, order.model_dump_json().encode() + b"\n")
        lines = output.splitlines()
        try:
            answer = Answer.model_validate_json(lines[-1] if lines else b"")
        except ValidationError as error:
            how = how_it_ended(self._process.returncode)
            raise RunDirectoryError(
                f"the process that writes the results of {root} {how} before it had written them. "
                "Is the disk full, or the memory too small?"
            ) from error
        if answer.collected is None:
            raise RunDirectoryError(answer.error)
        return answer.collected

    def close(self) -> None:
        """Ends the process if it is still there."""
        process, self._process = self._process, None
        if process is None:
            return
        _kill(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(OSError):  # what was not sent is of no use now
                    pipe.close()

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def collect_apart(
    root: Path, *, only: Collection[str] | None = None, partial: bool = False
) -> Collected:
    """Makes result files, as :func:`collect` does, in a process of its own.

    Raises:
        RunDirectoryError: As :func:`collect`, and if that process is killed or hangs.
    """
    with Collector() as collector:
        return collector.collect(root, only=only, partial=partial)


def _talk(process: subprocess.Popen[bytes], order: bytes) -> bytes:
    """Sends the order and returns all output, or ends a process that does nothing any more."""
    used_s, idle_s = _cpu_s(process.pid), 0.0
    rest: bytes | None = order
    while True:
        try:
            output, errors = process.communicate(rest, timeout=_LOOK_EVERY_S)
        except subprocess.TimeoutExpired as error:
            rest = None
            now_s = _cpu_s(process.pid)
            idle_s = 0.0 if now_s != used_s else idle_s + _LOOK_EVERY_S
            used_s = now_s
            if idle_s >= STALL_S:
                _kill(process)
                raise RunDirectoryError(
                    f"the process that writes results has done nothing for {idle_s:g} s and was "
                    "ended; does the file system answer?"
                ) from error
        else:
            if errors:  # what HDF5 says about a full disk is no sentence
                _logger.info("what writes results said: %s", errors.decode(errors="replace"))
            return output


def _cpu_s(pid: int) -> float:
    """Returns how long a process has computed; 0 where that cannot be seen."""
    return sum(state.cpu_s for state in look_at({"writer": pid}).values())


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):  # one that waits for a dead disk cannot even die
        process.wait(10.0)
