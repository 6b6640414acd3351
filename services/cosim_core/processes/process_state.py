"""State and CPU time of processes, as Linux shows them; elsewhere nothing is seen."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")

_AT_WORK = "RD"
"""States in which a descendant counts for the process that waits for it: running, on a disk."""


@dataclass(frozen=True)
class ProcessState:
    """What can be seen of a process from outside.

    Attributes:
        letter: Linux's state, see proc(5): ``R`` runs, ``S`` sleeps, ``D`` waits for a disk, ``T``
            is stopped, ``t`` is held by a debugger, ``Z`` has ended. A process that sleeps while
            one of its descendants runs or waits for a disk has the state of that one.
        cpu_s: CPU time that it and its descendants have used so far.
    """

    letter: str
    cpu_s: float


def look_at(pids: Mapping[str, int]) -> dict[str, ProcessState]:
    """Looks at processes of this host.

    Args:
        pids: Process ids by any name.

    Returns:
        What was seen, by the same names, without those that are not there.
    """
    seen = {name: _state_of_tree(pid) for name, pid in pids.items()}
    return {name: state for name, state in seen.items() if state is not None}


def _state_of_tree(pid: int) -> ProcessState | None:
    own = _state_of(pid)
    if own is None:
        return None
    states = [state for child in _children(pid) if (state := _state_of_tree(child)) is not None]
    letter = own.letter
    if letter == "S":
        letter = next((state.letter for state in states if state.letter in _AT_WORK), letter)
    return ProcessState(letter, own.cpu_s + sum(state.cpu_s for state in states))


def _state_of(pid: int) -> ProcessState | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The name of the program, in brackets, may hold anything.
    fields = stat.rpartition(")")[2].split()
    # Of itself in user and kernel mode, and of the children it has waited for.
    ticks = sum(map(int, fields[11:15]))
    return ProcessState(fields[0], ticks / os.sysconf("SC_CLK_TCK"))


def _children(pid: int) -> list[int]:
    """Returns the children of every thread of a process."""
    try:
        texts = [path.read_text() for path in (_PROC / str(pid) / "task").glob("*/children")]
    except OSError:
        return []
    return [int(child) for text in texts for child in text.split()]
