"""The longest exact window, and the edge of the connectome that sets it.

TVB computes tick s with x_j[s - 1 - idelay]. Let both simulators need, for window k, what the
other side did up to the end of window k - L (L is the lookahead). The last tick of window k is
(k + 1) W, the last tick known is (k - L + 1) W, so for an edge that leaves a proxy::

    (k + 1) W - 1 - idelay <= (k - L + 1) W,  that is  L W <= 1 + idelay

Input to a spiking region leaves its device ``hop`` ticks before it acts, so window k needs TVB's
coupling up to tick (k + 1) W + hop, and for an edge that enters a proxy L W <= 1 + idelay - hop.
Edges between two proxies are synapses in NEST and limit nothing. Where TVB carries them as rates
instead, they cross twice, from NEST to TVB and back, each time L windows late: 2 L W <= 1 + idelay
- hop.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

import numpy as np

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.connectome import Connectome
from tvb_nest_cosim.cosim_core.model.experiment.tree import WindowChoice
from tvb_nest_cosim.cosim_core.model.signals import MAX_WINDOW_TICKS
from tvb_nest_cosim.cosim_core.model.timegrid import InexactTimeError, ms_of, ticks_of

LONGEST_AUTO_TICKS = 1000
"""Longest window that ``auto`` chooses; longer ones save nothing and coarsen the progress."""

SHORTEST_HIDING_MS = 1.0
"""Windows shorter than this are not halved to hide translation behind computing."""

UNLIMITED_MS = {"nest": 2.0, "tvb": 10.0}
"""Window that ``auto`` chooses when a simulator runs alone and nothing limits it."""

_NAMED_AT_MOST = 5


@dataclass(frozen=True)
class ProxyEdge:
    """A tract from or into a spiking region on which both simulators work.

    Attributes:
        source: Name of the region it comes from.
        target: Name of the region it leads to.
        length_mm: Its length.
        idelay: Its delay in ticks, as TVB rounds it.
        hop: Ticks that a device of the target needs; 0 for an edge that leaves a proxy.
        crossings: How often its data cross from one simulator to the other; 2 between two spiking
            regions.
    """

    source: str
    target: str
    length_mm: float
    idelay: int
    hop: int
    crossings: int = 1

    @property
    def limit_ticks(self) -> int:
        """Longest product of window and lookahead that is exact for this edge, in ticks."""
        return (1 + self.idelay - self.hop) // self.crossings

    def describe(self, dt_ms: float) -> str:
        """Names the edge, its length and its delay."""
        hop = f", of which the device takes {ms_of(self.hop, dt_ms):g} ms" if self.hop else ""
        twice = ", to be crossed twice" if self.crossings > 1 else ""
        return (
            f"the tract from {self.source} to {self.target} of {self.length_mm:g} mm "
            f"(delay {ms_of(self.idelay, dt_ms):g} ms{hop}{twice})"
        )


def proxy_edges(
    connectome: Connectome,
    region: int,
    hops: Mapping[int, int],
    carried: Container[int],
    dt_ms: float,
) -> tuple[list[ProxyEdge], list[ProxyEdge]]:
    """Lists the edges of one spiking region on which both simulators work.

    Args:
        connectome: The connectome.
        region: Index of the spiking region.
        hops: Hop in ticks of every spiking region, by index.
        carried: Spiking regions into which TVB carries the rates of other spiking regions.
        dt_ms: Length of a tick.

    Returns:
        Edges that enter the region and edges that leave it.
    """
    others = np.array([i for i in range(len(connectome.labels)) if i not in hops], dtype=np.int64)
    idelays = connectome.idelays(dt_ms)

    def edge(target: int, source: int, hop: int, crossings: int = 1) -> ProxyEdge:
        return ProxyEdge(
            connectome.labels[source],
            connectome.labels[target],
            float(connectome.lengths_mm[target, source]),
            int(idelays[target, source]),
            hop,
            crossings,
        )

    into = others[connectome.weights[region, others] > 0]
    out = others[connectome.weights[others, region] > 0]
    sources = [j for j in hops if region in carried and connectome.weights[region, j] > 0]
    targets = [i for i in hops if i in carried and connectome.weights[i, region] > 0]
    return (
        [
            *(edge(region, int(j), hops[region]) for j in into),
            *(edge(region, j, hops[region], crossings=2) for j in sources),
        ],
        [
            *(edge(int(i), region, 0) for i in out),
            *(edge(i, region, hops[i], crossings=2) for i in targets),
        ],
    )


def limiting_edge(
    connectome: Connectome, hops: Mapping[int, int], carried: Container[int], dt_ms: float
) -> ProxyEdge | None:
    """Returns the edge that sets the longest exact window; None without proxy edges."""
    edges = [
        edge
        for region in hops
        for side in proxy_edges(connectome, region, hops, carried, dt_ms)
        for edge in side
    ]
    return min(edges, key=lambda edge: edge.limit_ticks, default=None)


def edge_faults(
    connectome: Connectome,
    hops: Mapping[int, int],
    carried: Container[int],
    paths: Mapping[int, str],
    dt_ms: float,
) -> list[Fault]:
    """Finds spiking regions that cannot be coupled exactly, or at all.

    Args:
        connectome: The connectome.
        hops: Hop in ticks of every spiking region, by index.
        carried: Spiking regions into which TVB carries the rates of other spiking regions.
        paths: Key path of every spiking region, by index.
        dt_ms: Length of a tick.
    """
    faults = []
    for region, path in paths.items():
        name = connectome.labels[region]
        into, out = proxy_edges(connectome, region, hops, carried, dt_ms)
        for edges, what in (
            (into, f"comes into {name} from"),
            (out, f"leaves {name} for"),
        ):
            if not edges:
                faults.append(
                    Fault(
                        path,
                        f"no tract {what} a mean-field region, so it cannot take part in a closed "
                        "loop; choose another region or connectome",
                    )
                )
        zero = [edge for edge in (*into, *out) if edge.length_mm == 0]
        short = [edge for edge in (*into, *out) if edge.length_mm > 0 and edge.limit_ticks < 1]
        if zero:
            faults.append(Fault(path, _zero_length(zero)))
        if short:
            faults.append(Fault(path, _too_short(short, dt_ms)))
    return faults


def _zero_length(edges: list[ProxyEdge]) -> str:
    return (
        f"tracts of length zero: {_names(edges)}; a spiking region needs a delay on every tract. "
        "Give these tracts a length or the weight 0 in the connectome, or choose another region"
    )


def _too_short(edges: list[ProxyEdge], dt_ms: float) -> str:
    worst = min(edges, key=lambda edge: edge.limit_ticks)
    return (
        f"tracts too short for an exact exchange at dt_ms = {dt_ms:g}: {_names(edges)}; "
        f"{worst.describe(dt_ms)} leaves no whole tick between two exchanges. Lower "
        "connectome.speed_mm_per_ms or dt_ms, or check connectome.length_unit_mm"
    )


def _names(edges: list[ProxyEdge]) -> str:
    named = ", ".join(f"{edge.source} to {edge.target}" for edge in edges[:_NAMED_AT_MOST])
    rest = len(edges) - _NAMED_AT_MOST
    return f"{named} and {rest} more" if rest > 0 else named


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
        ExperimentError: If what is asked for is not exact or not on the grid.
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
    if limit_ticks is None:
        return max(1, round(alone_ms / dt_ms)), 2 if choice.lookahead == "auto" else (
            choice.lookahead
        )
    if choice.lookahead == "auto":
        # compared in ticks, so that windows of exactly 1 ms do not hang on binary fractions
        hides = limit_ticks // 2 >= round(SHORTEST_HIDING_MS / dt_ms)
        lookahead = 2 if hides and limit_ticks >= 2 else 1
    else:
        lookahead = choice.lookahead
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
