"""The run that is being carried out, as other threads see it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.run_dir.records import RunRecords
from tvb_nest_cosim.orchestrator.run.control import RunControl
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.server.live.cache import AnswerCache
from tvb_nest_cosim.orchestrator.server.live.tail import Tail
from tvb_nest_cosim.orchestrator.store import RunRow, RunState

SPEED_OVER_S = 5.0
"""Time over which speed is measured."""


@dataclass
class Live:
    """One run that simulators work on.

    Attributes:
        row: What was remembered of it when its turn came; later changes are not in it.
        plan: Its plan.
        tail: Reads what is new in its directory.
        control: Takes commands.
        state: State of the run.
        cause: Why it is so, if there is something to say.
        windows: Windows that every participant has completed.
        records: Reads its journals once everything is built.
        cache: Answers about it that were given a short time ago.
    """

    row: RunRow
    plan: RunPlan
    tail: Tail
    control: RunControl = field(default_factory=RunControl)
    state: RunState = RunState.BUILDING
    cause: str | None = None
    windows: int = 0
    records: RunRecords | None = None
    cache: AnswerCache = field(default_factory=AnswerCache)
    _looking: threading.Lock = field(default_factory=threading.Lock)
    _looked_s: float = 0.0

    @property
    def id(self) -> str:
        """Its identity."""
        return self.row.id

    def is_due(self, every_s: float) -> bool:
        """Tells whether nobody has looked at new data for so long."""
        return time.monotonic() - self._looked_s >= every_s

    @contextmanager
    def looking(self, every_s: float) -> Iterator[bool]:
        """Gives the right to look at new data to one client at a time, at most so often."""
        if not self._looking.acquire(blocking=False):
            yield False
            return
        try:
            is_due = self.is_due(every_s)
            if is_due:
                self._looked_s = time.monotonic()
            yield is_due
        finally:
            self._looking.release()


class Speedometer:
    """Measures the speed of a run over the last seconds, pauses left out.

    Args:
        plan: Plan of the run.
    """

    def __init__(self, plan: RunPlan) -> None:
        self._grid = plan.grid
        self._marks: deque[tuple[float, int]] = deque()

    def pause(self) -> None:
        """Forgets what was measured: time that passes now is no work."""
        self._marks.clear()

    def measure(self, windows: int, now_s: float) -> tuple[float | None, float | None]:
        """Takes the windows done now.

        Returns:
            Wall time per simulated time, and seconds to the end; None if not known yet.
        """
        self._marks.append((now_s, windows))
        while now_s - self._marks[0][0] > SPEED_OVER_S and len(self._marks) > 2:
            self._marks.popleft()
        began_s, before = self._marks[0]
        if windows == before:
            return None, None
        per_window_s = (now_s - began_s) / (windows - before)
        window_s = self._grid.window_ticks * self._grid.dt_ms / 1000
        return per_window_s / window_s, per_window_s * (self._grid.window_count - windows)


def progress(coordinator: Coordinator, speedometer: Speedometer) -> dict[str, Any]:
    """Returns the body of a ``progress`` event."""
    grid, windows = coordinator.plan.grid, coordinator.windows
    speed, eta_s = speedometer.measure(windows, time.monotonic())
    ticks = min(windows * grid.window_ticks, grid.total_ticks)
    return {
        "windows": windows,
        "total": grid.window_count,
        "simulated_ms": round(ticks * grid.dt_ms, 6),
        "speed": speed and round(speed, 3),
        "eta_s": eta_s if eta_s is None else round(eta_s, 1),
        "peers": [
            {
                "name": peer.name,
                "state": str(peer.state.value),
                "windows": peer.windows,
                "compute_s": round(peer.compute_s, 3),
                "wait_s": round(peer.wait_s, 3),
                "waiting_for": peer.waiting_for,
            }
            for peer in coordinator.peers.values()
        ],
    }
