"""The file of an SQLite database, watched for what other programs do to it."""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path

from tvb_nest_cosim.orchestrator.store.errors import StoreError

PING_WAIT_S = 0.5
"""How long a sign of life waits for a database that another process holds."""

_logger = logging.getLogger(__name__)


class DatabaseFile:
    """The file of an SQLite database, which must remain the same file.

    Args:
        path: Its path; it exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity = self._look()
        self._is_told = False

    def check(self) -> None:
        """Notices that the file was deleted or replaced: what is written then is lost.

        Raises:
            StoreError: If it was.
        """
        if self._look() == self._identity:
            return
        problem = (
            f"the database {self._path.name} was deleted or replaced while the server ran, so runs "
            "can no longer be noted. Restart the server; the runs on disk are taken up again, "
            "those that wait have to be sent again"
        )
        if not self._is_told:
            self._is_told = True
            _logger.error("%s (%s)", problem, self._path)
        raise StoreError(problem)

    def lock_for_writing(self) -> None:
        """Takes the lock of writers and gives it back.

        Raises:
            StoreError: If it cannot be had, e.g. since another process holds it.
        """
        try:
            # Of its own: those of the pool would wait for longer.
            connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode=rw", timeout=PING_WAIT_S, uri=True
            )
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.rollback()
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise StoreError(f"the database cannot be written to: {error}") from error

    def _look(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino
