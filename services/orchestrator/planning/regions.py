"""Spiking regions in the connectome, and the tracts on which both simulators work.

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

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.connectome import Connectome
from tvb_nest_cosim.cosim_core.model.experiment import HOP_TICKS, Experiment
from tvb_nest_cosim.cosim_core.model.timegrid import ms_of
from tvb_nest_cosim.orchestrator.planning.sides import Sides

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


@dataclass(frozen=True)
class Location:
    """Where a spiking region is declared and where it lies in the connectome.

    Attributes:
        name: Its name.
        index: Index in the connectome.
        group: Index of its group in ``spiking``.
        path: Key path at which it is declared.
    """

    name: str
    index: int
    group: int
    path: str


@dataclass(frozen=True)
class Coupled:
    """Spiking regions, and how they are coupled to TVB.

    Attributes:
        locations: The spiking regions, in the order declared.
        edges: Tracts on which both simulators work; None: no window fits some of them.
    """

    locations: list[Location]
    edges: list[ProxyEdge] | None


def couple(
    experiment: Experiment, connectome: Connectome, sides: Sides, faults: list[Fault]
) -> Coupled:
    """Finds the spiking regions in the connectome and the tracts that couple them to TVB.

    Args:
        experiment: The experiment.
        connectome: Its connectome.
        sides: Which simulators take part.
        faults: Gets regions that do not exist, are declared twice or cannot be coupled.
    """
    locations = _locate(experiment, connectome, faults)
    if not sides.proxies:
        return Coupled(locations, [])
    groups, dt_ms = experiment.spiking, experiment.dt_ms
    hops = {at.index: HOP_TICKS[groups[at.group].drive.kind] for at in locations}
    carried = {at.index for at in locations if groups[at.group].tracts.mode == "rates"}
    edges = proxy_edges(connectome, hops, carried, dt_ms)
    uncoupled = _edge_faults(edges, {at.name: at.path for at in locations}, dt_ms)
    faults += uncoupled
    return Coupled(locations, None if uncoupled else edges)


def _locate(experiment: Experiment, connectome: Connectome, faults: list[Fault]) -> list[Location]:
    """Finds the spiking regions, in the order declared."""
    located: dict[str, Location] = {}
    for group, declared in enumerate(experiment.spiking):
        for position, name in enumerate(declared.regions):
            path = f"spiking.{group}.regions.{position}"
            try:
                index = connectome.index(name)
            except KeyError as error:
                faults.append(Fault(path, error.args[0]))
                continue
            if name in located:
                faults.append(Fault(path, f"'{name}' is spiking already, at {located[name].path}"))
            else:
                located[name] = Location(name, index, group, path)
    return list(located.values())


def proxy_edges(
    connectome: Connectome, hops: Mapping[int, int], carried: Container[int], dt_ms: float
) -> list[ProxyEdge]:
    """Lists every edge on which both simulators work, region by region, each once.

    Args:
        connectome: The connectome.
        hops: Hop in ticks of every spiking region, by index.
        carried: Spiking regions into which TVB carries the rates of other spiking regions.
        dt_ms: Length of a tick.
    """
    weights, idelays = connectome.weights, connectome.idelays(dt_ms)
    others = np.array([i for i in range(len(connectome.labels)) if i not in hops], dtype=np.int64)

    def edge(target: int, source: int, crossings: int = 1) -> ProxyEdge:
        return ProxyEdge(
            connectome.labels[source],
            connectome.labels[target],
            float(connectome.lengths_mm[target, source]),
            int(idelays[target, source]),
            hops.get(target, 0),
            crossings,
        )

    edges: list[ProxyEdge] = []
    for region in hops:
        sources = [j for j in hops if region in carried and weights[region, j] > 0]
        targets = [i for i in hops if i in carried and weights[i, region] > 0]
        edges += [edge(region, int(j)) for j in others[weights[region, others] > 0]]
        edges += [edge(region, j, crossings=2) for j in sources]
        edges += [edge(int(i), region) for i in others[weights[others, region] > 0]]
        edges += [edge(i, region, crossings=2) for i in targets]
    return list(dict.fromkeys(edges))  # an edge between two spiking regions was found from both


def _edge_faults(edges: Sequence[ProxyEdge], paths: Mapping[str, str], dt_ms: float) -> list[Fault]:
    """Finds spiking regions, by name and key path, that cannot be coupled exactly, or at all."""
    faults = []
    for name, path in paths.items():
        into = [edge for edge in edges if edge.target == name]
        out = [edge for edge in edges if edge.source == name]
        for side, what in ((into, f"comes into {name} from"), (out, f"leaves {name} for")):
            if not side:
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
