"""Integer time: ticks, windows and the only converter between ticks and milliseconds.

A *tick* is one step of ``dt_ms``. Simulated time t = 0 is tick 0; a state "at tick s" holds at
s * dt. Intervals follow NEST: window k of W ticks covers ticks k*W + 1 ... (k+1)*W, in time the
half-open interval (k*W*dt, (k+1)*W*dt]. A spike on the last tick of a window belongs to it; a
spike exactly at t = 0 belongs to no window. The last window of a run may be shorter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tvb_nest_cosim.cosim_core.errors import CosimError

_RELATIVE_TOLERANCE = 1e-12


class InexactTimeError(CosimError):
    """A time in milliseconds that is not a whole number of ticks."""


def ticks_of(time_ms: float, dt_ms: float) -> int:
    """Converts milliseconds to ticks, refusing anything that is not on the grid.

    Args:
        time_ms: A time or duration in ms, not negative.
        dt_ms: Length of a tick in ms.

    Returns:
        The number of ticks.

    Raises:
        InexactTimeError: If ``time_ms`` is negative or no multiple of ``dt_ms`` (to 1e-12 relative,
            which admits what decimal numbers such as 0.3 lose in binary, and nothing more).
    """
    ratio = time_ms / dt_ms
    ticks = round(ratio)
    if ticks < 0 or abs(ratio - ticks) > _RELATIVE_TOLERANCE * max(1.0, abs(ratio)):
        below, above = int(ratio) * dt_ms, (int(ratio) + 1) * dt_ms
        raise InexactTimeError(
            f"{time_ms:g} ms is not a whole number of ticks of {dt_ms:g} ms; "
            f"the nearest times on the grid are {below:g} ms and {above:g} ms"
        )
    return ticks


def ms_of(ticks: int, dt_ms: float) -> float:
    """Converts ticks to milliseconds, rounded to 1e-6 ms so that 3 * 0.1 reads 0.3."""
    return round(ticks * dt_ms, 6)


@dataclass(frozen=True, order=True)
class Window:
    """The ticks between two exchanges.

    Attributes:
        index: Number of the window, from 0.
        start: Tick at which it begins; the state at ``start`` is known, ``start + 1`` is its
            first tick.
        stop: Its last tick.
    """

    index: int
    start: int
    stop: int

    @property
    def ticks(self) -> int:
        """Number of ticks in the window."""
        return self.stop - self.start


@dataclass(frozen=True)
class TimeGrid:
    """Division of a run into windows.

    Attributes:
        dt_ms: Length of a tick in ms.
        total_ticks: Ticks of the whole run.
        window_ticks: Ticks of every window but perhaps the last.
    """

    dt_ms: float
    total_ticks: int
    window_ticks: int

    def __post_init__(self) -> None:
        if self.total_ticks < 1 or self.window_ticks < 1:
            raise ValueError(f"a time grid needs at least one tick, got {self}")

    @property
    def window_count(self) -> int:
        """Number of windows, the last one perhaps shorter."""
        return -(-self.total_ticks // self.window_ticks)

    def window(self, index: int) -> Window:
        """Returns window ``index``.

        Raises:
            IndexError: If the run has no such window.
        """
        if not 0 <= index < self.window_count:
            raise IndexError(f"window {index} is outside 0 ... {self.window_count - 1}")
        start = index * self.window_ticks
        return Window(index, start, min(start + self.window_ticks, self.total_ticks))

    def windows(self) -> Iterator[Window]:
        """Yields every window in order."""
        return (self.window(index) for index in range(self.window_count))

    def window_of_tick(self, tick: int) -> int:
        """Returns the index of the window that covers ``tick`` (tick 1 ... total_ticks)."""
        if not 1 <= tick <= self.total_ticks:
            raise IndexError(f"tick {tick} is outside 1 ... {self.total_ticks}")
        return (tick - 1) // self.window_ticks
