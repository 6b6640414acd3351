"""Runs a command that dies with its parent: ``python die_with_parent.py COMMAND ARGUMENT...``.

However the orchestrator ends, even by SIGKILL and while NEST builds a network for minutes without
looking at its sockets, nothing that it started outlives it. Under mpirun every rank is tied to
its parent, since mpirun puts ranks into process groups that nobody else knows.

A script of its own, without imports from this project: it costs 20 ms where a function between
fork and exec would not be safe in a process with threads. Where there is no Linux it only runs the
command.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""``prctl``: the signal that this process gets when its parent ends; it survives ``exec``."""


def main() -> None:
    """Ties this process to its parent and becomes the command."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - the launcher's command, no shell


if __name__ == "__main__":
    main()
