"""What is to be remembered of runs: written by a thread of its own, again and again until it is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from tvb_nest_cosim.orchestrator.store import RunStore

RETRY_S = 1.0
"""Time between two tries to write."""

_logger = logging.getLogger(__name__)


class Notes:
    """Changes of runs on their way into the database; may be used from any thread.

    A database that is locked, full or away keeps nobody waiting but those who ask to: neither a
    run nor a command. Of several changes of one run, the last value of every column is written.

    Args:
        store: Where they are written.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._pending: dict[str, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._ends = False
        self._is_failing = False
        self._thread = threading.Thread(target=self._work, name="notes")

    def start(self) -> None:
        """Begins to write."""
        self._thread.start()

    def close(self) -> None:
        """Tries once more to write what is left, and ends."""
        with self._changed:
            self._ends = True
            self._changed.notify_all()
        self._thread.join()

    def put(self, run: str, **values: Any) -> None:
        """Takes new values of a run's columns and returns at once."""
        with self._changed:
            self._pending.setdefault(run, {}).update(values)
            self._changed.notify_all()

    def is_written(self, run: str, wait_s: float) -> bool:
        """Tells whether everything of a run has been written, and waits for it for a while."""
        with self._changed:
            return self._changed.wait_for(lambda: run not in self._pending, wait_s)

    def insist(self, run: str, gives_up: Callable[[], bool]) -> bool:
        """Waits until everything of a run has been written; tells whether it was.

        Args:
            run: The run.
            gives_up: Asked every second whether to wait no longer.
        """
        while not self.is_written(run, RETRY_S):
            if gives_up():
                return False
        return True

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._ends)
                if not self._pending:
                    return
                run = next(iter(self._pending))
                values = dict(self._pending[run])
            is_written = self._write(run, values)
            with self._changed:
                left = self._pending.pop(run)
                if not is_written or left != values:
                    self._pending[run] = left  # behind those of other runs
                self._changed.notify_all()
                if not is_written:
                    if self._ends:
                        return
                    self._changed.wait_for(lambda: self._ends, RETRY_S)

    def _write(self, run: str, values: dict[str, Any]) -> bool:
        try:
            self._store.change(run, **values)
        except Exception:
            # A full disk or a database that is away must not end a run, nor the service.
            if not self._is_failing:
                _logger.exception("run %s could not be noted; it is tried every second", run)
            self._is_failing = True
            return False
        if self._is_failing:
            _logger.info("runs can be noted again")
        self._is_failing = False
        return True
