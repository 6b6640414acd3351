"""The loop of a sweep and what it remembers, without processes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from results.synthetic_run import Activity, completed, write_run
from sweep.cardboard import Cardboard, write_provenance
from sweep.sweeps import grid, points_of
from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.orchestrator.run.control import RunControl
from tvb_nest_cosim.orchestrator.sweep import row as remembering
from tvb_nest_cosim.orchestrator.sweep.executor import Needs
from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout, held
from tvb_nest_cosim.orchestrator.sweep.model import Measures
from tvb_nest_cosim.orchestrator.sweep.points import Point
from tvb_nest_cosim.orchestrator.sweep.row import SweepRow
from tvb_nest_cosim.orchestrator.sweep.runner import (
    Progress,
    examine,
    run_points,
    survey,
    warnings_of,
)
from tvb_nest_cosim.orchestrator.sweep.table import TIMES, make_table

pytestmark = pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity is deprecated")

MEASURES = Measures(frequency_resolution_hz=50)
POINTS = points_of(grid(adex__external_hz=[1, 2, 3], adex__excitatory__b_pA=[0, 9]))


class Silent:
    """Watches nothing."""

    def __init__(self) -> None:
        self.on_end: Callable[[Point], None] = lambda point: None

    def began(self, points: Sequence[Point]) -> None:
        """Nothing."""

    def ended(self, point: Point, record: SweepRow) -> None:
        self.on_end(point)

    def tick(self) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_run(tmp_path_factory.mktemp("cardboard") / "run", Activity.make(200), 20, 1)
    completed(root)
    return root


@pytest.fixture
def layout(tmp_path: Path) -> SweepLayout:
    layout = SweepLayout(tmp_path / "sweep")
    layout.make()
    return layout


def go(
    executor: Cardboard,
    points: Sequence[Point] = POINTS,
    *,
    retry: bool = False,
    observe: Silent | None = None,
    control: RunControl | None = None,
) -> tuple[Progress, bool]:
    progress = survey(executor.layout, points, MEASURES, retry_failed=retry)
    needs = examine(executor, executor.layout, progress.due, MEASURES)
    whole = run_points(
        executor, executor.layout, progress, needs, MEASURES, observe or Silent(),
        control or RunControl(),
    )  # fmt: skip
    return progress, whole


def test_every_point_is_run_once_and_never_again(layout: SweepLayout, finished: Path) -> None:
    first = Cardboard(layout, finished)
    progress, whole = go(first)
    assert whole
    assert [point.index for point in first.started] == list(range(6))
    assert first.most == 2
    again = Cardboard(layout, finished)
    remembered, whole = go(again)
    assert whole
    assert again.started == []
    assert remembered.records == progress.records


def test_points_are_measured_while_the_next_ones_run(layout: SweepLayout, finished: Path) -> None:
    executor, observe = Cardboard(layout, finished), Silent()
    at_work: list[int] = []
    observe.on_end = lambda point: at_work.append(len(executor.running))
    go(executor, observe=observe)
    assert at_work == [2, 2, 2, 2, 1, 0]


def test_the_same_experiment_is_run_once_and_has_two_rows(
    layout: SweepLayout, finished: Path
) -> None:
    points = points_of(grid(adex__external_hz=[1, 1.0, 2]))
    executor = Cardboard(layout, finished)
    progress, _ = go(executor, points)
    assert [point.index for point in executor.started] == [0, 2]
    frame = make_table(layout, points, progress.records)
    assert frame["path"].nunique() == 2
    assert frame["outcome"].tolist() == ["finished"] * 3


def test_a_failed_point_is_told_kept_and_run_again_on_demand(
    layout: SweepLayout, finished: Path
) -> None:
    first = Cardboard(layout, finished, fails=lambda p: "no luck" if p.index == 3 else "")
    progress, whole = go(first)
    assert whole
    frame = make_table(layout, POINTS, progress.records)
    assert frame["outcome"].tolist() == ["finished"] * 3 + ["failed"] + ["finished"] * 2
    assert frame["cause"][3] == "no luck"
    assert frame["rate_hz.rHC.excitatory"].isna().tolist() == [False] * 3 + [True] + [False] * 2
    again = Cardboard(layout, finished)
    remembered, _ = go(again)
    assert again.started == []
    assert remembered.records[POINTS[3].id].cause == "no luck"
    retried, _ = go(again, retry=True)
    assert [point.index for point in again.started] == [3]
    assert retried.records[POINTS[3].id].outcome == "finished"


def test_the_user_ends_a_sweep_and_goes_on_with_it(layout: SweepLayout, finished: Path) -> None:
    control, observe = RunControl(), Silent()

    def interrupt(point: Point) -> None:
        control.interrupt("interrupted by the user")

    observe.on_end = interrupt
    first = Cardboard(layout, finished)
    progress, whole = go(first, observe=observe, control=control)
    assert not whole
    assert first.stops == 1
    assert len(progress.records) == 1  # those that were ended by the user did not fail
    frame = make_table(layout, POINTS, progress.records)
    assert frame["outcome"].value_counts().to_dict() == {"not run": 5, "finished": 1}
    second = Cardboard(layout, finished)
    remembered, whole = go(second)
    assert whole
    assert {p.index for p in second.started} == set(range(6)) - {
        p.index for p in POINTS if p.id in progress.records
    }
    straight = SweepLayout(layout.root.with_name("straight"))
    straight.make()
    reference, _ = go(Cardboard(straight, finished))
    tables = [
        make_table(lay, POINTS, got.records).drop(columns=list(TIMES))
        for lay, got in ((layout, remembered), (straight, reference))
    ]
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize("kind", ["interrupted", "failed", "another experiment", "no provenance"])
def test_what_is_no_finished_run_of_the_experiment_is_run(
    layout: SweepLayout, finished: Path, kind: str
) -> None:
    root = layout.run(POINTS[0].id)
    root.mkdir()
    if kind == "another experiment":
        write_provenance(root, "finished", "0" * 64)
    elif kind != "no provenance":
        write_provenance(root, kind, POINTS[0].digest)
    executor = Cardboard(layout, finished)
    go(executor, POINTS[:1])
    assert executor.started == [POINTS[0]]


def test_a_finished_run_is_measured_though_its_record_is_lost(
    layout: SweepLayout, finished: Path
) -> None:
    before, _ = go(Cardboard(layout, finished), POINTS[:1])
    layout.record(POINTS[0].id).write_text("{")
    executor = Cardboard(layout, finished)
    after, _ = go(executor, POINTS[:1])
    assert executor.started == []
    record = before.records[POINTS[0].id].model_copy(update={"point_s": None})
    assert after.records == {POINTS[0].id: record}


def test_other_measures_measure_again_and_run_nothing(
    layout: SweepLayout, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = go(Cardboard(layout, finished), POINTS[:1])
    other = Measures(frequency_resolution_hz=50, discard_ms=7)
    again = survey(layout, POINTS[:1], other, retry_failed=False)
    assert again.due == []
    new, old = again.records[POINTS[0].id], before.records[POINTS[0].id]
    assert new.measures == other
    assert new.values != old.values
    assert new.point_s == old.point_s
    calls = []
    monkeypatch.setattr(remembering, "measure", lambda *a: calls.append(a) or {})
    survey(layout, POINTS[:1], other, retry_failed=False)
    assert calls == []


def test_results_that_cannot_be_read_or_made_again_fail_their_point_alone(
    layout: SweepLayout, finished: Path, tmp_path: Path
) -> None:
    broken = shutil.copytree(finished, tmp_path / "broken")
    (broken / "rates.nc").write_bytes(b"no")
    RunLayout(broken).journal("translator", 0).write_bytes(b"no")
    progress, whole = go(Cardboard(layout, broken), POINTS[:1])
    assert whole
    record = progress.records[POINTS[0].id]
    assert record.outcome == "failed"
    assert "translator-0.journal is not the file that manifest.json lists" in record.cause


def test_a_point_that_ran_another_experiment_fails(layout: SweepLayout, finished: Path) -> None:
    """Somebody changed the file of the experiment while the sweep went on."""

    class Changed(Cardboard):
        def ended(self) -> list[Any]:
            ended = super().ended()
            for gone in ended:
                write_provenance(layout.run(gone.point.id), "finished", "0" * 64)
            return ended

    progress, _ = go(Changed(layout, finished), POINTS[:1])
    assert "was its file changed" in progress.records[POINTS[0].id].cause


def test_warnings_are_told_once_with_the_points_that_they_are_about() -> None:
    needs = {p.id: Needs(1, 0, 0, ("all", "last") if p.index > 3 else ("all",)) for p in POINTS}
    assert warnings_of(POINTS, needs) == [
        "all",
        "point 4 (adex.external_hz = 3, adex.excitatory.b_pA = 0) and 1 more: last",
    ]


def test_one_sweep_at_a_time_works_in_a_folder(layout: SweepLayout) -> None:
    with (
        held(layout.lock()),
        pytest.raises(ExperimentError, match="another process works"),
        held(layout.lock()),
    ):
        pytest.fail("both got in")
    with held(layout.lock()), held(layout.lock(POINTS[0].id)):
        pass


def test_records_are_plain_json(layout: SweepLayout, finished: Path) -> None:
    progress, _ = go(Cardboard(layout, finished), POINTS[:1])
    text = layout.record(POINTS[0].id).read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert SweepRow.model_validate_json(text) == progress.records[POINTS[0].id]
