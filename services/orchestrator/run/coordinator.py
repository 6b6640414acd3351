"""Decisions about a run: events in, messages out. No sockets, no clock, no processes.

A run begins in two steps. When everybody has built its side, all are started, but at a horizon of
zero: each learns what the others have built and halts before the first window. One that cannot go
on from there refuses the experiment; when all have arrived, the horizon opens.

The coordinator owns the *horizon*, the number of windows that may be entered. It moves it ahead
in credits from the participants' progress reports, so that no round trip is on the hot path, and
yet everybody pauses, steps and stops at the same window.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pydantic import ValidationError

from tvb_nest_cosim.cosim_core.errors import Fault, ProtocolError
from tvb_nest_cosim.cosim_core.model.plan import Built, RunPlan, merged
from tvb_nest_cosim.cosim_core.wire.bounded_log import BoundedLog
from tvb_nest_cosim.cosim_core.wire.lifecycle import FINAL, State, after
from tvb_nest_cosim.cosim_core.wire.protocol import (
    Abort,
    AnyMessage,
    Configure,
    Done,
    Failed,
    Hello,
    Horizon,
    Progress,
    Ready,
    Refused,
    Start,
    Stop,
    peer_name,
)
from tvb_nest_cosim.orchestrator.run.liveness import Liveness
from tvb_nest_cosim.orchestrator.run.peers import Outcome, Peer, Send, unwelcome

_logger = logging.getLogger(__name__)

CAUSE_WITHIN_S = 1.5
"""How long the cause of a broken connection may take to show; mpirun needs a second to report that
a rank has died, and which."""

STOPPED_S = 1.0
"""Ticks further apart than this mean that this process was itself stopped (Ctrl-Z), which is no
stall of the participants."""

CREDIT_S = 0.25
"""How much wall time of windows the horizon runs ahead of the slowest participant."""

MAX_CREDIT = 4096


class Coordinator:
    """Decides for one run.

    Args:
        plan: Plan of the run; kept as ``plan``.
        data_endpoint: Where the translator shall bind.
        now_s: Present time on any steady clock.
        only_build: End with ``validated`` as soon as everybody stands before the first window.
    """

    def __init__(
        self,
        plan: RunPlan,
        data_endpoint: str,
        now_s: float,
        *,
        only_build: bool = False,
    ) -> None:
        self.plan = plan
        self._data_endpoint = data_endpoint
        self._only_build = only_build
        self._windows = plan.grid.window_count
        self.turned_away = BoundedLog(_logger)
        self._began_s = self._ticked_s = now_s
        self._timeouts = plan.experiment.timeouts
        self.liveness = Liveness(self._timeouts, plan.lookahead, now_s)
        self._is_built = False
        self._opened_s: float | None = None
        self._consequence: tuple[float, Outcome] | None = None
        self._faults: list[Fault] = []
        self._stop_cause: str | None = None
        self._paused = False
        self.horizon = 0
        self.outcome: Outcome | None = None
        names = [
            peer_name(role, rank)
            for role, ranks in plan.participants.items()
            for rank in range(ranks)
        ]
        self.peers = {name: Peer(name, heard_s=now_s) for name in names}

    # State

    @property
    def windows(self) -> int:
        """Windows that every participant has completed."""
        return min(peer.windows for peer in self.peers.values())

    @property
    def is_running(self) -> bool:
        """Whether windows are being computed."""
        return self._opened_s is not None and self.outcome is None

    def built(self) -> Built:
        """Puts together what the participants have built."""
        return merged(peer.built for peer in self.peers.values())

    # Events

    def hear(self, name: str, message: AnyMessage, now_s: float) -> list[Send]:
        """Takes a message of a participant.

        Raises:
            ProtocolError: If the message is not due; nothing has changed then.
        """
        peer = self.peers.get(name)
        if peer is None:
            return self._turn_away(name, f"{name} is not a participant of this run")
        if isinstance(message, Hello) and (wrong := unwelcome(message, name, self.plan)):
            return self._turn_away(name, wrong)
        peer.state = after(peer.state, message.kind, name)
        peer.heard_s = now_s
        match message:
            case Hello():
                _logger.info("%s has come", name)
                peer.host, peer.pid = message.host, message.pid
                return self._configure(peer)
            case Ready():
                return self._note_ready(peer, message, now_s)
            case Refused():
                self._faults += [Fault(f.path, f.message, f.detail) for f in message.faults]
                return self._when_all_have_answered(now_s)
            case Progress() | Done():
                return self._note_progress(peer, message, now_s)
            case Failed():
                return self.fail(f"{name}: {message.cause}", message.detail)
        return []

    def lose(
        self,
        names: Sequence[str],
        how: str,
        detail: str = "",
        *,
        now_s: float,
        is_consequence: bool = False,
    ) -> list[Send]:
        """Takes the end of a process.

        Args:
            names: The participants that it was, the one that ended it all first.
            how: What happened to it, e.g. "was killed by signal 9 (SIGKILL)".
            detail: Its last words.
            now_s: Present time.
            is_consequence: Whether it ended because others were gone; then the run waits a
                moment for the cause to show.
        """
        lost = [self.peers[name] for name in names]
        unfinished = [peer for peer in lost if peer.state not in FINAL]
        for peer in lost:
            peer.state = State.GONE
        if not unfinished or self.outcome is not None:
            return []
        if self._faults:
            # Only before the start. mpirun ends the other ranks when one refuses: the faults count.
            return self._when_all_have_answered(now_s)
        first = unfinished[0]
        cause = f"{first.name} {how}{self._when(first)}"
        outcome = self._outcome_of_loss(cause, detail)
        if not is_consequence:
            return self._end(outcome)
        if self._consequence is None:
            self._consequence = (now_s, outcome)
        return []

    def _outcome_of_loss(self, cause: str, detail: str) -> Outcome:
        """Calls it no failure if the run was to end anyway: ``scancel`` ends all at once."""
        if self._stop_cause is None:
            return Outcome("failed", cause, detail)
        return Outcome("interrupted", f"{self._stop_cause}; {cause}", detail)

    def tick(self, now_s: float) -> list[Send]:
        """Takes the passing of time: gives up what takes too long."""
        if self.outcome is not None:
            return []
        self._forget_own_stop(now_s)
        if self._consequence is not None and now_s - self._consequence[0] > CAUSE_WITHIN_S:
            return self._end(self._consequence[1])
        if self._opened_s is None and now_s - self._began_s > self._timeouts.start_s:
            return self._give_up_building()
        windows = self.windows if self.is_running else None
        peers = self.peers.values()
        cause = "" if self._paused else self.liveness.judge(peers, windows, now_s, self._when)
        return self.fail(cause) if cause else []

    def _give_up_building(self) -> list[Send]:
        if self._faults:
            return self._refuse()
        late = [p.name for p in self.peers.values() if not self._has_answered(p)]
        return self.fail(
            f"{', '.join(late)} did not get ready within {self._timeouts.start_s:g} s; "
            "raise timeouts.start_s if the network is that large"
        )

    def _forget_own_stop(self, now_s: float) -> None:
        """Does not count time in which this process could not have heard anybody."""
        gap_s = now_s - self._ticked_s
        self._ticked_s = now_s
        if gap_s > STOPPED_S:
            self._began_s += gap_s
            self.liveness.restart(now_s)
            for peer in self.peers.values():
                peer.heard_s = now_s

    # Commands

    def stop(self, cause: str) -> list[Send]:
        """Ends the run in good order at the horizon; at once if it has not started."""
        if self.outcome is not None or self._stop_cause is not None:
            return []
        self._stop_cause = cause
        if self._opened_s is None:
            return self._end(Outcome("interrupted", cause))
        return self._to_all(Stop(before=self.horizon))

    def abort(self, cause: str) -> list[Send]:
        """Ends the run now."""
        return [] if self.outcome else self._end(Outcome("interrupted", cause))

    def pause(self) -> None:
        """Lets everybody halt at the present horizon."""
        self._paused = True

    def resume(self, now_s: float) -> list[Send]:
        """Goes on after a pause."""
        self._paused = False
        self.liveness.restart(now_s)
        return self._extend(now_s)

    def step(self, windows: int) -> list[Send]:
        """Lets a paused run do so many windows more."""
        return self._move_horizon(self.horizon + windows)

    def fail(self, cause: str, detail: str = "") -> list[Send]:
        """Ends the run as failed; the first cause counts."""
        if self.outcome is not None:
            return []
        return self._end(Outcome("failed", cause, detail))

    # Decisions

    def _turn_away(self, name: str, reason: str) -> list[Send]:
        self.turned_away.warning(f"turned away: {reason}")
        return [(name, Abort(reason=reason))]

    def _configure(self, peer: Peer) -> list[Send]:
        if self.outcome is not None:
            return [(peer.name, Abort(reason=self.outcome.cause or self.outcome.kind))]
        message = Configure(
            plan=self.plan.model_dump(mode="json"), data_endpoint=self._data_endpoint
        )
        peer.state = after(peer.state, message.kind, peer.name)
        return [(peer.name, message)]

    def _note_ready(self, peer: Peer, message: Ready, now_s: float) -> list[Send]:
        try:
            peer.built = Built.model_validate(message.built)
        except ValidationError as error:
            raise ProtocolError(
                f"{peer.name} reports what it has built in a form that is not valid: {error}"
            ) from error
        _logger.info("%s has built its side", peer.name)
        if message.data_endpoint is not None:
            self._data_endpoint = message.data_endpoint
        return self._when_all_have_answered(now_s)

    def _when_all_have_answered(self, now_s: float) -> list[Send]:
        """Leads on when everybody has built, and again when everybody has begun."""
        if self.outcome is not None or not all(map(self._has_answered, self.peers.values())):
            return []
        if self._faults:
            return self._refuse()
        if not self._is_built:
            self._is_built = True
            return self._start()
        if self._only_build:
            return self._end(Outcome("validated"))
        self._opened_s = now_s
        self.liveness.restart(now_s)
        return self._move_horizon(self._least_credit())

    def _start(self) -> list[Send]:
        has_data = bool(self.plan.edges)
        return self._to_all(
            Start(
                populations=self.plan.rows_of_rates(self.built().populations),
                data_endpoint=self._data_endpoint if has_data else None,
                horizon=0,
            )
        )

    def _has_answered(self, peer: Peer) -> bool:
        """Tells whether it has said if it can build, or begin; who refused may have left."""
        if peer.state in (State.REFUSED, State.GONE):
            return True
        return peer.has_begun if self._is_built else peer.state is State.READY

    def _refuse(self) -> list[Send]:
        unique = tuple(dict.fromkeys(self._faults))
        return self._end(Outcome("refused", "the experiment cannot be built", faults=unique))

    def _note_progress(self, peer: Peer, message: Progress | Done, now_s: float) -> list[Send]:
        waiting_for = message.waiting_for if isinstance(message, Progress) else None
        if message.windows > peer.windows:
            is_prompt = waiting_for is None and not self._paused
            self.liveness.note_move(self.windows, now_s, is_prompt=is_prompt)
        peer.windows, peer.waiting_for = message.windows, waiting_for
        peer.compute_s, peer.wait_s = message.compute_s, message.wait_s
        if self._opened_s is None:
            peer.has_begun = True
            return self._when_all_have_answered(now_s)
        if self.outcome is not None:
            return []
        ended = all(p.state in (State.DONE, State.GONE) for p in self.peers.values())
        if ended and self._consequence is None:
            return self._complete()
        return [] if self._paused else self._extend(now_s)

    def _complete(self) -> list[Send]:
        if self.windows == self._windows:
            self.outcome = Outcome("finished")
        else:
            self.outcome = Outcome("interrupted", self._stop_cause or "it was asked to stop")
        return []

    def _least_credit(self) -> int:
        return 2 * self.plan.lookahead + 2

    def _extend(self, now_s: float) -> list[Send]:
        if self._opened_s is None:
            return []
        elapsed_s = max(now_s - self._opened_s, 1e-3)
        credit = int(self.windows / elapsed_s * CREDIT_S)
        credit = max(self._least_credit(), min(credit, MAX_CREDIT))
        target = self.windows + credit
        # Small moves would cost a message each and gain nothing.
        if target >= self._windows or target - self.horizon >= max(1, credit // 4):
            return self._move_horizon(target)
        return []

    def _move_horizon(self, until: int) -> list[Send]:
        until = min(until, self._windows)
        if until <= self.horizon or not self.is_running or self._stop_cause is not None:
            return []
        self.horizon = until
        return self._to_all(Horizon(until=until))

    def _to_all(self, message: AnyMessage) -> list[Send]:
        sends = []
        for peer in self.peers.values():
            if peer.state not in (State.LAUNCHED, State.GONE):
                peer.state = after(peer.state, message.kind, peer.name)
                sends.append((peer.name, message))
        return sends

    def _end(self, outcome: Outcome) -> list[Send]:
        self.outcome = outcome
        return self._to_all(Abort(reason=outcome.cause or outcome.kind))

    def _when(self, peer: Peer) -> str:
        """Says how far a participant had come."""
        if self.is_running:
            return f" at window {peer.windows} of {self._windows}"
        return " while the run was built"
