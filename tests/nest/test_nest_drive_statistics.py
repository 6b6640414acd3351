"""Oracle 4, drive: the number, spread and correlation of the spikes that neurons get.

Parrots repeat what they get, so their spikes are the input. Bounds are five standard errors of
the statistic named, computed from the counts; seeds are fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tvb_nest_cosim.cosim_core.model.plan import RunPlan

if TYPE_CHECKING:  # relative: this folder has the name of NEST's package
    from .conftest import MakePlan, Outcome, Run

PARROTS = 200
TOTAL = 4000
WINDOW = 10
DT_S = 1e-4
RATE_HZ = 1000.0


def trains(outcome: Outcome) -> np.ndarray:
    """Number of spikes, [neuron, tick]."""
    counts = np.zeros((PARROTS, TOTAL))
    spikes = np.array(outcome.spikes())
    np.add.at(counts, (spikes[:, 1], spikes[:, 0] - 1), 1)
    return counts


def fano(counts: np.ndarray) -> float:
    return float(counts.var(ddof=1) / counts.mean())


def mean_correlation(counts: np.ndarray) -> float:
    """Mean pairwise correlation, from the variance of the sum of standardised counts."""
    scores = (counts - counts.mean(1, keepdims=True)) / counts.std(1, keepdims=True)
    return float((scores.sum(0).var() - PARROTS) / (PARROTS * (PARROTS - 1)))


@pytest.fixture
def make_parrots(make_plan: MakePlan) -> Callable[..., RunPlan]:
    def make(kind: str, **options: Any) -> RunPlan:
        return make_plan(
            kind=kind,
            parameters={"count": PARROTS},
            total_ticks=TOTAL,
            window_ticks=WINDOW,
            **options,
        )

    return make


def mother(rate_hz: float) -> dict[str, np.ndarray]:
    """Mother spikes of a given rate, as events."""
    counts = np.random.default_rng(8).poisson(rate_hz * DT_S, TOTAL)
    ticks = np.flatnonzero(counts)
    return {"tick": ticks + 1, "count": counts[ticks]}


def test_poisson_has_the_rate_and_spread_asked_for(
    make_parrots: Callable[..., RunPlan], run: Run
) -> None:
    counts = trains(run(make_parrots("poisson"), {"rHC": {"rate": np.full(TOTAL, RATE_HZ)}}))
    acting = TOTAL - 1  # what is emitted at the last tick acts after the end
    expected = RATE_HZ * DT_S * PARROTS * acting
    assert counts.sum() == pytest.approx(expected, abs=5 * np.sqrt(expected))
    binned = counts[:, 1:].reshape(PARROTS, -1, 31).sum(2)
    assert fano(binned) == pytest.approx(1.0, abs=5 * np.sqrt(2 / binned.size))
    assert mean_correlation(binned) == pytest.approx(0.0, abs=5 / np.sqrt(binned.shape[1]) / 10)


def test_poisson_is_as_dense_at_the_edges_of_a_window_as_inside(
    make_parrots: Callable[..., RunPlan], run: Run
) -> None:
    counts = trains(run(make_parrots("poisson"), {"rHC": {"rate": np.full(TOTAL, RATE_HZ)}}))
    by_place = counts.sum(0).reshape(-1, WINDOW)[1:].sum(0)
    expected = RATE_HZ * DT_S * PARROTS * (TOTAL / WINDOW - 1)
    assert by_place == pytest.approx(np.full(WINDOW, expected), abs=5 * np.sqrt(expected))


@pytest.mark.parametrize("correlation", [0.1, 0.4])
def test_mip_has_the_rate_and_correlation_asked_for(
    make_parrots: Callable[..., RunPlan], run: Run, correlation: float
) -> None:
    drive = mother(RATE_HZ / correlation)
    counts = trains(run(make_parrots("mip", correlation=correlation), {"rHC": drive}))
    copied = drive["count"][drive["tick"] <= TOTAL - 2].sum() * PARROTS
    tolerance = 5 * np.sqrt(copied * correlation * (1 - correlation))
    assert counts.sum() == pytest.approx(copied * correlation, abs=tolerance)
    relative = 5 * np.sqrt(2 / TOTAL)  # of the variance of the sum, which carries the correlation
    assert mean_correlation(counts) == pytest.approx(correlation, rel=relative)


def test_sip_adds_own_spikes_to_shared_ones(make_parrots: Callable[..., RunPlan], run: Run) -> None:
    """With a share c of the rate in common, the pairwise correlation is c."""
    share = 0.3
    drive = mother(share * RATE_HZ) | {"rate": np.full(TOTAL, (1 - share) * RATE_HZ)}
    counts = trains(run(make_parrots("sip"), {"rHC": drive}))
    shared = drive["count"][drive["tick"] <= TOTAL - 2].sum() * PARROTS
    own = (1 - share) * RATE_HZ * DT_S * PARROTS * (TOTAL - 2)
    assert counts.sum() == pytest.approx(shared + own, abs=5 * np.sqrt(own))
    # Shared spikes are rare (0.03 per tick), so their own fluctuation adds to that of the sum.
    relative = 5 * np.sqrt(2 / TOTAL + 1 / (share * RATE_HZ * DT_S * TOTAL))
    assert mean_correlation(counts) == pytest.approx(share, rel=relative)
