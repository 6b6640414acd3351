"""Where the sockets of a run on this machine lie."""

from __future__ import annotations

import resource
import tempfile
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.processes.scratch import ScratchFolder

_KIND = "cosim"

MAX_FOLDER_BYTES = 76
"""Longest path of the folder for temporary files; a socket's path may have 107 bytes in all."""

MIN_FILES = 128
"""Files that a process may open at least; a run of three processes needs some 30 in each."""


def make_socket_folder() -> ScratchFolder:
    """Makes a folder that only this user may enter."""
    return ScratchFolder(_KIND)


def control_endpoint(folder: Path) -> str:
    """Returns where the orchestrator binds."""
    return f"ipc://{folder}/control"


def data_endpoint(folder: Path) -> str:
    """Returns where the translator binds."""
    return f"ipc://{folder}/data"


def planned(*, has_data: bool) -> dict[str, str]:
    """Returns the endpoints by plane; every run gets a folder of its own in place of the star.

    Args:
        has_data: Whether there is anything to exchange.
    """
    folder = Path(tempfile.gettempdir()) / f"{_KIND}-*"
    control = {"control": control_endpoint(folder)}
    return {**control, "data": data_endpoint(folder)} if has_data else control


def descriptor_faults() -> list[Fault]:
    """Finds out whether processes may open what they need; libzmq aborts where it may not."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files >= MIN_FILES or files == resource.RLIM_INFINITY:
        return []
    return [
        Fault(
            "ulimit -n",
            f"a process may open only {files} files here, a run needs {MIN_FILES}; raise the limit "
            f"in this shell: ulimit -n {2 * MIN_FILES}",
        )
    ]


def socket_faults() -> list[Fault]:
    """Finds out whether sockets can lie where this machine keeps temporary files."""
    folder = tempfile.gettempdir()
    if len(folder.encode()) <= MAX_FOLDER_BYTES:
        return []
    return [
        Fault(
            "TMPDIR",
            f"{folder} is too long a path for sockets, which lie in a folder below it; set the "
            f"environment variable TMPDIR to a folder of at most {MAX_FOLDER_BYTES} characters",
        )
    ]
