"""State of a silent process, as the operating system shows it."""

from __future__ import annotations

import socket
from pathlib import Path

_EXPLAINED = {
    "T": "is stopped (by a signal, or to be debugged)",
    "t": "is stopped (by a signal, or to be debugged)",
    "D": "waits for a disk or a network file system",
    "Z": "has ended",
}
"""Linux's states of a process that explain why it does not go on; see proc(5)."""


def describe_process_state(host: str, pid: int) -> str:
    """Says why a process does not go on, as far as that can be seen from outside.

    While NEST simulates, a rank says nothing, and those that wait for another within MPI look as
    busy as the one that computes. One that has been stopped gives itself away.

    Args:
        host: Host of the process, as it reported.
        pid: Its process id there.

    Returns:
        A predicate such as "is stopped"; nothing if there is nothing to see, or not from here.
    """
    if host != socket.gethostname():
        return ""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    # The name of the program, in brackets, may hold anything.
    state = stat.rpartition(")")[2].split()[0]
    return _EXPLAINED.get(state, "")
