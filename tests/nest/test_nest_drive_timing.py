"""Oracle: input acts exactly ``hop_ticks`` after its emission, whatever the kind and window.

Windows of 5 ticks and a shorter last one::

    tick    1 2 3 4 5 | 6 7 8 9 10 | 11 12 13
    emit    ^ first of the run, last of a window, first of the next, ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tvb_nest_cosim.cosim_core.model.experiment import HOP_TICKS
from tvb_nest_cosim.cosim_core.model.experiment.spiking import DriveKind

if TYPE_CHECKING:  # relative: this folder has the name of NEST's package
    from .conftest import MakePlan, Run

TOTAL = 13
WINDOW = 5
EDGES = (1, 2, 4, 5, 6, 10, 11)
CERTAIN_HZ = 1e6
"""100 spikes are expected per tick of 0.1 ms: none at all has a probability of exp(-100)."""


def pulse(kind: str, tick: int, amplitude: float = CERTAIN_HZ) -> dict[str, Any]:
    """A drive that emits at one tick only."""
    series = np.zeros(TOTAL)
    series[tick - 1] = amplitude
    nothing = np.zeros(TOTAL)
    return {
        "poisson": {"rate": series},
        "mip": {"tick": np.array([tick]), "count": np.array([3])},
        "sip": {"tick": np.array([tick]), "count": np.array([3]), "rate": nothing},
        "trains": {"tick": np.array([tick]), "neuron": np.array([1])},
        "current": {"amplitude": series},
    }[kind]


@pytest.mark.parametrize("tick", EDGES)
@pytest.mark.parametrize("kind", ["poisson", "mip", "sip", "trains"])
def test_spikes_arrive_after_the_hop(
    make_plan: MakePlan, run: Run, kind: DriveKind, tick: int
) -> None:
    plan = make_plan(kind=kind, total_ticks=TOTAL, window_ticks=WINDOW)
    outcome = run(plan, {"rHC": pulse(kind, tick)})
    assert outcome.spike_ticks() == {tick + HOP_TICKS[kind]}


@pytest.mark.parametrize("tick", EDGES)
def test_own_part_of_sip_arrives_with_the_shared_part(
    make_plan: MakePlan, run: Run, tick: int
) -> None:
    drive = pulse("sip", tick) | pulse("poisson", tick)
    shared_only = {neuron: 3 for neuron in range(4)}
    plan = make_plan(kind="sip", total_ticks=TOTAL, window_ticks=WINDOW)
    spikes = run(plan, {"rHC": drive}).spikes()
    assert {when for when, _ in spikes} == {tick + HOP_TICKS["sip"]}
    assert all(sum(neuron == who for _, neuron in spikes) > shared_only[who] for who in shared_only)


@pytest.mark.parametrize("tick", EDGES)
def test_current_changes_after_the_hop(make_plan: MakePlan, run: Run, tick: int) -> None:
    """A current that is there from the end of tick s on moves the potential at tick s + 1."""
    analog = {"population": "cells", "interval_ms": 0.1, "neurons": 1}
    plan = make_plan(
        "probe_networks:perfect_integrators",
        kind="current",
        record={"analog": [analog]},
        total_ticks=TOTAL + 3,
        window_ticks=WINDOW,
    )
    amplitude = np.zeros(TOTAL + 3)
    amplitude[tick - 1] = 50.0
    potential = run(plan, {"rHC": {"amplitude": amplitude}}).analog("V_m")
    acts = tick + HOP_TICKS["current"]
    for when, (value,) in potential.items():
        assert value == pytest.approx(0.0 if when <= acts else 50.0 * 0.1)


def test_conductance_changes_at_the_tick_that_input_acts_at(make_plan: MakePlan, run: Run) -> None:
    """The convention of ``current`` is that of synapses: changed at tick s, felt from s + 1 on."""
    analog = {"population": "cells", "variables": ["g_ex", "V_m"], "neurons": 1, "interval_ms": 0.1}
    plan = make_plan(
        "probe_networks:conductances",
        kind="mip",
        record={"analog": [analog]},
        total_ticks=TOTAL,
        window_ticks=WINDOW,
    )
    driven, left_alone = (run(plan, {"rHC": pulse("mip", tick)}) for tick in (5, TOTAL))
    changed = {
        name: min(
            tick
            for tick, value in driven.analog(name).items()
            if value != left_alone.analog(name)[tick]
        )
        for name in ("g_ex", "V_m")
    }
    acts = 5 + HOP_TICKS["mip"]
    assert changed == {"g_ex": acts, "V_m": acts + 1}


def test_each_rate_sample_governs_its_own_tick(make_plan: MakePlan, run: Run) -> None:
    """A rate that is on at every third tick makes spikes there and nowhere else."""
    rate = np.where(np.arange(1, TOTAL + 1) % 3 == 0, CERTAIN_HZ, 0.0)
    plan = make_plan(total_ticks=TOTAL, window_ticks=4)
    assert run(plan, {"rHC": {"rate": rate}}).spike_ticks() == {4, 7, 10, 13}


def test_trains_reach_their_neurons_with_multiple_spikes(make_plan: MakePlan, run: Run) -> None:
    """Neurons are numbered over the driven populations, in the region's order."""
    plan = make_plan("probe_networks:two_parrot_populations", kind="trains", window_ticks=5)
    ticks, neurons = np.array([7, 2, 7, 7, 18]), np.array([4, 0, 2, 2, 0])
    outcome = run(plan, {"rHC": {"tick": ticks, "neuron": neurons}})
    assert outcome.spikes() == [(3, 0), (8, 2), (8, 2), (8, 4), (19, 0)]


def test_only_targets_are_driven(make_plan: MakePlan, run: Run) -> None:
    plan = make_plan("probe_networks:two_parrot_populations", targets=["first"], window_ticks=5)
    outcome = run(plan, {"rHC": pulse("poisson", 3) | {"rate": np.full(20, CERTAIN_HZ)}})
    assert {neuron for _, neuron in outcome.spikes()} == {2, 3, 4}


def test_regions_of_one_kind_keep_their_own_drive(make_plan: MakePlan, run: Run) -> None:
    plan = make_plan(kind="mip", regions=("rHC", "lHC"), total_ticks=TOTAL, window_ticks=WINDOW)
    outcome = run(plan, {"rHC": pulse("mip", 5), "lHC": pulse("mip", 6)})
    assert (outcome.spike_ticks("rHC"), outcome.spike_ticks("lHC")) == ({7}, {8})
