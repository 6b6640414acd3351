"""Window and lookahead of a run, within the limit that the delays of the connectome set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.model.experiment.tree import WindowChoice
from tvb_nest_cosim.cosim_core.model.signals import MAX_WINDOW_TICKS
from tvb_nest_cosim.cosim_core.model.timegrid import InexactTimeError, ms_of, ticks_of
from tvb_nest_cosim.orchestrator.planning.regions import Coupled, ProxyEdge
from tvb_nest_cosim.orchestrator.planning.sides import Sides

LONGEST_AUTO_TICKS = 1000
"""Longest window that ``auto`` chooses; longer ones save nothing and coarsen the progress."""

SHORTEST_HIDING_MS = 1.0
"""Windows shorter than this are not halved to hide translation behind computing."""

UNLIMITED_MS = {"nest": 2.0, "tvb": 10.0}
"""Window that ``auto`` chooses when a simulator runs alone and nothing limits it."""


@dataclass(frozen=True)
class Windows:
    """Window and lookahead, and what limits their product.

    Attributes:
        ticks: Length of a window.
        lookahead: Windows that a simulator may be ahead of the data it has seen.
        limit: The edge that limits their product; None: nothing does.
        limits_ticks: The longest product that is exact, by spiking region coupled to TVB.
    """

    ticks: int = 1
    lookahead: int = 1
    limit: ProxyEdge | None = None
    limits_ticks: Mapping[str, int] = field(default_factory=dict)


def plan_windows(
    experiment: Experiment, sides: Sides, coupled: Coupled, faults: list[Fault]
) -> Windows:
    """Finds the limit and chooses window and lookahead within it.

    Args:
        experiment: The experiment.
        sides: Which simulators take part.
        coupled: The spiking regions and the edges that couple them to TVB.
        faults: Gets a window or lookahead that is not exact or not on the grid.

    Returns:
        The windows; without meaning if a fault was found before or here.
    """
    edges, dt_ms = coupled.edges, experiment.dt_ms
    if edges is None:
        return Windows()
    limit = tightest(edges)
    alone_ms = UNLIMITED_MS["nest" if sides.nest else "tvb"]
    # A duration off the grid has been reported; the window is judged all the same.
    total_ticks = max(1, round(experiment.duration_ms / dt_ms))
    try:
        ticks, lookahead = choose_windows(experiment.window, limit, total_ticks, dt_ms, alone_ms)
    except ExperimentError as error:
        faults += error.faults
        return Windows()
    limits_ticks = {
        at.name: min(e.limit_ticks for e in edges if at.name in (e.source, e.target))
        for at in coupled.locations
        if edges
    }
    return Windows(ticks, lookahead, limit, limits_ticks)


def tightest(edges: Sequence[ProxyEdge]) -> ProxyEdge | None:
    """Returns the edge that sets the longest exact window; None without edges."""
    return min(edges, key=lambda edge: edge.limit_ticks, default=None)


def choose_windows(
    choice: WindowChoice, limit: ProxyEdge | None, total_ticks: int, dt_ms: float, alone_ms: float
) -> tuple[int, int]:
    """Picks window and lookahead.

    Args:
        choice: What the experiment asks for.
        limit: The edge that limits lookahead times window; None: nothing does.
        total_ticks: Ticks of the run; a window is never longer.
        dt_ms: Length of a tick.
        alone_ms: Length that ``auto`` takes without a limit.

    Returns:
        Window in ticks and lookahead, with lookahead * window <= limit.

    Raises:
        ExperimentError: If the choice is not exact or not on the grid.
    """
    limit_ticks = None if limit is None else limit.limit_ticks
    if choice.length_ms == "auto":
        window, lookahead = _automatic(choice, limit_ticks, dt_ms, alone_ms)
    else:
        window = _asked(choice.length_ms, dt_ms)
        fits_twice = limit_ticks is None or 2 * window <= limit_ticks
        lookahead = (2 if fits_twice else 1) if choice.lookahead == "auto" else choice.lookahead
    if limit is not None and (window < 1 or lookahead * window > limit.limit_ticks):
        raise ExperimentError([_too_long(choice, limit, window, lookahead, dt_ms)])
    return min(window, total_ticks), lookahead


def _automatic(
    choice: WindowChoice, limit_ticks: int | None, dt_ms: float, alone_ms: float
) -> tuple[int, int]:
    if choice.lookahead != "auto":
        lookahead = choice.lookahead
    elif limit_ticks is None:
        lookahead = 2
    else:
        # compared in ticks, so that windows of exactly 1 ms do not hang on binary fractions
        hides = limit_ticks // 2 >= round(SHORTEST_HIDING_MS / dt_ms)
        lookahead = 2 if hides and limit_ticks >= 2 else 1
    if limit_ticks is None:
        return max(1, round(alone_ms / dt_ms)), lookahead
    return min(limit_ticks // lookahead, LONGEST_AUTO_TICKS), lookahead


def _asked(length_ms: float, dt_ms: float) -> int:
    try:
        window = ticks_of(length_ms, dt_ms)
    except InexactTimeError as error:
        raise ExperimentError.single("window.length_ms", str(error)) from error
    if not 1 <= window <= MAX_WINDOW_TICKS:
        raise ExperimentError.single(
            "window.length_ms",
            f"{length_ms:g} ms are {window} ticks, expected 1 to {MAX_WINDOW_TICKS}",
        )
    return window


def _too_long(
    choice: WindowChoice, edge: ProxyEdge, window: int, lookahead: int, dt_ms: float
) -> Fault:
    limit_ms = ms_of(edge.limit_ticks, dt_ms)
    by = f"{limit_ms:g} ms, set by {edge.describe(dt_ms)}"
    if choice.length_ms == "auto":
        return Fault(
            "window.lookahead",
            f"a lookahead of {lookahead} needs {lookahead} windows of at least one tick within "
            f"{by}; take lookahead 1 or auto",
        )
    asked = f"{ms_of(window, dt_ms):g} ms"
    if lookahead > 1:
        asked = f"{lookahead} windows of {asked} (window.lookahead)"
    return Fault("window.length_ms", f"{asked} are not exact; the limit is {by}. Or write auto")
