"""Oracles 2 and 3 for NEST alone: windows, threads and the service itself change nothing.

The same drive is given window by window through the service, and at once to a plain NEST script
that is written here independently of it. Every spike must be the same.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tvb_nest_cosim.cosim_core.model.plan import RunPlan, TractPlan

if TYPE_CHECKING:  # relative: this folder has the name of NEST's package
    from .conftest import MakePlan, Run

TOTAL = 400
ADEX = {"neurons": 50, "p_connect": 0.2, "excitatory": {"b_pA": 20.0}}
BACKGROUND_HZ = 300.0
KINDS = ("poisson", "mip", "sip", "trains", "current")
WEIGHT = 4.0
CORRELATION = 0.3
SEED = 11


def drive_of(kind: str) -> dict[str, Any]:
    """A lively drive over all emission ticks of the run."""
    random = np.random.default_rng(3)
    ticks = np.arange(1, TOTAL + 1)
    rate = 1500.0 * (1.0 + np.sin(ticks / 25.0))
    counts = random.poisson(0.4, TOTAL)
    events = {"tick": ticks[counts > 0], "count": counts[counts > 0]}
    return {
        "poisson": {"rate": rate},
        "mip": events,
        "sip": events | {"rate": rate},
        "trains": {
            "tick": np.sort(random.integers(1, TOTAL + 1, 900)),
            "neuron": random.integers(0, ADEX["neurons"], 900),
        },
        "current": {"amplitude": rate / 8.0},
    }[kind]


def plan_of(make_plan: MakePlan, kind: str, window_ticks: int, **options: Any) -> RunPlan:
    return make_plan(
        "tvb_nest_cosim.nest_service.networks.adex_region:build",
        kind=kind,
        adex=ADEX,
        parameters={"background_hz": BACKGROUND_HZ},
        total_ticks=TOTAL,
        window_ticks=window_ticks,
        seed=SEED,
        weight=WEIGHT,
        correlation=CORRELATION,
        **options,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_windows_do_not_change_a_spike(make_plan: MakePlan, run: Run, kind: str) -> None:
    """One window for the whole run, windows that divide it, and one that leaves a remainder."""
    drive = {"rHC": drive_of(kind)}
    whole, *parts = (run(plan_of(make_plan, kind, w), drive).spikes() for w in (TOTAL, 20, 33))
    assert len(whole) > 20
    assert all(part == whole for part in parts)


@pytest.mark.parametrize("kind", KINDS)
def test_spikes_equal_those_of_a_plain_nest_script(
    make_plan: MakePlan, run: Run, nest: ModuleType, kind: str
) -> None:
    cosimulated = run(plan_of(make_plan, kind, 20), {"rHC": drive_of(kind)}).spikes()
    assert len(cosimulated) > 20
    assert cosimulated == plain_script(nest, kind)


def plain_script(nest: ModuleType, kind: str) -> list[tuple[int, int]]:
    """Builds the same network by hand, gives it the whole drive, simulates once."""
    nest.ResetKernel()
    nest.resolution = 0.1
    nest.rng_seed = SEED
    shared = {
        "C_m": 200.0, "g_L": 10.0, "E_L": -65.0, "V_reset": -65.0, "V_th": -50.0, "t_ref": 5.0,
        "a": 0.0, "tau_syn_ex": 5.0, "tau_syn_in": 5.0, "E_ex": 0.0, "E_in": -80.0,
        "V_m": -65.0, "w": 0.0,
    }  # fmt: skip
    exc = nest.Create(
        "aeif_cond_exp", 40, params=shared | {"b": 20.0, "Delta_T": 2.0, "tau_w": 500.0}
    )
    inh = nest.Create("aeif_cond_exp", 10, params=shared | {"b": 0.0, "Delta_T": 0.5, "tau_w": 1.0})
    cells = exc + inh
    for source, indegree, weight in ((exc, 8, 1.5), (inh, 2, -5.0)):
        rule = {"rule": "fixed_indegree", "indegree": indegree}
        nest.Connect(source, cells, rule, {"weight": weight, "delay": 0.1})
    background = nest.Create("poisson_generator", params={"rate": BACKGROUND_HZ})
    nest.Connect(background, cells, syn_spec={"weight": 1.5, "delay": 0.1})
    connect_drive(nest, kind, cells)
    recorder = nest.Create("spike_recorder")
    nest.Connect(cells, recorder)
    nest.Simulate(TOTAL * 0.1)
    times = np.rint(recorder.events["times"] / 0.1).astype(int)
    return sorted(zip(times.tolist(), (recorder.events["senders"] - 1).tolist(), strict=True))


def connect_drive(nest: ModuleType, kind: str, cells: Any) -> None:
    drive = drive_of(kind)
    grid = np.round(np.arange(1, TOTAL + 1) * 0.1, 1)
    if kind in ("poisson", "sip"):
        params = {"rate_times": grid, "rate_values": drive["rate"], "start": -np.inf}
        source = nest.Create("inhomogeneous_poisson_generator", params=params)
        delay = {"poisson": 0.1, "sip": 0.2}[kind]
        nest.Connect(source, cells, syn_spec={"weight": WEIGHT, "delay": delay})
    if kind in ("mip", "sip"):
        times, counts = grid[drive["tick"] - 1], drive["count"]
        params = {"spike_times": times, "spike_multiplicities": counts}
        mother, parrot = nest.Create("spike_generator", params=params), nest.Create("parrot_neuron")
        nest.Connect(mother, parrot, syn_spec={"delay": 0.1})
        synapse: dict[str, Any] = {"weight": WEIGHT, "delay": 0.1}
        if kind == "mip":
            synapse |= {"synapse_model": "bernoulli_synapse", "p_transmit": CORRELATION}
        nest.Connect(parrot, cells, syn_spec=synapse)
    if kind == "trains":
        for index in range(len(cells)):
            times = np.sort(grid[drive["tick"][drive["neuron"] == index] - 1])
            source = nest.Create("spike_generator", params={"spike_times": times})
            nest.Connect(source, cells[index], syn_spec={"weight": WEIGHT, "delay": 0.1})
    if kind == "current":
        params = {"amplitude_times": grid, "amplitude_values": drive["amplitude"]}
        source = nest.Create("step_current_generator", params=params)
        nest.Connect(source, cells, syn_spec={"delay": 0.1})


@pytest.mark.parametrize("kind", ["poisson", "mip"])
def test_threads_do_not_change_a_spike(make_plan: MakePlan, run: Run, kind: str) -> None:
    """Two virtual processes, asked for directly or as two threads."""
    drive = {"rHC": drive_of(kind)}
    by_number = run(plan_of(make_plan, kind, 20, nest={"virtual_processes": 2}), drive)
    by_threads = run(plan_of(make_plan, kind, 20, nest={"threads": 2}), drive)
    assert by_number.spikes() == by_threads.spikes() != []
    assert by_threads.warnings == []
    assert "2 threads" in by_number.warnings[0]


def test_nest_keeps_no_log_that_grows_with_time(
    make_plan: MakePlan, run: Run, nest: ModuleType
) -> None:
    """A line for every change of a buffer's size, of which there were several in each window."""
    outcome = run(plan_of(make_plan, "poisson", 20), {"rHC": drive_of("poisson")})
    assert len(outcome.sent) > 10
    assert len(nest.spike_buffer_resize_log["times"]) < 10


def test_windows_do_not_change_tracts_or_analog_samples(make_plan: MakePlan, run: Run) -> None:
    tract = TractPlan(
        source="rHC",
        target="lHC",
        source_population="excitatory",
        target_populations=None,
        synapses_per_neuron=10.0,
        weight=3.0,
        delay_ticks=40,
    )
    analog = {"population": "inhibitory", "variables": ["V_m", "w"], "neurons": [3, 1]}
    drive = {"rHC": drive_of("poisson"), "lHC": {"rate": np.zeros(TOTAL)}}
    runs = [
        run(
            plan_of(
                make_plan,
                "poisson",
                window,
                regions=("rHC", "lHC"),
                tracts=[tract],
                record={"analog": [analog | {"interval_ms": 0.5}]},
            ),
            drive,
        )
        for window in (TOTAL, 20, 33)
    ]
    assert len(runs[0].spikes("lHC")) > 20
    for other in runs[1:]:
        assert other.spikes("lHC") == runs[0].spikes("lHC")
        assert other.analog("V_m") == runs[0].analog("V_m")
        assert other.analog("w") == runs[0].analog("w")
    assert list(runs[0].analog("V_m")) == list(range(5, TOTAL, 5))
