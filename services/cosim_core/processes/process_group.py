"""Workers as processes of this machine: how they are started, watched and ended.

The local launcher uses it for every role, an agent for its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.errors import EXIT_DESERTED
from tvb_nest_cosim.cosim_core.processes.commands import first_rank_option, tied_to_parent
from tvb_nest_cosim.cosim_core.processes.mpi import Starter
from tvb_nest_cosim.cosim_core.wire.protocol import Program

_TAIL_BYTES = 4000
_TERM_GRACE_S = 1.0
_KILL_GRACE_S = 10.0
"""A killed process is gone as soon as a busy system comes to it."""


@dataclass(frozen=True)
class Exit:
    """A process that ended.

    Attributes:
        names: The participants that it was; several for ``mpirun``, first the rank that died
            first.
        how: What happened, as the end of a sentence.
        is_consequence: Whether it ended because another participant was gone.
        last_words: End of what it wrote to its standard streams.
    """

    names: tuple[str, ...]
    how: str
    is_consequence: bool
    last_words: str


@dataclass
class _Child:
    names: tuple[str, ...]
    process: subprocess.Popen[bytes]
    output: Path
    starter: Starter | None
    reported: bool = False


class ProcessGroup:
    """Child processes; each leads a process group of its own."""

    def __init__(self) -> None:
        self._children: list[_Child] = []

    def start(
        self,
        names: tuple[str, ...],
        command: list[str],
        output: Path,
        environment: Mapping[str, str],
        starter: Starter | None = None,
    ) -> None:
        """Starts a process.

        Args:
            names: The participants that it is.
            command: What to run; no shell is involved.
            output: File for its standard streams.
            environment: Its environment.
            starter: What starts ranks within it; its output shows which of them died.

        Raises:
            OSError: If the file or the process cannot be made.
        """
        with output.open("wb") as stream:
            process = subprocess.Popen(  # noqa: S603 - built from typed values, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,
            )
        self.adopt(names, process, output, starter)

    def start_programs(
        self,
        programs: Sequence[Program],
        command: list[str],
        folder: Path,
        environment: Mapping[str, str],
        starter: Starter | None,
    ) -> None:
        """Starts the workers of a role: one process, or ranks under mpirun, or several such.

        Args:
            programs: The programs, each an MPI world of its own.
            command: What one worker runs.
            folder: Where the files of their standard streams go.
            environment: Their environment.
            starter: What starts ranks; needed where a program has several.

        Raises:
            OSError: If a file or a process cannot be made.
        """
        for program in programs:
            line = tied_to_parent([*command, *first_rank_option(program)])
            if len(program.names) > 1 and starter is not None:
                line = tied_to_parent([*starter.line(len(program.names)), *line])
            self.start(program.names, line, folder / f"{program.label}.out", environment, starter)

    def adopt(
        self,
        names: tuple[str, ...],
        process: subprocess.Popen[bytes],
        output: Path,
        starter: Starter | None = None,
    ) -> None:
        """Takes over a process that was started before and leads a process group."""
        self._children.append(_Child(names, process, output, starter))

    def pids(self) -> dict[str, int]:
        """Returns the process ids by participant; of ranks, that of what started them."""
        return {name: child.process.pid for child in self._children for name in child.names}

    def poll(self) -> list[Exit]:
        """Returns the processes that ended since the last call, causes before consequences."""
        exits = []
        for child in self._children:
            code = child.process.poll()
            if code is not None and not child.reported:
                child.reported = True
                exits.append(exit_of(child.names, code, child.output, child.starter))
        return causes_first(exits)

    def signal(self, number: int) -> None:
        """Sends a signal to every process that has not ended."""
        for child in self._children:
            if child.process.poll() is None:
                _signal_group(child.process, number)

    def stop(self, grace_s: float) -> None:
        """Waits for the processes to leave, then ends them.

        Args:
            grace_s: How long they may take to leave by themselves.
        """
        deadline = Deadline.after(grace_s)
        for child in self._children:
            _wait(child.process, deadline)
        for signal_number, patience_s in (
            (signal.SIGTERM, _TERM_GRACE_S),
            (signal.SIGKILL, _KILL_GRACE_S),
        ):
            alive = [c for c in self._children if c.process.poll() is None]
            for child in alive:
                _signal_group(child.process, signal_number)
            deadline = Deadline.after(patience_s)
            for child in alive:
                _wait(child.process, deadline)
        for child in self._children:
            # What a worker or mpirun has started itself may outlive it; its group does not.
            _signal_group(child.process, signal.SIGKILL)

    def is_empty(self) -> bool:
        """Tells whether every process has ended."""
        return all(child.process.poll() is not None for child in self._children)


def causes_first(exits: Iterable[Exit]) -> list[Exit]:
    """Orders processes that ended at about the same time: causes before consequences."""
    return sorted(exits, key=lambda gone: gone.is_consequence)


def exit_of(names: tuple[str, ...], code: int, output: Path, starter: Starter | None) -> Exit:
    """Describes the end of a process.

    Args:
        names: The participants that it was.
        code: Its exit code; negative: the signal that killed it.
        output: File of its standard streams.
        starter: What started ranks within it, if anything did.
    """
    last_words = _tail(output)
    if starter is not None:
        names = starter.first_to_die(names, last_words)
        code = starter.code_of_first(code, last_words)
    return Exit(names, how_it_ended(code), code == EXIT_DESERTED, last_words)


def how_it_ended(code: int) -> str:
    """Says what an exit code means."""
    if code == EXIT_DESERTED:
        return "lost its connection to the others"
    number = -code if code < 0 else code - 128
    if number > 0 and (code < 0 or code > 128):
        try:
            name = signal.Signals(number).name
        except ValueError:
            return f"ended with exit code {code}"
        hint = ", perhaps for lack of memory," if name == "SIGKILL" else ""
        return f"was killed by signal {number} ({name}){hint}"
    return f"ended with exit code {code}"


def _tail(path: Path) -> str:
    try:
        data = path.read_bytes()[-_TAIL_BYTES:]
    except OSError:
        return ""
    return data.decode(errors="replace").strip()


def _wait(process: subprocess.Popen[bytes], deadline: Deadline) -> None:
    while process.poll() is None and not deadline.passed():
        time.sleep(0.01)


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return
