"""A simulator as the ensemble sees it, and the loop that carries it through the windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tvb_nest_cosim.cosim_core.model.plan import Built, Populations, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import Array, Block, KeepSignals
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.cosim_core.participant.link import Link
from tvb_nest_cosim.cosim_core.run_dir.recorder import Recorder
from tvb_nest_cosim.cosim_core.wire.protocol import Start


class Simulator(Protocol):
    """One side of the ensemble, advancing in windows.

    Calls come in this order: ``build``, ``start``, ``prologue`` for windows 0 ... lead - 1, then
    for every window ``absorb`` (of window k - lag, from k = lag on), ``advance`` and ``read``;
    after the last window ``absorb`` for the windows still due, and ``finish``. ``close`` comes at
    any time.
    """

    in_edge: str | None
    """Edge of the blocks that ``absorb`` gets; None: nothing comes in."""
    out_edge: str | None
    """Edge of what ``read`` returns."""
    lag: int
    """Window k needs the block of window k - lag."""
    lead: int
    """``read`` of window k returns the block of window k + lead."""

    def build(self, plan: RunPlan, rank: int, record: KeepSignals) -> Built:
        """Builds everything that the run needs.

        Args:
            plan: The plan of the run.
            rank: Rank of this process.
            record: Keeps private signals per window.

        Returns:
            What was built; the populations of the spiking regions if this is NEST.

        Raises:
            ExperimentError: With all faults found.
        """

    def start(self, populations: Populations) -> None:
        """Learns the populations that NEST has built, just before the first window."""

    def prologue(self, window: Window) -> Mapping[str, Array]:
        """Returns the outgoing signals of a window that are known before the run starts."""

    def absorb(self, window: Window, arrays: Mapping[str, Array]) -> None:
        """Takes the incoming signals that cover ``window``."""

    def advance(self, window: Window) -> None:
        """Simulates ``window``.

        Raises:
            SimulationError: If the simulation fails; says when, where and why.
        """

    def read(self, window: Window) -> Mapping[str, Array]:
        """Reads out what came of ``window``, just simulated, and records it.

        Returns:
            The outgoing signals that cover window ``window.index + lead`` (of any content if the
            run has no such window).

        Raises:
            SimulationError: If what came of it cannot be used.
        """

    def finish(self) -> None:
        """Completes what was recorded; every window has been absorbed."""

    def close(self) -> None:
        """Releases the simulator."""


def run_windows(
    simulator: Simulator, link: Link, plan: RunPlan, recorder: Recorder, start: Start
) -> None:
    """Carries a simulator through the windows of a run, or up to where it is told to stop.

    Raises:
        CosimError: As the simulator and the link raise.
    """
    loop = _Loop(simulator, link, plan, recorder)
    simulator.start(start.populations)
    loop.prologue()
    windows = 0
    while windows < plan.grid.window_count and link.may_enter(windows):
        loop.step(plan.grid.window(windows))
        windows += 1
        link.completed(windows)
    loop.epilogue(windows)
    simulator.finish()


class _Loop:
    """One window after the other: take what is due, compute, send."""

    def __init__(self, simulator: Simulator, link: Link, plan: RunPlan, recorder: Recorder) -> None:
        self._simulator = simulator
        self._link = link
        self._grid = plan.grid
        self._recorder = recorder
        self._timeouts = plan.experiment.timeouts

    def prologue(self) -> None:
        if self._simulator.out_edge is not None:
            for index in range(min(self._simulator.lead, self._grid.window_count)):
                window = self._grid.window(index)
                self._send(window, self._simulator.prologue(window))

    def step(self, window: Window) -> None:
        if window.index >= self._simulator.lag:
            self._absorb(window.index - self._simulator.lag)
        with self._recorder.phase("advance"):
            self._simulator.advance(window)
        with self._recorder.phase("read"):
            arrays = self._simulator.read(window)
        target = window.index + self._simulator.lead
        if target < self._grid.window_count:
            self._send(self._grid.window(target), arrays)
        self._recorder.end_window()

    def epilogue(self, windows: int) -> None:
        """Takes the blocks that the last windows did not need, so that results are complete."""
        for index in range(max(0, windows - self._simulator.lag), windows):
            self._absorb(index)

    def _absorb(self, index: int) -> None:
        edge = self._simulator.in_edge
        if edge is None:
            return
        with self._recorder.phase("wait"):
            patience_s = self._timeouts.backstop_s(self._link.longest_window_s)
            (block,) = self._link.blocks(edge, index, patience_s)
        with self._recorder.phase("absorb"):
            self._simulator.absorb(self._grid.window(index), block.arrays)

    def _send(self, window: Window, arrays: Mapping[str, Array]) -> None:
        edge = self._simulator.out_edge
        if edge is not None:
            with self._recorder.phase("encode"):
                block = Block(edge, window.index, self._link.identity.rank, dict(arrays))
                frames = self._link.frames_of(block)
            with self._recorder.phase("send"):
                self._link.send_frames(frames)
