"""The translator's loop: blocks of either direction are translated as soon as they are complete.

The two directions are independent *lanes*, each in order of windows. A lane whose side of the
ensemble is absent takes its input from a stand-in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.errors import ParticipantLost
from tvb_nest_cosim.cosim_core.model.plan import Built, Populations, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import (
    NEST_TO_TRANSLATOR,
    TRANSLATOR_TO_NEST,
    TRANSLATOR_TO_TVB,
    TVB_TO_TRANSLATOR,
    Array,
    Block,
    KeepSignals,
    receiver_of,
)
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.cosim_core.participant.link import Link
from tvb_nest_cosim.cosim_core.run_dir.recorder import Recorder
from tvb_nest_cosim.cosim_core.wire.protocol import Frames, Start, peer_name

Arrays = Mapping[str, Array]


class Translation(Protocol):
    """What translates; windows come in order, each once per direction."""

    def build(self, record: KeepSignals) -> Built:
        """Resolves user classes and stand-ins; raises ExperimentError with all faults."""

    def start(self, populations: Populations) -> None:
        """Learns the populations that NEST has built."""

    def drive(self, window: Window, coupling: Arrays) -> Arrays:
        """Turns TVB's coupling into what the devices of the spiking regions emit."""

    def rates(self, window: Window, ranks: Sequence[Arrays]) -> Arrays:
        """Turns what NEST's ranks counted into rates."""

    def coupling_of(self, window: Window) -> Arrays:
        """Returns the coupling of a stand-in for TVB."""

    def rates_of(self, window: Window) -> Arrays:
        """Returns the rates of a stand-in for NEST."""


class _Lane:
    """One direction: take input, translate, send to every process of the receiver."""

    def __init__(self, relay: _Relay, source: str | None, target: str | None) -> None:
        self._relay, self._source, self._target = relay, source, target
        self.next = 0

    def has_input(self) -> bool:
        relay = self._relay
        if self.next >= relay.last():
            return False
        if self._source is not None:
            return relay.link.inbox.has(self._source, self.next)
        # A stand-in has everything at once. It is given the lead that the side it replaces could
        # have at most, so that no more is on its way than in a co-simulation.
        return self.next < relay.answered(self) + 2 * relay.plan.lookahead

    def step(self, translate: Callable[[Window, list[Arrays]], Arrays]) -> None:
        relay = self._relay
        window = relay.grid.window(self.next)
        blocks = [] if self._source is None else relay.link.inbox.take(self._source, self.next)
        # First kept, then used: no result may outlive the data that it was made of.
        for block in blocks:
            relay.recorder.received(block)
        with relay.recorder.phase("advance"):
            arrays = translate(window, [block.arrays for block in blocks])
        if self._target is not None:
            relay.send(self._target, window, arrays)
        self.next += 1


class _Relay:
    """Both lanes and what they share."""

    def __init__(
        self, translation: Translation, link: Link, plan: RunPlan, recorder: Recorder
    ) -> None:
        self.translation, self.link, self.plan, self.recorder = translation, link, plan, recorder
        self.grid = plan.grid
        edges = plan.edges
        self._lanes: list[tuple[_Lane, Callable[[Window, list[Arrays]], Arrays]]] = []
        for source, target, translate in (
            (TVB_TO_TRANSLATOR, TRANSLATOR_TO_NEST, self._to_nest),
            (NEST_TO_TRANSLATOR, TRANSLATOR_TO_TVB, self._to_tvb),
        ):
            if source in edges or target in edges:
                lane = _Lane(
                    self, source if source in edges else None, target if target in edges else None
                )
                self._lanes.append((lane, translate))

    def run(self) -> None:
        timeouts = self.plan.experiment.timeouts
        done = 0
        while done < self.last():
            self._pause_if_told(done)
            with self.recorder.phase("wait"):
                self.link.wait_until(
                    lambda: any(lane.has_input() for lane, _ in self._lanes) or self._over(),
                    Deadline.after(timeouts.backstop_s(self.link.longest_window_s)),
                    self._lacks,
                )
            for lane, translate in self._lanes:
                while lane.has_input():
                    lane.step(translate)
            completed = min(lane.next for lane, _ in self._lanes)
            for _ in range(completed - done):
                self.recorder.end_window()
            done = completed
            self.link.completed(done)

    def last(self) -> int:
        """Returns the number of windows of the run, or before which it was told to stop."""
        return self.grid.window_count if self.link.end is None else self.link.end

    def send(self, edge: str, window: Window, arrays: Arrays) -> None:
        with self.recorder.phase("encode"):
            frames = self.link.frames_of(Block(edge, window.index, 0, arrays))
        role = receiver_of(edge)
        with self.recorder.phase("send"):
            for rank in range(self.plan.participants[role]):
                self._send_to(peer_name(role, rank), window, frames)

    def _send_to(self, peer: str, window: Window, frames: Frames) -> None:
        try:
            self.link.send_frames(frames, peer)
        except ParticipantLost:
            # After a stop, who needs nothing more may have left before this window was due.
            if not self.link.ends_before(window.index):
                raise

    def answered(self, lane: _Lane) -> int:
        """Returns how many windows the receiver of a lane has sent back."""
        return min(other.next for other, _ in self._lanes if other is not lane)

    def _over(self) -> bool:
        return min(lane.next for lane, _ in self._lanes) >= self.last()

    def _pause_if_told(self, done: int) -> None:
        """Waits at the horizon like everybody: what is beyond it is not due, so not missing."""
        if done >= self.link.horizon:
            self.link.may_enter(done)

    def _lacks(self) -> str:
        missing = []
        for source in (TVB_TO_TRANSLATOR, NEST_TO_TRANSLATOR):
            if source in self.plan.edges:
                missing.append(self.link.inbox.lacks(source))
        return " or ".join(missing)

    def _to_nest(self, window: Window, ranks: list[Arrays]) -> Arrays:
        if TRANSLATOR_TO_NEST not in self.plan.edges:
            return {}
        coupling = ranks[0] if ranks else self.translation.coupling_of(window)
        return self.translation.drive(window, coupling)

    def _to_tvb(self, window: Window, ranks: list[Arrays]) -> Arrays:
        if ranks:
            return self.translation.rates(window, ranks)
        return self.translation.rates_of(window)


def run_relay(
    translation: Translation, link: Link, plan: RunPlan, recorder: Recorder, start: Start
) -> None:
    """Translates every window of a run, or up to where it is told to stop.

    Raises:
        CosimError: As the translation and the link raise.
    """
    translation.start(start.populations)
    link.await_peers(plan.experiment.timeouts.start_s)
    _Relay(translation, link, plan, recorder).run()
