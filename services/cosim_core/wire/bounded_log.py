"""Warnings of which a stranger could cause any number."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable


class BoundedLog:
    """Logs the first few warnings one by one, then one now and then with a count of the others.

    Args:
        logger: Where to.
        first: How many are logged one by one.
        every_s: Time between two lines after that.
        clock: Returns the present time in s.
    """

    def __init__(
        self,
        logger: logging.Logger,
        *,
        first: int = 5,
        every_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger
        self._left = first
        self._every_s = every_s
        self._clock = clock
        self._next_s = 0.0
        self._unlogged = 0
        self._latest = ""

    def warning(self, text: str) -> None:
        """Takes a warning."""
        if self._left:
            self._left -= 1
            self._next_s = self._clock() + self._every_s
            self._logger.warning("%s", text)
            return
        self._unlogged += 1
        self._latest = text
        if self._clock() >= self._next_s:
            self.flush()

    def flush(self) -> None:
        """Says how many were not logged; nothing if none."""
        if self._unlogged:
            self._logger.warning("%d more warnings, the latest: %s", self._unlogged, self._latest)
            self._unlogged = 0
            self._next_s = self._clock() + self._every_s
