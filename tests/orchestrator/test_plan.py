"""What a plan derives from an experiment, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator_cases import ADEX, EXPLICIT, changed, connectome, faults_of, plan_of
from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.model.experiment import AdexRegion, parse, zerlaut_parameters
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.orchestrator.planning.plan import experiment_digest

NOISE = {"weight_hz": 0.5, "nsig": 2.0}


def test_adex_declares_the_drive_once() -> None:
    plan = plan_of(changed(ADEX, adex__external_hz=3.0))
    drive = plan.regions[0].drive
    assert (drive.weight, drive.synapses, drive.external_hz) == (1.5, 50, 3.0)
    assert (drive.hz_per_unit, drive.coupling_variable, drive.hop_ticks) == (1000.0, 0, 1)
    assert [(f.variable, f.population, f.unit_per_hz) for f in plan.regions[0].feeds] == [
        ("E", "excitatory", 0.001),
        ("I", "inhibitory", 0.001),
    ]


@pytest.mark.parametrize(("order", "least_hz"), [("First", 3.0), ("Second", 0.0)])
def test_the_input_is_clipped_as_the_mean_field_clips_it(order: str, least_hz: float) -> None:
    model = f"ZerlautAdaptation{order}Order"
    plan = plan_of(changed(ADEX, adex__external_hz=3.0, tvb__model__name=model))
    assert plan.regions[0].drive.least_hz == least_hz


def test_adex_declares_the_mean_field_once() -> None:
    plan = plan_of(changed(ADEX, adex__external_hz=3.0))
    assert plan.tvb_parameters == zerlaut_parameters(plan.experiment.adex or AdexRegion())
    assert plan.tvb_parameters["external_input_ex_ex"] == 0.003


def test_parameters_that_adex_does_not_know_are_kept() -> None:
    tree = changed(EXPLICIT, tvb__model__parameters={"A": 3.3})
    assert plan_of(tree).tvb_parameters == {"A": 3.3}


def test_noise_reaches_both_sides() -> None:
    tree = changed(ADEX, adex__noise=NOISE, tvb__integrator__name="HeunStochastic")
    plan = plan_of(tree)
    assert plan.tvb_noise == {"ou_drift": 2.0}
    assert plan.regions[0].drive.noise == plan.experiment.adex.noise  # type: ignore[union-attr]


def test_noise_of_weight_zero_is_none() -> None:
    plan = plan_of(changed(ADEX, adex__noise={"weight_hz": 0.0}))
    assert plan.tvb_noise == {}
    assert plan.regions[0].drive.noise is None


def test_regions_keep_the_declared_order_and_know_their_index() -> None:
    plan = plan_of(changed(ADEX, spiking__0__regions=["gamma", "alpha"]))
    assert [(region.name, region.index) for region in plan.regions] == [("gamma", 2), ("alpha", 0)]


def test_coupling_variable_is_found_by_name() -> None:
    plan = plan_of(changed(EXPLICIT, spiking__0__drive__coupling_variable="y2"))
    assert plan.regions[0].drive.coupling_variable == 1


def test_unknown_models_take_the_feeds_as_coupling_variables() -> None:
    tree = changed(EXPLICIT, tvb__model__name="MyOwnModel")
    plan = plan_of(changed(tree, spiking__0__drive__coupling_variable="y2"))
    assert plan.regions[0].drive.coupling_variable == 1


def test_a_custom_network_may_differ_from_adex() -> None:
    tree = changed(ADEX, spiking__0__network__module="mine:build")
    drive = plan_of(changed(tree, spiking__0__drive={"weight": 0.5})).regions[0].drive
    assert (drive.weight, drive.synapses) == (0.5, 50)


def test_tracts_deliver_what_the_coupling_would() -> None:
    weights, lengths = np.full((4, 4), 0.5), np.full((4, 4), 3.0)
    weights[1, 0], lengths[1, 0] = 0.25, 2.0
    tree = changed(ADEX, tvb__coupling={"name": "Linear", "parameters": {"a": 0.4}})
    there, back = sorted(plan_of(tree, connectome(weights, lengths)).tracts, key=lambda t: t.source)
    # K_ext 50 * 1000 Hz per kHz * 0.001 kHz per Hz * slope 0.4 * weight 0.25
    assert there.synapses_per_neuron == pytest.approx(50 * 0.4 * 0.25, rel=1e-12)
    assert (there.source, there.target, there.weight) == ("alpha", "beta", 1.5)
    # a spike at tick u is in x[u], which acts at tick u + 1 + idelay
    assert there.delay_ticks == 21
    assert (back.source, back.target, back.delay_ticks) == ("beta", "alpha", 31)
    assert (there.source_population, there.target_populations) == ("excitatory", None)


def test_tvb_default_slope_is_tvbs() -> None:
    tract = plan_of(changed(ADEX, tvb__coupling={"name": "Linear"})).tracts[0]
    assert tract.synapses_per_neuron == pytest.approx(50 * 0.00390625 * 0.5, rel=1e-12)


def test_declared_synapses_win() -> None:
    tract = plan_of(changed(EXPLICIT, spiking__0__tracts__weight=7.0)).tracts[0]
    assert (tract.synapses_per_neuron, tract.weight) == (1.5, 7.0)


def test_tracts_can_be_left_out() -> None:
    assert plan_of(changed(ADEX, spiking__0__tracts__mode="none")).tracts == []


def test_negligible_tracts_are_left_out_with_a_warning() -> None:
    weights = np.full((4, 4), 0.5)
    weights[1, 0] = 1e-9
    plan = plan_of(ADEX, connectome(weights))
    assert [tract.target for tract in plan.tracts] == ["alpha"]
    assert any("from alpha to beta is left out" in warning for warning in plan.warnings)


@pytest.mark.parametrize(
    ("changes", "participants", "edges", "proxies"),
    [
        (
            {},
            {"tvb": 1, "nest": 2, "translator": 1},
            {"tvb>translator", "translator>tvb", "translator>nest", "nest>translator"},
            True,
        ),
        (
            {"simulators": "nest", "stand_in": {"kind": "constant"}},
            {"nest": 2, "translator": 1},
            {"translator>nest", "nest>translator"},
            False,
        ),
        (
            {"simulators": "tvb", "stand_in": {"kind": "constant"}},
            {"tvb": 1, "translator": 1},
            {"tvb>translator", "translator>tvb"},
            True,
        ),
        ({"simulators": "tvb"}, {"tvb": 1}, set(), False),
    ],
)
def test_ensembles(
    changes: dict[str, object], participants: dict[str, int], edges: set[str], proxies: bool
) -> None:
    plan = plan_of(changed(ADEX, resources__nest__ranks=2, **changes))
    assert plan.participants == participants
    assert set(plan.edges) == edges
    assert plan.has_proxies is proxies


def test_windows_without_a_limit() -> None:
    nest = plan_of(changed(ADEX, simulators="nest", stand_in={"kind": "constant"}))
    tvb = plan_of(changed(ADEX, simulators="tvb"))
    assert (nest.window_ticks, tvb.window_ticks) == (20, 100)
    assert tvb.regions == []


def test_nest_alone_needs_no_feed_and_no_unit() -> None:
    tree = changed(EXPLICIT, simulators="nest", stand_in={"kind": "constant"})
    del tree["spiking"][0]["feed"], tree["spiking"][0]["drive"]["hz_per_unit"]
    assert plan_of(tree).regions[0].drive.synapses == 10


def test_a_window_is_never_longer_than_the_run() -> None:
    plan = plan_of(changed(ADEX, duration_ms=0.5))
    assert (plan.window_ticks, plan.total_ticks, plan.grid.window_count) == (5, 5, 1)


def test_plans_survive_json() -> None:
    plan = plan_of(ADEX)
    assert RunPlan.model_validate_json(plan.model_dump_json()) == plan


def test_digest_sees_every_value_but_not_how_it_was_written() -> None:
    digest = experiment_digest(parse(ADEX))
    assert digest == experiment_digest(parse(changed(ADEX, dt_ms=0.1, seed=1)))
    assert digest != experiment_digest(parse(changed(ADEX, seed=2)))
    assert len(digest) == 64


def test_what_the_mean_field_cannot_see_is_a_warning() -> None:
    warnings = plan_of(changed(ADEX, adex__excitatory={"V_th_mV": -48.0})).warnings
    assert any("adex.excitatory.V_th_mV = -48 acts in NEST only" in text for text in warnings)


def test_what_another_model_cannot_take_from_adex_is_a_warning() -> None:
    tree = changed(ADEX, adex__noise=NOISE, adex__external_hz=1.0)
    tree = changed(tree, tvb__model__name="ReducedWongWang", spiking__0__drive={"hz_per_unit": 1.0})
    tree = changed(tree, spiking__0__feed=[{"variable": "S", "population": "excitatory"}])
    warnings = plan_of(tree).warnings
    assert [text.split()[0] for text in warnings] == ["adex.external_hz", "adex.noise"]


REFUSALS = [
    (ADEX, {"duration_ms": 100.05}, "duration_ms", "not a whole number of ticks"),
    (ADEX, {"spiking__0__rate__width_ms": 20.05}, "spiking.0.rate.width_ms", "whole number"),
    (
        ADEX,
        {"spiking__0__record__analog": [{"population": "excitatory", "interval_ms": 0.25}]},
        "spiking.0.record.analog.0.interval_ms",
        "whole number",
    ),
    (ADEX, {"spiking__0__regions__0": "alhpa"}, "spiking.0.regions.0", "did you mean alpha"),
    (ADEX, {"spiking__0__regions__1": "alpha"}, "spiking.0.regions.1", "already, at spiking.0.reg"),
    (ADEX, {"spiking": []}, "spiking", "no spiking region"),
    (ADEX, {"stand_in": {"kind": "constant"}}, "stand_in", "no side is absent"),
    (ADEX, {"simulators": "nest"}, "stand_in", "missing"),
    (
        ADEX,
        {"simulators": "nest", "stand_in": {"kind": "constant", "hz": {"gamma": 1.0}}},
        "stand_in.hz.gamma",
        "these are: alpha, beta",
    ),
    (
        ADEX,
        {"resources__nest": {"ranks": 2, "virtual_processes": 3}},
        "resources.nest.virtual_processes",
        "multiple of the ranks",
    ),
    (ADEX, {"adex": None}, "spiking.0.network.module", "has no 'adex'"),
    (ADEX, {"spiking__0__drive": {"weight": 1.0}}, "spiking.0.drive.weight", "adex.Q_e_nS"),
    (ADEX, {"spiking__0__drive": {"synapses": 1.0}}, "spiking.0.drive.synapses", "adex.K_ext"),
    (
        ADEX,
        {"spiking__0__drive": {"external_hz": 1.0}},
        "spiking.0.drive.external_hz",
        "adex.external_hz",
    ),
    (ADEX, {"spiking__0__drive": {"kind": "mip"}}, "spiking.0.drive.correlation", "0 < p <= 1"),
    (ADEX, {"tvb__model__parameters": {"Q_e": 1.0}}, "tvb.model.parameters.Q_e", "twice"),
    (ADEX, {"adex__inhibitory": {"g_L_nS": 11.0}}, "adex", "one g_L_nS for both kinds"),
    (
        ADEX,
        {
            "adex__noise": NOISE,
            "tvb__integrator": {"name": "HeunStochastic", "noise": {"nsig": {"ou_drift": 1.0}}},
        },
        "tvb.integrator.noise.nsig",
        "adex.noise.nsig",
    ),
    (EXPLICIT, {"spiking__0__drive": {}}, "spiking.0.drive.weight", "missing"),
    (EXPLICIT, {"spiking__0__drive": {}}, "spiking.0.drive.synapses", "missing"),
    (EXPLICIT, {"spiking__0__drive": {}}, "spiking.0.drive.hz_per_unit", "no default"),
    (EXPLICIT, {"spiking__0__feed": None}, "spiking.0.feed", "(y1, y2)"),
    (
        EXPLICIT,
        {"spiking__0__feed__1": {"variable": "y1", "population": "excitatory"}},
        "spiking.0.feed.1.variable",
        "'y1' is fed twice",
    ),
]


@pytest.mark.parametrize(
    ("tree", "changes", "path", "text"), REFUSALS, ids=[f"{row[2]}-{row[3]}" for row in REFUSALS]
)
def test_refusals(
    tree: dict[str, object], changes: dict[str, object], path: str, text: str
) -> None:
    assert text in faults_of(changed(tree, **changes))[path].message


UNDERIVED = [
    ({"tvb__coupling": {"name": "Sigmoidal"}}, "Sigmoidal, which is not linear"),
    ({"tvb__coupling": {"name": "Linear", "parameters": {"b": 1.0}}}, "b = 0"),
    ({"tvb__coupling": {"name": "Linear", "parameters": {"a": [1.0, 2.0]}}}, "one slope"),
    ({"tvb__coupling": {"name": "Linear", "parameters": {"a": -1.0}}}, "no negative synapses"),
    ({"spiking__0__tracts": {"source": "inhibitory"}}, "is fed from excitatory"),
    (
        {"spiking__0__feed": [{"variable": "E", "population": "excitatory", "offset": 1.0}]},
        "offset",
    ),
    (
        {
            "simulators": "nest",
            "stand_in": {"kind": "constant"},
            "tvb__model__name": "ReducedWongWang",
        },
        "without drive.hz_per_unit",
    ),
]


@pytest.mark.parametrize(("changes", "text"), UNDERIVED, ids=[row[1] for row in UNDERIVED])
def test_tracts_that_do_not_follow(changes: dict[str, object], text: str) -> None:
    fault = faults_of(changed(ADEX, **changes))["spiking.0.tracts.synapses_per_weight"]
    assert text in fault.message
    assert "tracts.mode: none" in fault.message


def test_a_current_says_nothing_about_synapses() -> None:
    tree = changed(ADEX, spiking__0__drive={"kind": "current"})
    assert "kind current" in faults_of(tree)["spiking.0.tracts.synapses_per_weight"].message
    tree = changed(tree, spiking__0__tracts={"synapses_per_weight": 2.0})
    assert "is a current" in faults_of(tree)["spiking.0.tracts.weight"].message
    tract = plan_of(changed(tree, spiking__0__tracts__weight=1.5)).tracts[0]
    assert (tract.synapses_per_neuron, tract.weight) == (1.0, 1.5)


def test_all_faults_come_together() -> None:
    tree = changed(ADEX, duration_ms=0.05, stand_in={"kind": "constant"}, window__length_ms=50.0)
    tree = changed(tree, spiking__0__drive={"kind": "sip"}, tvb__model__parameters={"g": 1.0})
    with pytest.raises(ExperimentError) as caught:
        plan_of(tree)
    assert {fault.path for fault in caught.value.faults} == {
        "duration_ms",
        "stand_in",
        "window.length_ms",
        "spiking.0.drive.correlation",
        "tvb.model.parameters.g",
    }
