"""Oracle 4: every spike is counted exactly once, those on the last tick of a window included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tvb_nest_cosim.cosim_core.model.plan import TractPlan

if TYPE_CHECKING:  # relative: this folder has the name of NEST's package
    from .conftest import MakePlan, Run


def spikes_at(*pairs: tuple[int, int]) -> dict[str, np.ndarray]:
    """Drive of kind ``trains`` that makes parrots spike at (tick, neuron)."""
    return {
        "tick": np.array([tick - 1 for tick, _ in pairs]),
        "neuron": np.array([neuron for _, neuron in pairs]),
    }


def test_a_spike_on_the_last_tick_belongs_to_the_window(make_plan: MakePlan, run: Run) -> None:
    plan = make_plan(kind="trains", total_ticks=13, window_ticks=5)
    outcome = run(plan, {"rHC": spikes_at((5, 0), (6, 1), (10, 2), (13, 3))})
    found = [
        (window.index, arrays["spikes/rHC/tick"].tolist(), arrays["spikes/rHC/neuron"].tolist())
        for window, arrays in outcome.recorded
    ]
    assert found == [(0, [5], [0]), (1, [1, 5], [1, 2]), (2, [3], [3])]
    assert np.argwhere(outcome.counts()).tolist() == [[0, 4], [0, 5], [0, 9], [0, 12]]


def test_counts_add_up_to_the_recorded_spikes(make_plan: MakePlan, run: Run) -> None:
    plan = make_plan(
        "tvb_nest_cosim.nest_service.networks.brunel:build",
        parameters={"neurons": 200},
        regions=("rHC", "lHC"),
        total_ticks=500,
        window_ticks=7,
        weight=0.1,
    )
    silence = {"rate": np.zeros(500)}
    outcome = run(plan, {"rHC": silence, "lHC": silence})
    assert outcome.populations == {
        region: {"excitatory": 160, "inhibitory": 40} for region in ("rHC", "lHC")
    }
    for region in ("rHC", "lHC"):
        spikes, counts = np.array(outcome.spikes(region)), outcome.counts(region)
        assert counts.dtype == np.uint32
        assert counts.shape == (2, 500)
        again = np.zeros_like(counts)
        np.add.at(again, ((spikes[:, 1] >= 160).astype(int), spikes[:, 0] - 1), 1)
        assert (again == counts).all()
        assert counts.sum() > 100


def test_neuron_indices_follow_the_order_of_populations(make_plan: MakePlan, run: Run) -> None:
    """The population returned first comes first, though its nodes were made last."""
    plan = make_plan("probe_networks:two_parrot_populations", kind="trains", window_ticks=5)
    outcome = run(plan, {"rHC": spikes_at((4, 0), (4, 4), (9, 2))})
    assert list(outcome.populations["rHC"].items()) == [("second", 2), ("first", 3)]
    assert outcome.spikes() == [(4, 0), (4, 4), (9, 2)]
    assert np.argwhere(outcome.counts()).tolist() == [[0, 3], [1, 3], [1, 8]]


@pytest.mark.parametrize(
    ("spikes", "expected"), [(True, [0, 4]), (["first"], [4]), (["second"], [0])]
)
def test_only_the_populations_named_are_recorded(
    make_plan: MakePlan, run: Run, spikes: bool | list[str], expected: list[int]
) -> None:
    plan = make_plan(
        "probe_networks:two_parrot_populations", kind="trains", record={"spikes": spikes}
    )
    outcome = run(plan, {"rHC": spikes_at((4, 0), (4, 4))})
    assert [neuron for _, neuron in outcome.spikes()] == expected
    assert outcome.counts().sum() == 2


def test_without_recording_every_window_still_reports(make_plan: MakePlan, run: Run) -> None:
    outcome = run(make_plan(kind="trains", record={"spikes": False}), {"rHC": spikes_at((4, 0))})
    assert [(window.index, arrays) for window, arrays in outcome.recorded] == [
        (index, {}) for index in range(4)
    ]
    assert outcome.counts().sum() == 1


def test_single_spikes_are_sent_only_to_a_translator_that_needs_them(
    make_plan: MakePlan, run: Run
) -> None:
    drive = {"rHC": spikes_at((7, 3))}
    silent = run(make_plan(kind="trains"), drive)
    assert {name for _, arrays in silent.sent for name in arrays} == {"counts/rHC"}
    plan = make_plan(
        kind="trains", rate={"translator": "a:B"}, record={"spikes": False}, window_ticks=5
    )
    asked = run(plan, drive)
    _, arrays = asked.sent[1]
    assert arrays["spikes/rHC/neuron"].tolist() == [3]
    assert arrays["spikes/rHC/tick"].tolist() == [2]
    assert (arrays["spikes/rHC/neuron"].dtype, arrays["spikes/rHC/tick"].dtype) == ("<u4", "<u2")
    assert asked.sent[0][1]["spikes/rHC/tick"].size == 0


def test_tracts_deliver_after_their_delay(make_plan: MakePlan, run: Run) -> None:
    """Every target neuron gets ``synapses_per_neuron`` spikes on average, at the delay exactly."""
    tract = TractPlan(
        source="rHC",
        target="lHC",
        source_population="first",
        target_populations=["first"],
        synapses_per_neuron=2.5,
        weight=1.0,
        delay_ticks=9,
    )
    plan = make_plan(
        kind="trains", regions=("rHC", "lHC"), tracts=[tract], total_ticks=20, window_ticks=5
    )
    everybody = spikes_at(*((4, neuron) for neuron in range(4)))
    outcome = run(plan, {"rHC": everybody, "lHC": spikes_at((20, 0))})
    arrived = [tick for tick, _ in outcome.spikes("lHC") if tick < 20]
    assert arrived == [4 + 9] * 10


def test_samples_are_labelled_by_the_tick_they_show(make_plan: MakePlan, run: Run) -> None:
    """The potential of a perfect integrator counts the ticks of a constant current."""
    plan = make_plan(
        "probe_networks:perfect_integrators",
        kind="current",
        record={"analog": [{"population": "cells", "interval_ms": 0.3, "neurons": [1]}]},
        total_ticks=20,
        window_ticks=6,
    )
    outcome = run(plan, {"rHC": {"amplitude": np.full(20, 10.0)}})
    potential = outcome.analog("V_m")
    assert list(potential) == [3, 6, 9, 12, 15, 18]
    assert [value for (value,) in potential.values()] == pytest.approx(
        [float(tick - 2) for tick in potential]
    )
    assert {tuple(a["analog/rHC/0/neuron"].tolist()) for _, a in outcome.recorded} <= {
        (), (1,), (1, 1), (1, 1, 1),
    }  # fmt: skip
