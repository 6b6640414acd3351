"""A simulator as the ensemble sees it, and the loop that carries it through the windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from cosim_core.ensemble import Built, EnsemblePlan, Populations
from cosim_core.signals import Array
from cosim_core.timegrid import Window

Record = Callable[[Window, Mapping[str, Array]], None]
"""Keeps private signals of a window (monitors, spikes, multimeters) in the journal."""


class Simulator(Protocol):
    """One side of the ensemble, advancing in windows.

    Calls come in this order: ``build``, ``start``, ``prologue`` for windows 0 ... lead - 1, then
    for every window ``absorb`` (of window k - lag, from k = lag on) and ``advance``; after the
    last window ``absorb`` for the windows still due, and ``finish``. ``close`` comes at any time.
    """

    in_edge: str | None
    """Edge of the blocks that ``absorb`` gets; None: nothing comes in."""
    out_edge: str | None
    """Edge of what ``advance`` returns."""
    lag: int
    """Window k needs the block of window k - lag."""
    lead: int
    """``advance`` of window k returns the block of window k + lead."""

    def build(self, plan: EnsemblePlan, rank: int, record: Record) -> Built:
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

    def advance(self, window: Window) -> Mapping[str, Array]:
        """Simulates ``window``.

        Returns:
            The outgoing signals that cover window ``window.index + lead`` (of any content if the
            run has no such window).

        Raises:
            SimulationError: If the simulation fails; says when, where and why.
        """

    def finish(self) -> None:
        """Completes what was recorded; every window has been absorbed."""

    def close(self) -> None:
        """Releases the simulator."""
