"""What counts as a hang: reports and looks at processes in, a cause out (docs/decisions/0020).

Reports tell who waits; a look tells what those who say nothing do. No sockets, no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from tvb_nest_cosim.cosim_core.model.experiment.tree import PATIENT_S, Timeouts
from tvb_nest_cosim.cosim_core.processes.process_state import ProcessState
from tvb_nest_cosim.cosim_core.wire.lifecycle import FINAL
from tvb_nest_cosim.orchestrator.run.activity import Activity, Look, activity_of
from tvb_nest_cosim.orchestrator.run.peers import Peer

LOOK_AFTER_S = 5.0
"""How long a process may say nothing before it is looked at."""

LOOK_EVERY_S = 0.5

SURE_AFTER_S = 3.0
"""How long looks must agree before anything follows from them."""

REPORT_COUNTS_S = 2.0
"""How long a report "I wait" counts; who waits repeats it twice a second."""

STALL_S = 10.0
"""Least time without progress that is a stall, where the experiment says nothing."""

_PATIENCE = (Activity.UNSEEN, Activity.DEBUGGED, Activity.ON_DISK)
"""What may go on for long without anybody being at fault, or what nobody knows about."""


class Liveness:
    """Watches over the participants of one run.

    Args:
        timeouts: Deadlines that the user has set.
        lookahead: Windows that a participant may be ahead of its input.
        now_s: Present time.
    """

    def __init__(self, timeouts: Timeouts, lookahead: int, now_s: float) -> None:
        self._timeouts = timeouts
        self._lookahead = lookahead
        self._moved_s = now_s
        self._longest_s = 0.0
        self._looked_s = now_s
        self._looks: deque[Look] = deque()

    def note_move(self, windows: int, now_s: float, *, is_prompt: bool) -> None:
        """Takes a completed window.

        Args:
            windows: Windows that everybody had completed before. The first ones are not measured:
                what is compiled or read once would make a hang go unnoticed for long.
            now_s: Present time.
            is_prompt: Whether it was told at once; not so while paused, or by who waits meanwhile.
        """
        if windows > self._lookahead and is_prompt:
            self._longest_s = max(self._longest_s, now_s - self._moved_s)
        self._moved_s = now_s

    def restart(self, now_s: float) -> None:
        """Begins to count anew, as after a pause or when this process was itself stopped."""
        self._moved_s = now_s
        self._looks.clear()

    def worth_a_look(self, peers: Iterable[Peer], now_s: float) -> list[Peer]:
        """Returns the participants that ought to be looked at now; mostly none."""
        after_s = min(LOOK_AFTER_S, (self._timeouts.stall_s or STALL_S) / 2)
        alive = _alive(peers)
        is_quiet = any(now_s - peer.heard_s >= after_s for peer in alive)
        if not is_quiet:
            self._looks.clear()
        return alive if is_quiet and now_s - self._looked_s >= LOOK_EVERY_S else []

    def see(self, states: Mapping[str, ProcessState], now_s: float) -> None:
        """Takes what was seen of them, by name."""
        self._looked_s = now_s
        self._looks.append(Look(now_s, states))
        while len(self._looks) > 1 and now_s - self._looks[1].at_s >= SURE_AFTER_S:
            self._looks.popleft()

    def judge(
        self,
        peers: Iterable[Peer],
        windows: int | None,
        now_s: float,
        when: Callable[[Peer], str],
    ) -> str:
        """Says why the run must be given up; empty if it need not.

        Args:
            peers: The participants.
            windows: Windows that everybody has completed; None: the run is being built.
            now_s: Present time.
            when: Says how far a participant had come.
        """
        alive = _alive(peers)
        cause = self._stopped(alive, when)
        if cause or windows is None:
            return cause
        return self._hang(alive, now_s, when) or self._stall(alive, windows, now_s)

    def _stopped(self, alive: Sequence[Peer], when: Callable[[Peer], str]) -> str:
        stopped = [peer for peer in alive if self._surely(peer) is Activity.STOPPED]
        if not stopped:
            return ""
        return (
            f"{_told(stopped, when, 'was stopped by a signal (SIGSTOP or SIGTSTP)')} and did not "
            f"go on for {SURE_AFTER_S:g} s; to halt a run, pause it or stop its orchestrator"
        )

    def _hang(self, alive: Sequence[Peer], now_s: float, when: Callable[[Peer], str]) -> str:
        """Says who sleeps while everybody else waits.

        Somebody who has set a time for stalls has said that sleep is no hang before it is over.
        """
        at_fault = [peer for peer in alive if not _waits(peer, now_s)]
        sleep = all(self._surely(peer) is Activity.ASLEEP for peer in at_fault)
        if not at_fault or not sleep or self._timeouts.stall_s is not None:
            return ""
        waiting = "; ".join(self._doing(peer, now_s) for peer in alive if peer not in at_fault)
        silent_s = now_s - max(peer.heard_s for peer in at_fault)
        return (
            f"{_told(at_fault, when, 'hangs')}: asleep, without a word for {silent_s:.0f} s"
            f"{waiting and f', while {waiting}'}. Likely causes: a lock, or user code that waits "
            "for something; if it may wait that long, set timeouts.stall_s"
        )

    def _stall(self, alive: Sequence[Peer], windows: int, now_s: float) -> str:
        limit_s = self._limit_s(alive, windows, now_s)
        if now_s - self._moved_s <= limit_s:
            return ""
        longest = f" (the longest so far took {self._longest_s:.2g} s)" if self._longest_s else ""
        return (
            f"no progress for {limit_s:.4g} s: {'; '.join(self._doing(p, now_s) for p in alive)}; "
            f"raise timeouts.stall_s if a window may take that long{longest}"
        )

    def _surely(self, peer: Peer) -> Activity:
        return activity_of(peer.name, self._looks, at_least_s=SURE_AFTER_S)

    def _limit_s(self, alive: Iterable[Peer], windows: int, now_s: float) -> float:
        timeouts = self._timeouts
        if timeouts.stall_s is not None:
            return timeouts.stall_s
        if windows < warm_after(self._lookahead):
            return timeouts.start_s
        at_fault = [peer for peer in alive if not _waits(peer, now_s)]
        # Where all of them wait, a block is on its way, perhaps over a network that stands still.
        is_patient = not at_fault or any(
            activity_of(peer.name, self._looks) in _PATIENCE for peer in at_fault
        )
        return timeouts.stall_after_s(self._longest_s, PATIENT_S if is_patient else STALL_S)

    def _doing(self, peer: Peer, now_s: float) -> str:
        """Says what a participant waits for, or else what can be seen of it."""
        after = f"after {peer.windows} windows"
        if _waits(peer, now_s):
            return f"{peer.name} waits for {peer.waiting_for} {after}"
        activity = activity_of(peer.name, self._looks)
        seen = "" if activity is Activity.UNSEEN else f" and {activity.value}"
        return f"{peer.name} was last heard of {after}{seen}"


def warm_after(lookahead: int) -> int:
    """Returns after how many windows their length says something about later ones."""
    return 2 * lookahead + 2


def _alive(peers: Iterable[Peer]) -> list[Peer]:
    return [peer for peer in peers if peer.state not in FINAL]


def _told(peers: Sequence[Peer], when: Callable[[Peer], str], what: str) -> str:
    return " and ".join(f"{peer.name} {what}{when(peer)}" for peer in peers)


def _waits(peer: Peer, now_s: float) -> bool:
    return peer.waiting_for is not None and now_s - peer.heard_s < REPORT_COUNTS_S
