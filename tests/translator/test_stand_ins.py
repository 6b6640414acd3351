"""Stand-ins for an absent side: constants, files, journals of earlier runs, and their faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from translator_plans import make_plan, populations_of

from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.model.experiment import HOP_TICKS
from tvb_nest_cosim.cosim_core.model.experiment.spiking import DriveKind
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.model.signals import TVB_TO_TRANSLATOR, Block
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.cosim_core.run_dir.journal import JournalOwner, JournalWriter
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.translator.pipeline import Pipeline

TICKS = 60


def alone(simulators: str, stand_in: dict[str, Any], base_dir: Path, **options: Any) -> RunPlan:
    return make_plan(
        simulators=simulators, stand_in=stand_in, base_dir=base_dir, **{"ticks": TICKS, **options}
    )


def built(plan: RunPlan) -> Pipeline:
    pipeline = Pipeline(plan)
    pipeline.build(lambda window, arrays: None)
    return pipeline


def faults_of(plan: RunPlan) -> list[str]:
    with pytest.raises(ExperimentError) as caught:
        built(plan)
    return [str(fault) for fault in caught.value.faults]


def series(pipeline: Pipeline, plan: RunPlan, kind: str, region: str = "r0") -> Any:
    read = pipeline.coupling_of if kind == "coupling" else pipeline.rates_of
    return np.concatenate(
        [read(window)[f"{kind}/{region}"] for window in plan.grid.windows()], axis=-1
    )


def test_constant_for_every_region_or_by_region(tmp_path: Path) -> None:
    plan = alone("nest", {"kind": "constant", "hz": 3.0}, tmp_path, drives=["poisson", "mip"])
    assert np.array_equal(series(built(plan), plan, "coupling", "r1"), np.full(TICKS, 3.0))
    plan = alone("nest", {"kind": "constant", "hz": {"r1": 2.0}}, tmp_path, drives=["poisson"] * 2)
    assert not series(built(plan), plan, "coupling", "r0").any()
    assert np.array_equal(series(built(plan), plan, "coupling", "r1"), np.full(TICKS, 2.0))


def test_stand_in_for_nest_has_a_row_per_fed_population_and_is_recorded(tmp_path: Path) -> None:
    plan = alone("tvb", {"kind": "constant", "hz": 4.0}, tmp_path)
    (feed,) = plan.regions[0].feeds
    other = feed.model_copy(update={"variable": "I", "population": "inhibitory"})
    region = plan.regions[0].model_copy(update={"feeds": [feed, other, feed]})
    plan = plan.model_copy(update={"regions": [region]})
    pipeline, records = Pipeline(plan), []
    pipeline.build(lambda window, arrays: records.append((window.index, dict(arrays))))
    pipeline.start({})
    rates = pipeline.rates_of(plan.grid.window(0))["rates/r0"]
    assert np.array_equal(rates, np.full((2, 20), 4.0))
    assert records[0][0] == 0
    assert records[0][1].keys() == {"rates/r0"}


@pytest.mark.parametrize(("hz", "path"), [(-1.0, "stand_in.hz"), ({"r0": -1.0}, "stand_in.hz.r0")])
def test_a_negative_constant_is_refused(tmp_path: Path, hz: Any, path: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        alone("nest", {"kind": "constant", "hz": hz}, tmp_path)
    assert path in [fault.path for fault in caught.value.faults]


CSV = "time_ms,r0,other\n0,1,9\n2.0,5,9\n3.1,0,9\n"


def file_plan(tmp_path: Path, text: str, simulators: str = "tvb", **options: Any) -> RunPlan:
    (tmp_path / "rates.csv").write_text(text)
    return alone(simulators, {"kind": "file", "path": "rates.csv"}, tmp_path, **options)


def expected_rates(first_tick: int) -> np.ndarray:
    """A value at t holds in the ticks that end after t: 2.0 ms from tick 21 on."""
    ticks = np.arange(first_tick, first_tick + TICKS)
    return np.where(ticks <= 20, 1.0, np.where(ticks <= 31, 5.0, 0.0))


def test_file_is_sampled_and_held(tmp_path: Path) -> None:
    plan = file_plan(tmp_path, CSV)
    assert np.array_equal(series(built(plan), plan, "rates"), expected_rates(1)[np.newaxis])


@pytest.mark.parametrize(("kind", "hop"), [("poisson", 1), ("mip", 2)])
def test_file_of_coupling_acts_at_its_times(tmp_path: Path, kind: Any, hop: int) -> None:
    plan = file_plan(tmp_path, CSV, "nest", drives=[kind])
    assert np.array_equal(series(built(plan), plan, "coupling"), expected_rates(1 + hop))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time_ms,r1\n0,1\n", "has no column 'r0'; its columns are: time_ms, r1"),
        ("t,r0\n0,1\n", "has no column 'time_ms'"),
        ("time_ms,r0,r0\n0,1,1\n", "several columns named r0"),
        ("time_ms,r0\n0,1\n1,nan\n", "has nan in column 'r0', row 2"),
        ("time_ms,r0\n0,1\n1,-2\n", "has a negative rate in column 'r0', row 2 of the values: -2"),
        ("time_ms,r0\n0,1\n2,1\n1,1\n", "1 ms comes after 2 ms, row 3"),
        ("time_ms,r0\n0,1\n0,1\n", "0 ms comes after 0 ms"),
        ("time_ms,r0\n0.5,1\n", "starts at 0.5 ms"),
        ("time_ms,r0\n0,1\n0.25,1\n", "not a whole number of ticks"),
        ("time_ms,r0\n0,x\n", "is not a table of numbers"),
        ("time_ms,r0\n0,1\n1\n", "is not a table of numbers"),
        ("time_ms,r0\n0,1,2\n", "2 column names, but rows of 3"),
        ("time_ms,r0\n", "has no values"),
    ],
)
def test_file_faults(tmp_path: Path, text: str, message: str) -> None:
    (fault,) = faults_of(file_plan(tmp_path, text))
    assert fault.startswith("stand_in.path: ")
    assert message in fault


def test_several_file_faults_are_reported_together(tmp_path: Path) -> None:
    text = "time_ms,r0\n3,1\n1,nan\n"
    assert len(faults_of(file_plan(tmp_path, text))) == 3


def test_file_that_is_not_there(tmp_path: Path) -> None:
    plan = alone("tvb", {"kind": "file", "path": "no.csv"}, tmp_path)
    assert "cannot read" in faults_of(plan)[0]


def write_run(root: Path, plan: RunPlan, windows: int | None = None) -> dict[str, np.ndarray]:
    """Writes plan and journal of a co-simulation; returns its series."""
    layout = RunLayout(root)
    layout.make()
    tree = {"plan": plan.model_dump(mode="json"), "populations": populations_of(plan)}
    layout.plan.write_text(json.dumps(tree))
    rng = np.random.default_rng(3)
    coupling = rng.normal(size=plan.total_ticks)
    rates = rng.random((2, plan.total_ticks))
    owner = JournalOwner(plan.run, "translator", 0)
    with JournalWriter(layout.journal("translator", 0), owner) as journal:
        for window in list(plan.grid.windows())[:windows]:
            part = slice(window.start, window.stop)
            journal.append(
                Block(TVB_TO_TRANSLATOR, window.index, 0, {"coupling/r0": coupling[part].copy()})
            )
            journal.append(
                Block("translator.record", window.index, 0, {"rates/r0": rates[:, part].copy()})
            )
    return {"coupling": coupling, "rates": rates}


def replay(tmp_path: Path, simulators: str, **options: Any) -> RunPlan:
    return alone(simulators, {"kind": "journal", "run": "run"}, tmp_path, **options)


def test_journal_gives_the_same_series_in_other_windows(tmp_path: Path) -> None:
    values = write_run(tmp_path / "run", make_plan(ticks=TICKS, window_ticks=16))
    plan = replay(tmp_path, "nest", window_ticks=7)
    assert np.array_equal(series(built(plan), plan, "coupling"), values["coupling"])
    plan = replay(tmp_path, "tvb", window_ticks=60)
    assert np.array_equal(series(built(plan), plan, "rates"), values["rates"][:1])


def test_journal_of_a_run_that_had_a_stand_in_itself(tmp_path: Path) -> None:
    earlier = alone("tvb", {"kind": "constant", "hz": 4.0}, tmp_path)
    values = write_run(tmp_path / "run", earlier)
    layout = RunLayout(tmp_path / "run")
    tree = json.loads(layout.plan.read_text())
    layout.plan.write_text(json.dumps({**tree, "populations": {}}))
    plan = replay(tmp_path, "tvb")
    assert np.array_equal(series(built(plan), plan, "rates"), values["rates"][:1])


def test_journal_rates_are_chosen_by_population(tmp_path: Path) -> None:
    values = write_run(tmp_path / "run", make_plan(ticks=TICKS))
    plan = replay(tmp_path, "tvb")
    feed = plan.regions[0].feeds[0].model_copy(update={"population": "inhibitory"})
    region = plan.regions[0].model_copy(update={"feeds": [feed]})
    plan = plan.model_copy(update={"regions": [region]})
    assert np.array_equal(series(built(plan), plan, "rates"), values["rates"][1:])
    unknown = feed.model_copy(update={"population": "granule"})
    region = region.model_copy(update={"feeds": [unknown]})
    (fault,) = faults_of(plan.model_copy(update={"regions": [region]}))
    assert "had no population granule" in fault
    assert "excitatory, inhibitory" in fault


@pytest.mark.parametrize(("then", "now"), [("poisson", "mip"), ("mip", "poisson")])
def test_journal_of_a_drive_with_other_hops_acts_at_the_same_ticks(
    tmp_path: Path, then: DriveKind, now: DriveKind
) -> None:
    old = write_run(tmp_path / "run", make_plan(drives=[then], ticks=TICKS))["coupling"]
    plan = replay(tmp_path, "nest", drives=[now])
    pipeline = Pipeline(plan)
    (warning,) = pipeline.build(lambda window, arrays: None).warnings
    assert f"takes {HOP_TICKS[now]} ticks" in warning
    expected = [*old[1:], old[-1]] if now == "mip" else [old[0], *old[:-1]]
    assert np.array_equal(series(pipeline, plan, "coupling"), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt_ms": 0.05}, "has dt_ms 0.1, this experiment has 0.05"),
        ({"ticks": 80}, "for 6 ms, this experiment lasts 8 ms"),
        ({"drives": ["poisson", "poisson"]}, "holds no coupling of region 'r1'"),
    ],
)
def test_journal_faults(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    write_run(tmp_path / "run", make_plan(ticks=TICKS))
    (fault,) = faults_of(replay(tmp_path, "nest", **options))
    assert fault.startswith("stand_in.run: ")
    assert message in fault


def test_journal_that_ended_early_is_too_short(tmp_path: Path) -> None:
    write_run(tmp_path / "run", make_plan(ticks=TICKS), windows=2)
    assert "for 4 ms" in faults_of(replay(tmp_path, "tvb"))[0]


def test_journal_absent_or_damaged(tmp_path: Path) -> None:
    assert "is not a run directory" in faults_of(replay(tmp_path, "nest"))[0]
    write_run(tmp_path / "run", make_plan(ticks=TICKS))
    layout = RunLayout(tmp_path / "run")
    layout.journal("translator", 0).write_bytes(b"something else")
    assert "is not a journal" in faults_of(replay(tmp_path, "nest"))[0]
    layout.plan.write_text("{}")
    assert "damaged or of another version" in faults_of(replay(tmp_path, "nest"))[0]


def test_windows_can_be_read_in_any_order(tmp_path: Path) -> None:
    plan = file_plan(tmp_path, CSV)
    rates = built(plan).rates_of(Window(2, 40, 60))["rates/r0"]
    assert np.array_equal(rates[0], expected_rates(41)[:20])
