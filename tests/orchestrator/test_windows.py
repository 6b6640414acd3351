"""The longest exact window: golden numbers, and a brute-force account of who knows what when."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator_cases import ADEX, changed, connectome, faults_of, plan_of
from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.model.connectome import Connectome
from tvb_nest_cosim.cosim_core.model.experiment.tree import WindowChoice
from tvb_nest_cosim.orchestrator.planning.regions import ProxyEdge, proxy_edges
from tvb_nest_cosim.orchestrator.planning.windows import (
    LONGEST_AUTO_TICKS,
    choose_windows,
    tightest,
)

DT_MS = 0.1


def limit_of(
    network: Connectome, hops: Mapping[int, int], carried: Collection[int], dt_ms: float
) -> ProxyEdge | None:
    return tightest(proxy_edges(network, hops, carried, dt_ms))


def test_limit_of_edges_into_a_proxy_loses_the_hop() -> None:
    edge = limit_of(connectome(), {0: 1, 1: 2}, (), DT_MS)
    assert edge is not None
    # 3 mm at 1 mm/ms are 30 ticks; 1 + 30 - 2 hops of region 1
    assert (edge.limit_ticks, edge.target, edge.hop) == (29, "beta", 2)


def test_limit_of_edges_out_of_a_proxy_has_no_hop() -> None:
    lengths = np.full((4, 4), 3.0)
    lengths[2, 0] = 1.0
    edge = limit_of(connectome(lengths_mm=lengths), {0: 2}, (), DT_MS)
    assert edge is not None
    assert (edge.limit_ticks, edge.source, edge.target) == (11, "alpha", "gamma")


def test_edges_between_proxies_or_without_weight_limit_nothing() -> None:
    weights, lengths = np.full((4, 4), 0.5), np.full((4, 4), 3.0)
    lengths[0, 1] = lengths[1, 0] = 0.1
    lengths[2, 0], weights[2, 0] = 0.0, 0.0
    edge = limit_of(connectome(weights, lengths), {0: 1, 1: 1}, (), DT_MS)
    assert edge is not None
    assert edge.limit_ticks == 30


def violates(
    network: Connectome, hops: dict[int, int], carried: set[int], window: int, lookahead: int
) -> bool:
    """Plays windows tick by tick and tells whether anybody needs what is not known yet.

    Written from the meaning of the words alone: before window k either side has all data of the
    other up to the end of window k - lookahead, and nothing after it. What TVB says of spiking
    regions in turn it had to hear from NEST before.
    """
    idelays = network.idelays(DT_MS)
    others = [i for i in range(len(network.labels)) if i not in hops]
    for k in range(3 * lookahead + 2):
        known = max(0, (k - lookahead + 1) * window)
        for tick in range(k * window + 1, (k + 1) * window + 1):
            for proxy, hop in hops.items():
                for other in others:
                    outgoing = tick - 1 - idelays[other, proxy]
                    if network.weights[other, proxy] > 0 and outgoing > known:
                        return True
                    # what a device emits at this tick acts hop ticks later
                    incoming = tick + hop - 1 - idelays[proxy, other]
                    if network.weights[proxy, other] > 0 and incoming > known:
                        return True
                heard = max(0, (k - 2 * lookahead + 1) * window)
                for other in hops if proxy in carried else ():
                    incoming = tick + hop - 1 - idelays[proxy, other]
                    if network.weights[proxy, other] > 0 and incoming > heard:
                        return True
    return False


@st.composite
def coupled(draw: st.DrawFn) -> tuple[Connectome, dict[int, int], set[int]]:
    ticks = st.integers(1, 12)
    lengths = np.array(draw(st.lists(ticks, min_size=16, max_size=16))).reshape(4, 4) * DT_MS
    present = draw(st.lists(st.booleans(), min_size=16, max_size=16))
    weights = np.where(np.array(present).reshape(4, 4), 0.5, 0.0)
    hops = {0: draw(st.integers(1, 2))}
    if draw(st.booleans()):
        hops[2] = draw(st.integers(1, 2))
    carried = set(hops) if draw(st.booleans()) else set()
    return connectome(weights, lengths), hops, carried


@given(coupled(), st.sampled_from((1, 2)))
def test_limit_is_what_brute_force_finds(
    case: tuple[Connectome, dict[int, int], set[int]], lookahead: int
) -> None:
    network, hops, carried = case
    edge = limit_of(network, hops, carried, DT_MS)
    assume(edge is not None)
    assert edge is not None
    longest = edge.limit_ticks // lookahead
    assert longest < 1 or not violates(network, hops, carried, longest, lookahead)
    assert violates(network, hops, carried, longest + 1, lookahead)


def edge_of(limit_ticks: int) -> ProxyEdge:
    return ProxyEdge("alpha", "beta", 1.0, limit_ticks - 1, 0)


@given(
    limit=st.integers(1, 5000),
    lookahead=st.sampled_from(("auto", 1, 2)),
    total=st.integers(1, 20_000),
)
def test_automatic_windows_are_exact_and_as_long_as_can_be(
    limit: int, lookahead: object, total: int
) -> None:
    assume(lookahead != 2 or limit >= 2)
    choice = WindowChoice.model_validate({"lookahead": lookahead})
    window, chosen = choose_windows(choice, edge_of(limit), total, DT_MS, 2.0)
    assert 1 <= window <= min(total, LONGEST_AUTO_TICKS)
    assert chosen * window <= limit
    longer = window + 1
    assert longer > min(total, LONGEST_AUTO_TICKS) or chosen * longer > limit
    if lookahead == "auto":
        assert chosen == (2 if limit // 2 >= 10 else 1)


@given(limit=st.integers(1, 500), asked=st.integers(1, 600))
def test_given_windows_are_taken_or_refused_and_looked_ahead_where_exact(
    limit: int, asked: int
) -> None:
    choice = WindowChoice(length_ms=asked * DT_MS)
    if asked > limit:
        with pytest.raises(ExperimentError, match="not exact"):
            choose_windows(choice, edge_of(limit), 10_000, DT_MS, 2.0)
    else:
        chosen = 2 if 2 * asked <= limit else 1
        assert choose_windows(choice, edge_of(limit), 10_000, DT_MS, 2.0) == (asked, chosen)


def test_refusal_names_limit_and_edge() -> None:
    lengths = np.full((4, 4), 3.0)
    lengths[0, 3] = 1.25
    fault = faults_of(changed(ADEX, window__length_ms=1.4), connectome(lengths_mm=lengths))[
        "window.length_ms"
    ]
    for text in ("1.4 ms", "the limit is 1.2 ms", "delta to alpha", "1.25 mm", "delay 1.2 ms"):
        assert text in fault.message


def test_lookahead_that_is_too_long_for_a_given_window_is_refused() -> None:
    tree = changed(ADEX, window__length_ms=2.0, window__lookahead=2)
    assert "2 windows of 2 ms" in faults_of(tree)["window.length_ms"].message


def test_lookahead_that_leaves_no_tick_is_refused() -> None:
    lengths = np.full((4, 4), 3.0)
    lengths[0, 3] = 0.1
    tree = changed(ADEX, window__lookahead=2)
    faults = faults_of(tree, connectome(lengths_mm=lengths))
    assert "take lookahead 1 or auto" in faults["window.lookahead"].message


def test_window_off_the_grid_is_refused() -> None:
    faults = faults_of(changed(ADEX, window__length_ms=1.05))
    assert "nearest times" in faults["window.length_ms"].message


def test_window_longer_than_ticks_can_be_numbered_is_refused() -> None:
    faults = faults_of(changed(ADEX, window__length_ms=6553.6))
    assert "65536 ticks, expected 1 to 65535" in faults["window.length_ms"].message


def test_zero_length_proxy_edges_are_refused_by_name() -> None:
    lengths = np.full((4, 4), 3.0)
    lengths[0, 2] = lengths[3, 1] = 0.0
    faults = faults_of(ADEX, connectome(lengths_mm=lengths))
    assert "length zero: gamma to alpha;" in faults["spiking.0.regions.0"].message
    assert "length zero: beta to delta;" in faults["spiking.0.regions.1"].message


def test_zero_length_without_weight_or_away_from_proxies_is_accepted() -> None:
    weights, lengths = np.full((4, 4), 0.5), np.full((4, 4), 3.0)
    lengths[2, 3] = lengths[0, 2] = 0.0
    weights[0, 2] = 0.0
    assert plan_of(ADEX, connectome(weights, lengths)).window_ticks == 15


def test_tract_shorter_than_the_hop_is_refused() -> None:
    lengths = np.full((4, 4), 3.0)
    lengths[0, 2] = 0.1
    tree = changed(ADEX, spiking__0__drive={"kind": "mip", "correlation": 0.1})
    fault = faults_of(tree, connectome(lengths_mm=lengths))["spiking.0.regions.0"]
    assert "gamma to alpha" in fault.message
    assert "Lower connectome.speed_mm_per_ms" in fault.message


@pytest.mark.parametrize(("axis", "what"), [(0, "comes into"), (1, "leaves")])
def test_disconnected_proxy_is_refused(axis: int, what: str) -> None:
    weights = np.full((4, 4), 0.5)
    weights[(0, slice(2, None)) if axis == 0 else (slice(2, None), 0)] = 0.0
    fault = faults_of(ADEX, connectome(weights))["spiking.0.regions.0"]
    assert f"no tract {what} alpha" in fault.message
