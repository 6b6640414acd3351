"""A point in time after which a wait is given up, computed once and passed down."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock.

    Attributes:
        at_s: Seconds of ``time.monotonic()``.
    """

    at_s: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Makes the deadline that lies ``seconds`` from now."""
        return cls(time.monotonic() + seconds)

    def remaining_s(self) -> float:
        """Returns the seconds left, never negative."""
        return max(0.0, self.at_s - time.monotonic())

    def passed(self) -> bool:
        """Tells whether the moment is over."""
        return time.monotonic() >= self.at_s

    def sooner(self, seconds: float) -> float:
        """Returns the shorter of the time left and ``seconds``; the next time-out of a poll."""
        return min(self.remaining_s(), seconds)
