"""The whole pipeline: input rates, rates back, the record, and refused input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from translator_plans import SIZES, make_plan, populations_of
from window_partitions import partitions

from tvb_nest_cosim.cosim_core.errors import ExperimentError, ProtocolError, SimulationError
from tvb_nest_cosim.cosim_core.model.experiment.adex import DriveNoise
from tvb_nest_cosim.cosim_core.model.experiment.spiking import DriveKind
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.model.signals import Array
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.translator.pipeline import Pipeline

TICKS = 120
KINDS = ["poisson", "mip", "sip", "trains", "current", "mip"]
RATES: list[dict[str, Any]] = [
    {"kind": kind, "width_ms": 2.0}
    for kind in ("boxcar", "exponential", "gaussian", "boxcar", "exponential", "boxcar")
]
Records = dict[int, Mapping[str, Array]]


def started(plan: RunPlan) -> tuple[Pipeline, Records]:
    pipeline, records = Pipeline(plan), {}

    def record(window: Window, arrays: Mapping[str, Array]) -> None:
        assert window.index not in records
        records[window.index] = dict(arrays)

    pipeline.build(record)
    pipeline.start(populations_of(plan))
    return pipeline, records


def coupling(plan: RunPlan, window: Window) -> dict[str, Array]:
    ticks = np.arange(window.start, window.stop)
    return {f"coupling/{r.name}": 5.0 * np.sin(0.1 * ticks + r.index) for r in plan.regions}


def counts(plan: RunPlan, window: Window, rank: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng(rank)
    table = {r.name: rng.integers(0, 4, (2, TICKS), dtype=np.uint32) for r in plan.regions}
    return {f"counts/{name}": c[:, window.start : window.stop] for name, c in table.items()}


@given(windows=partitions(TICKS))
@settings(max_examples=10, deadline=None)
def test_nothing_depends_on_windows(windows: list[Window]) -> None:
    plan = make_plan(
        drives=KINDS,
        rates=RATES,
        ticks=TICKS,
        noise=DriveNoise(weight_hz=1.0, nsig=0.1),
        nest_ranks=2,
    )
    outputs = []
    for division in ([Window(0, 0, TICKS)], windows):
        pipeline, records = started(plan)
        joined: dict[str, list[Array]] = {}
        for window in division:
            drive = pipeline.drive(window, coupling(plan, window))
            rates = pipeline.rates(window, [counts(plan, window, rank) for rank in (0, 1)])
            for name, array in {**drive, **rates, **records[window.index]}.items():
                shift = window.start if name.endswith("/tick") else 0
                joined.setdefault(name, []).append(array + shift if shift else array)
        outputs.append({n: np.concatenate(a, axis=-1) for n, a in joined.items()})
    assert outputs[0].keys() == outputs[1].keys()
    for name in outputs[0]:
        assert np.array_equal(*[output[name] for output in outputs]), name


def test_input_is_synapses_times_the_rectified_sum() -> None:
    plan = make_plan(drives=["poisson"])
    pipeline, _ = started(plan)
    window = plan.grid.window(0)
    coupled = np.linspace(-3.0, 16.0, 20)
    drive = pipeline.drive(window, {"coupling/r0": coupled})
    assert np.array_equal(drive["drive/r0/rate"], 100.0 * np.maximum(0.0, coupled + 1.0))


def test_external_input_may_come_on_top_of_the_rectified_rest() -> None:
    plan = make_plan(drives=["poisson"])
    (region,) = plan.regions
    drive_plan = region.drive.model_copy(update={"least_hz": region.drive.external_hz})
    plan = plan.model_copy(update={"regions": [region.model_copy(update={"drive": drive_plan})]})
    pipeline, _ = started(plan)
    coupled = np.linspace(-3.0, 16.0, 20)
    drive = pipeline.drive(plan.grid.window(0), {"coupling/r0": coupled})
    expected = 100.0 * (np.maximum(0.0, coupled) + 1.0)
    np.testing.assert_allclose(drive["drive/r0/rate"], expected, rtol=1e-14)


def test_noise_is_added_before_rectification() -> None:
    plan = make_plan(drives=["poisson"], noise=DriveNoise(weight_hz=5.0), ticks=2000)
    pipeline, _ = started(plan)
    window = Window(0, 0, 2000)
    rate = pipeline.drive(window, {"coupling/r0": np.zeros(2000)})["drive/r0/rate"]
    assert (rate == 0.0).any()
    assert rate.max() > 200.0
    assert (rate >= 0.0).all()


def test_rates_count_spikes_of_all_ranks_per_neuron() -> None:
    plan = make_plan(rates=[{"width_ms": 0.1}], nest_ranks=3)
    pipeline, _ = started(plan)
    window = plan.grid.window(0)
    ranks = [counts(plan, window, rank) for rank in range(3)]
    rates = pipeline.rates(window, ranks)["rates/r0"]
    total = sum(rank["counts/r0"].astype(np.int64) for rank in ranks)
    sizes = np.array(list(SIZES.values()))[:, np.newaxis]
    assert rates.dtype == np.float64
    assert np.allclose(rates, total / (sizes * 1e-4), rtol=1e-14)


@pytest.mark.parametrize("one_group", [True, False])
def test_with_several_nests_each_region_is_counted_where_it_lives(one_group: bool) -> None:
    plan = make_plan(
        drives=["poisson"] * 2,
        rates=[{"width_ms": 0.1}] * 2,
        nest_ranks=4,
        nest_kernels=2,
        one_group=one_group,
    )
    pipeline, _ = started(plan)
    window = plan.grid.window(0)
    whole = [counts(plan, window, rank) for rank in range(4)]
    own = [{f"counts/r{rank // 2}": whole[rank][f"counts/r{rank // 2}"]} for rank in range(4)]
    rates = pipeline.rates(window, own)
    sizes = np.array(list(SIZES.values()))[:, np.newaxis]
    for region, ranks in (("r0", (0, 1)), ("r1", (2, 3))):
        total = sum(whole[rank][f"counts/{region}"].astype(np.int64) for rank in ranks)
        assert np.allclose(rates[f"rates/{region}"], total / (sizes * 1e-4), rtol=1e-14)


@pytest.mark.parametrize("kind", ["poisson", "mip", "sip", "trains", "current"])
@pytest.mark.parametrize("rate", [{"kind": "exponential"}, {"kind": "gaussian", "width_ms": 1.0}])
def test_regions_of_one_group_get_what_each_gets_in_its_own(
    kind: DriveKind, rate: dict[str, Any]
) -> None:
    """Bit for bit, with populations of different sizes, noise in two regions, and two ranks."""
    outputs = []
    for one_group in (True, False):
        plan = make_plan(
            drives=[kind] * 3, rates=[rate] * 3, ticks=TICKS, nest_ranks=2, one_group=one_group
        )
        noise = DriveNoise(weight_hz=1.0)
        regions = [
            region.model_copy(
                update={
                    "drive": region.drive.model_copy(
                        update={"synapses": 10.0 + i, "noise": noise if i != 1 else None}
                    )
                }
            )
            for i, region in enumerate(plan.regions)
        ]
        pipeline = Pipeline(plan.model_copy(update={"regions": regions}))
        records: dict[str, Array] = {}
        pipeline.build(lambda _, arrays, records=records: records.update(arrays))
        pipeline.start({f"r{i}": {"excitatory": 40 + i, "inhibitory": 60 - i} for i in range(3)})
        windows = list(plan.grid.windows())
        signals = [
            {
                **pipeline.drive(window, coupling(plan, window)),
                **pipeline.rates(window, [counts(plan, window, rank) for rank in (0, 1)]),
                **records,
            }
            for window in windows
        ]
        assert len(signals) == 6
        assert signals[-1].keys() >= {f"{k}/r{i}" for k in ("input", "rates") for i in range(3)}
        outputs.append([{name: a.tobytes() for name, a in arrays.items()} for arrays in signals])
    assert outputs[0] == outputs[1]
    assert outputs[0][-1]["input/r0"] != outputs[0][-1]["input/r2"]


@pytest.mark.parametrize("order", ["drive first", "rates first"])
def test_each_window_is_recorded_once_with_both_directions(order: str) -> None:
    plan = make_plan(drives=["poisson", "mip"], ticks=60)
    pipeline, records = started(plan)
    drives = [lambda w=w: pipeline.drive(w, coupling(plan, w)) for w in plan.grid.windows()]
    rates = [lambda w=w: pipeline.rates(w, [counts(plan, w)]) for w in plan.grid.windows()]
    for call in drives + rates if order == "drive first" else rates + drives:
        call()
    assert list(records) == [0, 1, 2]
    names = {f"{kind}/r{i}" for kind in ("input", "rates") for i in (0, 1)}
    assert all(record.keys() == names for record in records.values())
    assert records[1]["input/r0"].shape == (20,)
    assert records[1]["rates/r0"].shape == (2, 20)


def test_seed_decides() -> None:
    window = Window(0, 0, 20)
    ticks = []
    for seed in (1, 1, 2):
        plan = make_plan(drives=["mip"], seed=seed)
        pipeline, _ = started(plan)
        ticks.append(pipeline.drive(window, coupling(plan, window))["drive/r0/count"])
    assert np.array_equal(ticks[0], ticks[1])
    assert not np.array_equal(ticks[0], ticks[2])


def test_coupling_that_is_not_finite_is_named() -> None:
    plan = make_plan()
    pipeline, _ = started(plan)
    bad = np.zeros(20)
    bad[3] = np.nan
    with pytest.raises(SimulationError, match=r"window 0: coupling/r0 is nan .* tick 4"):
        pipeline.drive(plan.grid.window(0), {"coupling/r0": bad})


@pytest.mark.parametrize("arrays", [{}, {"coupling/r0": np.zeros(19)}])
def test_coupling_missing_or_of_the_wrong_length_is_named(arrays: dict[str, Array]) -> None:
    plan = make_plan()
    pipeline, _ = started(plan)
    with pytest.raises(ProtocolError, match=r"tvb>translator, window 0: coupling/r0 .*\(20,\)"):
        pipeline.drive(plan.grid.window(0), arrays)


@pytest.mark.parametrize("arrays", [{}, {"counts/r0": np.zeros((3, 20), np.uint32)}])
def test_counts_missing_or_of_the_wrong_shape_are_named(arrays: dict[str, Array]) -> None:
    plan = make_plan(nest_ranks=2)
    pipeline, _ = started(plan)
    window = plan.grid.window(0)
    with pytest.raises(ProtocolError, match=r"rank 1: counts/r0 .* expected shape \(2, 20\)"):
        pipeline.rates(window, [counts(plan, window), arrays])


def test_faults_are_reported_together() -> None:
    plan = make_plan(
        drives=["mip", "poisson"],
        rates=[{"width_ms": 0.25}, {"translator": "nothing"}],
    )
    with pytest.raises(ExperimentError) as caught:
        Pipeline(plan).build(lambda window, arrays: None)
    assert {fault.path for fault in caught.value.faults} == {
        "spiking.0.rate.width_ms",
        "spiking.1.rate.translator",
    }


def test_targets_that_do_not_exist_are_named_once_for_a_group() -> None:
    plan = make_plan(drives=["poisson"] * 2, one_group=True)
    drive = plan.regions[0].drive.model_copy(update={"targets": ["pyramidal"]})
    regions = [region.model_copy(update={"drive": drive}) for region in plan.regions]
    pipeline = Pipeline(plan.model_copy(update={"regions": regions}))
    pipeline.build(lambda window, arrays: None)
    with pytest.raises(ExperimentError) as caught:
        pipeline.start(populations_of(plan))
    (fault,) = caught.value.faults
    assert fault.path == "spiking.0.drive.targets"
    assert "pyramidal" in fault.message


def test_versions_are_reported() -> None:
    built = Pipeline(make_plan()).build(lambda window, arrays: None)
    assert set(built.versions) == {"numpy", "numba", "scipy"}
