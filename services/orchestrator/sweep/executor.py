"""Who runs the points of a sweep: processes of this machine, a server, a batch system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tvb_nest_cosim.orchestrator.sweep.points import Point


@dataclass(frozen=True)
class Needs:
    """What a run takes.

    Attributes:
        cores: Processes and threads that compute at once.
        memory_bytes: Estimate of its memory.
        disk_bytes: Estimate of its results.
        warnings: What the user should know before.
    """

    cores: int
    memory_bytes: float
    disk_bytes: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ended:
    """A point that is no longer being carried out.

    Attributes:
        point: The point.
        cause: Why it did not finish, in a sentence; empty if it finished, and then its run
            directory is there.
    """

    point: Point
    cause: str


class Executor(Protocol):
    """Carries out points. All calls come from one thread and return at once."""

    @property
    def base_dir(self) -> Path | None:
        """Folder in which points look up files and modules; None if a server does."""
        ...

    def examine(self, point: Point, out: Path) -> Needs:
        """Checks that a point can be carried out, before anything starts.

        Raises:
            ExperimentError: With every fault found.
        """
        ...

    def take(self, waiting: Sequence[tuple[Point, Needs]]) -> list[Point]:
        """Begins as many of the waiting points as there is room for, and returns these."""
        ...

    def ended(self) -> list[Ended]:
        """Returns the points that ended since the last call."""
        ...

    def stop(self) -> None:
        """Asks what is being carried out to end at a window boundary; a second time, at once."""
        ...

    def close(self) -> None:
        """Leaves nothing behind on this machine."""
        ...
