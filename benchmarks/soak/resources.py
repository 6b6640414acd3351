"""Memory, files and threads of processes that live long: whether they stay flat."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

WARM_UP = 5
"""Looks at a process that do not count: it loads what it needs."""

FEWEST = 12
"""Looks, warm-up left out, without which nothing is said of a process."""

MOST_GROWTH = {"memory_mib": 0.25, "files": 0.05, "threads": 0.05, "children": 0.05}
"""Most growth per run that counts as flat."""


@dataclass(frozen=True)
class Look:
    """What a process held when nothing was to be done.

    Attributes:
        runs: Runs that had ended until then.
        values: Resident memory in MiB, open files, threads, and processes started, by name.
    """

    runs: int
    values: dict[str, float]


@dataclass(frozen=True)
class Growth:
    """How what a process held changed.

    Attributes:
        process: Its name.
        quantity: What of it.
        runs: Runs from the first look that counts to the last.
        first: Median of the first third of the looks.
        last: Median of the last third.
        per_run: Slope of a line through all looks (Theil and Sen's, which spikes do not move).
    """

    process: str
    quantity: str
    runs: int
    first: float
    last: float
    per_run: float

    @property
    def is_flat(self) -> bool:
        """Whether it stays as it was."""
        return self.per_run <= MOST_GROWTH[self.quantity]


@dataclass
class Watch:
    """Looks at processes now and then; those started anew count as new.

    Attributes:
        looks: What was seen, by name and identity of the process.
    """

    looks: dict[tuple[str, int], list[Look]] = field(default_factory=dict)

    def look(self, name: str, process: psutil.Process, runs: int) -> None:
        """Looks at a process when so many runs have ended."""
        with suppress(psutil.NoSuchProcess):
            values = {
                "memory_mib": process.memory_info().rss / 2**20,
                "files": float(process.num_fds()),
                "threads": float(process.num_threads()),
                "children": float(len(process.children())),
            }
            self.looks.setdefault((name, process.pid), []).append(Look(runs, values))

    def growths(self) -> list[Growth]:
        """Returns how each process changed that was looked at often enough."""
        return [
            growth(name, quantity, looks[WARM_UP:])
            for (name, _), looks in self.looks.items()
            if len(looks) >= WARM_UP + FEWEST
            for quantity in MOST_GROWTH
        ]


def growth(process: str, quantity: str, looks: Sequence[Look]) -> Growth:
    """Computes how something changed over looks; there are at least three, in order of runs."""
    points = [(look.runs, look.values[quantity]) for look in looks]
    slopes = [
        (later - value) / (after - runs)
        for number, (runs, value) in enumerate(points)
        for after, later in points[number + 1 :]
        if after > runs
    ]
    values, third = [value for _, value in points], len(points) // 3
    return Growth(
        process,
        quantity,
        points[-1][0] - points[0][0],
        statistics.median(values[:third]),
        statistics.median(values[-third:]),
        statistics.median(slopes) if slopes else 0.0,
    )
