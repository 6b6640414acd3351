"""The shipped networks are what they claim to be; a user's network gets what it was promised."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tvb_nest_cosim.cosim_core.model.plan import Built, RunPlan
from tvb_nest_cosim.nest_service.context import Nodes
from tvb_nest_cosim.nest_service.kernel import load_nest
from tvb_nest_cosim.nest_service.networks.brunel import BrunelParameters, psp_peak
from tvb_nest_cosim.nest_service.simulator import NestSimulator

if TYPE_CHECKING:  # relative: this folder has the name of NEST's package
    from .conftest import MakePlan, Run

ADEX_REGION = "tvb_nest_cosim.nest_service.networks.adex_region:build"
BRUNEL = "tvb_nest_cosim.nest_service.networks.brunel:build"


def build(plan: RunPlan) -> Built:
    """Builds without running; returns what was built."""
    return NestSimulator().build(plan, 0, lambda window, arrays: None)


@pytest.fixture
def adex_nodes(make_plan: MakePlan, nest: ModuleType) -> Callable[..., tuple[Nodes, Nodes]]:
    """Builds an AdEx region and returns its two populations."""

    def make(parameters: dict[str, Any] | None = None, **adex: Any) -> tuple[Nodes, Nodes]:
        plan = make_plan(ADEX_REGION, adex={"neurons": 100} | adex, parameters=parameters)
        sizes = build(plan).populations["rHC"]
        first = sizes["excitatory"] + 1
        return (
            nest.NodeCollection(range(1, first)),
            nest.NodeCollection(range(first, first + sizes["inhibitory"])),
        )

    return make


def test_adex_cells_have_the_declared_parameters(
    adex_nodes: Callable[..., tuple[Nodes, Nodes]],
) -> None:
    exc, inh = adex_nodes(excitatory={"b_pA": 60.0, "E_L_mV": -63.0}, tau_i_ms=7.0)
    assert (len(exc), len(inh)) == (80, 20)
    assert exc[0].get(["b", "E_L", "V_m", "Delta_T", "tau_w", "tau_syn_in", "w"]) == {
        "b": 60.0, "E_L": -63.0, "V_m": -63.0, "Delta_T": 2.0, "tau_w": 500.0, "tau_syn_in": 7.0,
        "w": 0.0,
    }  # fmt: skip
    assert inh[0].get(["b", "E_L", "Delta_T", "tau_w"]) == {
        "b": 0.0, "E_L": -65.0, "Delta_T": 0.5, "tau_w": 1.0,
    }  # fmt: skip


def test_adex_in_degrees_weights_and_delays(
    adex_nodes: Callable[..., tuple[Nodes, Nodes]], nest: ModuleType
) -> None:
    exc, inh = adex_nodes(p_connect=0.1, Q_e_nS=1.2, Q_i_nS=6.0)
    for source, indegree, weight in ((exc, 8, 1.2), (inh, 2, -6.0)):
        synapses = nest.GetConnections(source, exc + inh)
        per_target = np.bincount(np.array(list(synapses.targets())))[1:]
        assert (per_target == indegree).all()
        assert set(synapses.get("weight")) == {weight}
        assert set(synapses.get("delay")) == {0.1}


def test_adex_extras_spread_the_initial_state_and_add_input(
    adex_nodes: Callable[..., tuple[Nodes, Nodes]], nest: ModuleType
) -> None:
    """Means of 80 cells lie within five standard errors."""
    extras = {
        "V_sigma_mV": 3.0, "w_mean_pA": 10.0, "w_sigma_pA": 2.0, "I_sigma_pA": 5.0,
        "noise_std_pA": 40.0, "background_hz": 7.0,
    }  # fmt: skip
    exc, inh = adex_nodes(extras, p_connect=0.0)
    for name, mean, sigma in (("V_m", -65.0, 3.0), ("w", 10.0, 2.0), ("I_e", 0.0, 5.0)):
        values = np.array(exc.get(name))
        assert values.mean() == pytest.approx(mean, abs=5 * sigma / np.sqrt(80))
        assert values.std() == pytest.approx(sigma, rel=5 / np.sqrt(2 * 80))
    others = {source: set() for source in ("poisson_generator", "noise_generator")}
    for synapse in nest.GetConnections(target=exc + inh):
        model = nest.NodeCollection([synapse.source]).get("model")
        if model in others:
            others[model].add((synapse.target, synapse.weight))
    assert others["poisson_generator"] == {(node, 1.5) for node in range(1, 101)}
    assert {node for node, _ in others["noise_generator"]} == set(range(1, 101))


@pytest.mark.parametrize("model", ["iaf_psc_delta", "iaf_psc_alpha"])
def test_brunel_fires_irregularly_at_a_moderate_rate(
    make_plan: MakePlan, run: Run, model: str
) -> None:
    """With g = 5 and eta = 2 (Brunel's asynchronous irregular state) cells fire at tens of Hz."""
    plan = make_plan(
        BRUNEL, parameters={"model": model}, total_ticks=3000, window_ticks=50, weight=0.1
    )
    outcome = run(plan, {"rHC": {"rate": np.zeros(3000)}})
    rate_hz = outcome.counts()[:, 1000:].sum() / 1250 / 0.2
    assert 20.0 < rate_hz < 60.0
    assert outcome.populations["rHC"] == {"excitatory": 1000, "inhibitory": 250}


def test_brunel_without_background_is_silent_until_driven(make_plan: MakePlan, run: Run) -> None:
    plan = make_plan(BRUNEL, parameters={"eta": 0.0, "neurons": 50}, weight=30.0, kind="mip")
    outcome = run(plan, {"rHC": {"tick": np.array([6]), "count": np.array([1])}})
    assert outcome.spike_ticks() == {8}
    assert len(outcome.spikes()) == 50


@pytest.mark.parametrize(("tau_m", "tau_syn"), [(20.0, 0.5), (10.0, 9.0), (15.0, 3.0)])
def test_psp_peak_is_that_of_nests_alpha_synapse(
    nest: ModuleType, tau_m: float, tau_syn: float
) -> None:
    """The bound is the sampling of a smooth maximum at 0.05 ms."""
    nest.ResetKernel()
    nest.resolution = 0.05
    cell = nest.Create(
        "iaf_psc_alpha",
        params={"E_L": 0.0, "V_m": 0.0, "V_th": 1e3, "C_m": 250.0, "tau_m": tau_m,
                "tau_syn_ex": tau_syn},
    )  # fmt: skip
    source = nest.Create("spike_generator", params={"spike_times": [1.0]})
    meter = nest.Create("multimeter", params={"record_from": ["V_m"], "interval": 0.05})
    weight = 1.0 / psp_peak(tau_m, tau_syn, 250.0)
    nest.Connect(source, cell, syn_spec={"weight": weight, "delay": 1.0})
    nest.Connect(meter, cell)
    nest.Simulate(60.0)
    assert meter.events["V_m"].max() == pytest.approx(1.0, abs=1e-3)


def test_brunel_background_at_eta_one_brings_the_mean_to_threshold() -> None:
    """Mean potential: rate times the integral of one potential."""
    delta = BrunelParameters(eta=1.0)
    assert delta.background_hz / 1000.0 * delta.J_mV * delta.tau_m_ms == pytest.approx(20.0)
    alpha = BrunelParameters(eta=1.0, model="iaf_psc_alpha")
    charge = alpha.weight * np.e * alpha.tau_syn_ms
    potential = alpha.background_hz / 1000.0 * charge * alpha.tau_m_ms / alpha.C_m_pF
    assert potential == pytest.approx(20.0)


def test_seeds_differ_between_regions_and_repeat_between_runs(make_plan: MakePlan) -> None:
    regions = tuple(f"r{index}" for index in range(8))
    plans = [
        make_plan("probe_networks:reports_seed", regions=regions, seed=seed) for seed in (5, 5, 6)
    ]
    sizes = [[it["cells"] for it in build(plan).populations.values()] for plan in plans]
    assert sizes[0] == sizes[1] != sizes[2]
    assert len(set(sizes[0])) > 1


def test_only_the_first_rank_of_a_kernel_reports_populations(
    make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two ranks, played by one process without MPI."""
    monkeypatch.setattr(
        "tvb_nest_cosim.nest_service.simulator.load_nest", lambda ranks: load_nest()
    )
    plan = make_plan()
    plan = plan.model_copy(update={"participants": {**plan.participants, "nest": 2}})
    first, second = (NestSimulator().build(plan, r, lambda window, arrays: None) for r in (0, 1))
    assert first.populations != {}
    assert second.populations == {}
    assert set(second.versions) == {"nest"}


def test_every_kernel_builds_its_own_region(make_plan: MakePlan) -> None:
    plan = make_plan(regions=("rHC", "lHC"))
    participants = {**plan.participants, "nest": 2}
    plan = plan.model_copy(update={"participants": participants, "nest_kernels": 2})
    built = [NestSimulator().build(plan, rank, lambda window, arrays: None) for rank in (0, 1)]
    assert [list(each.populations) for each in built] == [["rHC"], ["lHC"]]
