"""What a process does, as several looks at it show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from tvb_nest_cosim.cosim_core.processes.process_state import ProcessState

ASLEEP_SHARE = 0.01
"""Share of a core below which a process that sleeps at every look does nothing at all."""


class Activity(Enum):
    """What a process does, as looks show it; the value is a predicate."""

    UNSEEN = "cannot be seen from here"
    STOPPED = "is stopped by a signal"
    DEBUGGED = "is held by a debugger"
    ON_DISK = "waits for a disk or a network file system"
    ASLEEP = "is asleep"
    COMPUTES = "computes"
    ENDED = "has ended"


_BY_LETTER = {
    "T": Activity.STOPPED,
    "t": Activity.DEBUGGED,
    "D": Activity.ON_DISK,
    "I": Activity.ON_DISK,
    "Z": Activity.ENDED,
}


@dataclass(frozen=True)
class Look:
    """What was seen of processes at one time.

    Attributes:
        at_s: When.
        states: What was seen, by name.
    """

    at_s: float
    states: Mapping[str, ProcessState]


def activity_of(name: str, looks: Iterable[Look], *, at_least_s: float = 1.0) -> Activity:
    """Says what a process does.

    Args:
        name: Its name.
        looks: Looks, the latest last.
        at_least_s: How long looks must agree; else the process counts as unseen.
    """
    seen = [(look.at_s, look.states[name]) for look in looks if name in look.states]
    if not seen or (span_s := seen[-1][0] - seen[0][0]) < at_least_s:
        return Activity.UNSEEN
    letters = {state.letter for _, state in seen}
    latest = seen[-1][1]
    if letters == {latest.letter} and latest.letter in _BY_LETTER:
        return _BY_LETTER[latest.letter]
    if letters == {"S"} and latest.cpu_s - seen[0][1].cpu_s < ASLEEP_SHARE * span_s:
        return Activity.ASLEEP
    return Activity.ON_DISK if letters & {"D", "I"} else Activity.COMPUTES
