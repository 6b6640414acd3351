"""Who may write in a folder: the holder of its lock file, one process at a time."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.errors import CosimError, RunDirectoryError
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout

_logger = logging.getLogger(__name__)

_DYING_S = 1.0
"""A process that was killed, and has gone for everybody else, may still have its files open."""

_LOOK_EVERY_S = 0.05

_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)
"""What a file system answers that has no locks, such as Lustre mounted without ``flock``."""


@contextmanager
def held(lock: Path, busy: CosimError, patience_s: float = 0.0) -> Iterator[None]:
    """Keeps others from the same work; a process that dies releases it.

    Args:
        lock: A file for this purpose alone; it is made, and stays.
        busy: What is raised if another process holds it.
        patience_s: How long it may go on to hold it.

    Raises:
        CosimError: ``busy``.
        OSError: If the file cannot be made.
    """
    # Not truncated before it is ours: it names the holder. Children do not inherit it (PEP 446).
    with lock.open("a+", encoding="utf-8") as file:
        try:
            _take(file, busy, Deadline.after(patience_s))
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            _logger.warning(
                "%s cannot be locked: %s; see to it that nobody else writes there", lock, error
            )
        _sign(file)
        yield


@contextmanager
def run_lock(layout: RunLayout) -> Iterator[None]:
    """Makes this process the only writer of a run directory, and removes what others left half.

    Raises:
        RunDirectoryError: If there is no such folder, or another process writes in it.
    """
    busy = RunDirectoryError(
        f"another process works on {layout.root}{_holder(layout.lock)}: either the run goes on or "
        "its results are being made. Wait until it has ended"
    )
    with ExitStack() as stack:
        try:
            stack.enter_context(held(layout.lock, busy, _DYING_S))
        except OSError as error:
            raise RunDirectoryError(
                f"{layout.root} is not a run directory in which this user may write: {error}"
            ) from error
        for folder in (layout.root, layout.figures):
            for partial in folder.glob(".*.partial"):
                partial.unlink(missing_ok=True)
        yield


def _take(file: IO[str], busy: CosimError, deadline: Deadline) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if deadline.passed():
                raise busy from error
            time.sleep(_LOOK_EVERY_S)


def _sign(file: IO[str]) -> None:
    file.truncate(0)
    file.write(f"process {os.getpid()} on {platform.node()}")
    file.flush()


def _holder(lock: Path) -> str:
    try:
        return f" ({lock.read_text(encoding='utf-8')})"
    except OSError:
        return ""
