"""Temporary folders that do not outlive their process for long, even if it is killed.

A folder is locked for as long as the process lives that made it; whoever makes the next one of its
kind removes those that nobody has locked. A lock, unlike a process id in the name, cannot be taken
for that of another process, be it after a restart or in another container.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

YOUNG_S = 60.0
"""Younger folders are left alone: between making and locking one there is a moment."""


class ScratchFolder:
    """A folder that only this user may enter; removed on closing.

    Args:
        kind: Begin of its name; the process id and a random part follow.
    """

    def __init__(self, kind: str) -> None:
        _remove_abandoned(Path(tempfile.gettempdir()), kind)
        self.path = Path(tempfile.mkdtemp(prefix=f"{kind}-{os.getpid()}-"))
        self._lock = _locked(self.path)

    def close(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@contextmanager
def scratch_folder(kind: str) -> Iterator[Path]:
    """Makes a folder for as long as the context lasts."""
    folder = ScratchFolder(kind)
    try:
        yield folder.path
    finally:
        folder.close()


def _remove_abandoned(parent: Path, kind: str) -> None:
    """Removes the folders of dead processes of this user; nobody else's, and no link."""
    for path in parent.glob(f"{kind}-[0-9]*-*"):
        try:
            status = path.lstat()
        except OSError:
            continue
        is_own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
        if is_own and time.time() - status.st_mtime > YOUNG_S:
            lock = _locked(path)
            if lock is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(lock)


def _locked(path: Path) -> int | None:
    """Locks a folder; None if another process has, or if its file system knows no locks."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
