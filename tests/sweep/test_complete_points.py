"""A row is made of a complete run, or the point is completed or run again; see docs/sweeps.md."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from results.synthetic_run import Activity, completed, write_run
from sweep import killed_sweep
from sweep.cardboard import Cardboard
from sweep.killed_sweep import MEASURES, POINTS, resume
from sweep.sweeps import TINY, grid, write_sweep
from sweep.test_runner import Silent
from tvb_nest_cosim.cosim_core.errors import ExperimentError, RunDirectoryError
from tvb_nest_cosim.cosim_core.processes.collector import Collected
from tvb_nest_cosim.cosim_core.results import collect, complete, digest, seal
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.lock import run_lock
from tvb_nest_cosim.cosim_core.run_dir.manifest import Manifest
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance
from tvb_nest_cosim.orchestrator.run.control import RunControl
from tvb_nest_cosim.orchestrator.sweep import kept_run
from tvb_nest_cosim.orchestrator.sweep.campaign import Campaign
from tvb_nest_cosim.orchestrator.sweep.changed_inputs import mixed_inputs
from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout
from tvb_nest_cosim.orchestrator.sweep.model import Measures
from tvb_nest_cosim.orchestrator.sweep.row import SweepRow
from tvb_nest_cosim.orchestrator.sweep.runner import (
    Progress,
    examine,
    run_points,
    survey,
    survey_warnings,
)
from tvb_nest_cosim.orchestrator.sweep.statistics import measure
from tvb_nest_cosim.orchestrator.sweep.table import TIMES, make_table

pytestmark = pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity is deprecated")

FIRST = POINTS[0]


@pytest.fixture(scope="module")
def journals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose windows are all in the journals, without results."""
    return write_run(tmp_path_factory.mktemp("ended") / "run", Activity.make(200), 20, 1)


@pytest.fixture(scope="module")
def finished(journals: Path) -> Path:
    return completed(shutil.copytree(journals, journals.with_name("finished")))


@pytest.fixture
def layout(tmp_path: Path, journals: Path) -> SweepLayout:
    """A sweep that was killed after its points had ended, before their results were made."""
    layout = SweepLayout(tmp_path / "sweep")
    layout.make()
    for point in POINTS:
        end(layout, journals, point.id)
    return layout


@pytest.fixture(autouse=True)
def results_made_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes results in this process and waits for no disk, since that is faster."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(kept_run, "complete", partial(complete, make=collect))


def end(layout: SweepLayout, journals: Path, point: str) -> None:
    root = shutil.copytree(journals, layout.run(point))
    known = {p.id: p.digest for p in POINTS}[point]
    Provenance(
        outcome="finished", windows_done=10, experiment_digest=known, digest=digest(root),
        build_s=1.5, wall_s=2.5,
    ).write(root)  # fmt: skip


def looked_at(layout: SweepLayout) -> Progress:
    return survey(layout, POINTS, MEASURES, retry_failed=False)


def carried_out(executor: Cardboard) -> Progress:
    progress = looked_at(executor.layout)
    needs = examine(executor, executor.layout, progress.due, MEASURES)
    run_points(
        executor, executor.layout, progress, needs, MEASURES, Silent(), RunControl()
    )  # fmt: skip
    return progress


def table(layout: SweepLayout) -> pd.DataFrame:
    frame = make_table(layout, POINTS, looked_at(layout).records)
    return frame.drop(columns=list(TIMES))


def test_a_point_whose_results_were_never_made_is_completed_and_not_run(
    layout: SweepLayout,
) -> None:
    progress = looked_at(layout)
    assert progress.due == []
    assert [progress.records[p.id].outcome for p in POINTS] == ["finished"] * 3
    for point in POINTS:
        row, manifest = progress.records[point.id], Manifest.read(RunLayout(layout.run(point.id)))
        assert manifest is not None
        assert row.digest == manifest.digest
        assert row.values["tvb_mean_hz"] is not None
        assert row.values["rate_hz.rHC.excitatory"] is not None


def test_a_sweep_killed_at_any_write_goes_on_to_the_same_rows(
    layout: SweepLayout, tmp_path: Path
) -> None:
    looked_at(layout)
    layout.record(FIRST.id).unlink()
    for path in (
        *RunLayout(layout.run(FIRST.id)).results(),
        RunLayout(layout.run(FIRST.id)).manifest,
    ):
        path.unlink(missing_ok=True)
    straight = SweepLayout(shutil.copytree(layout.root, tmp_path / "straight"))
    assert resume(straight) == 0
    expected = table(straight)
    assert expected["tvb_mean_hz"].notna().all()
    assert expected["outcome"].tolist() == ["finished"] * 3
    command = [sys.executable, str(killed_sweep.__file__), str(layout.root), str(tmp_path / "kill")]
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    subprocess.run(command, check=True, timeout=300, env={**os.environ, "PYTHONPATH": path})
    killed = [path for path in (tmp_path / "kill").iterdir() if path.name != "warm"]
    print(f"killed at {len(killed) - 1} writes")
    assert len(killed) > 15
    for folder in killed:
        again = SweepLayout(folder)
        assert resume(again) == 0
        pd.testing.assert_frame_equal(table(again), expected, check_exact=True)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def remove_provenance_of(root: Path) -> None:
    RunLayout(root).provenance.write_text("{")


DAMAGE: dict[str, Callable[[Path], None]] = {
    "a journal was cut": lambda root: cut(RunLayout(root).journal("tvb", 0)),
    "a journal is gone": lambda root: RunLayout(root).journal("nest", 0).unlink(),
    "the plan is gone": lambda root: RunLayout(root).plan.unlink(),
    "the provenance was cut": remove_provenance_of,
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("was_measured", [False, True])
def test_a_damaged_point_is_run_again_and_its_row_says_why(
    layout: SweepLayout, finished: Path, damage: str, was_measured: bool
) -> None:
    if was_measured:
        looked_at(layout)
    DAMAGE[damage](layout.run(FIRST.id))
    found = looked_at(layout)
    assert found.due == [FIRST]
    (told,) = survey_warnings(layout, POINTS, found)
    assert told.startswith("point 0 (adex.external_hz = 1): damaged: ")
    assert layout.run(FIRST.id).is_dir()  # a look removes nothing
    executor = Cardboard(layout, finished)
    executor.on_start = lambda point: shutil.rmtree(layout.run(point.id))
    row = carried_out(executor).records[FIRST.id]
    assert executor.started == [FIRST]
    assert row.outcome == "finished"
    assert row.cause.startswith("run again: ")
    assert looked_at(layout).records[FIRST.id] == row
    assert not table(layout)["tvb_mean_hz"].isna().any()


@pytest.mark.parametrize("name", ["tvb.nc", "spikes.h5", "rates.nc", "timing.csv"])
def test_a_result_file_that_is_gone_is_made_again(layout: SweepLayout, name: str) -> None:
    before = looked_at(layout)
    (layout.run(FIRST.id) / name).unlink()
    after = looked_at(layout)
    assert after.due == []
    assert after.records == before.records
    assert (layout.run(FIRST.id) / name).is_file()


def test_a_result_file_with_other_bytes_is_made_again_before_it_is_measured(
    layout: SweepLayout,
) -> None:
    before = looked_at(layout).records[FIRST.id]
    path = RunLayout(layout.run(FIRST.id)).tvb
    path.write_bytes(path.read_bytes()[:-7] + b"damaged")
    layout.record(FIRST.id).unlink()
    after = looked_at(layout).records[FIRST.id]
    assert after == before.model_copy(update={"point_s": None})


def test_rows_of_run_folders_that_were_removed_are_kept_and_said_to_be(
    layout: SweepLayout,
) -> None:
    before = looked_at(layout)
    shutil.rmtree(layout.run(FIRST.id))
    after = looked_at(layout)
    assert after == before
    assert survey_warnings(layout, POINTS, after) == [
        "point 0 (adex.external_hz = 1): kept row, run folder is gone"
    ]
    other = survey(layout, POINTS, Measures(discard_ms=1), retry_failed=False)
    assert other.due == [FIRST]  # of what is gone nothing can be measured


def test_a_folder_without_journals_keeps_its_row(layout: SweepLayout) -> None:
    before = looked_at(layout)
    shutil.rmtree(RunLayout(layout.run(FIRST.id)).journals)
    assert looked_at(layout) == before
    RunLayout(layout.run(FIRST.id)).tvb.unlink()
    assert looked_at(layout).due == [FIRST]


def test_a_row_of_another_digest_is_measured_again(layout: SweepLayout) -> None:
    before = looked_at(layout).records[FIRST.id]
    other = before.model_copy(update={"digest": "0" * 64, "values": {"tvb_mean_hz": 7.0}})
    layout.record(FIRST.id).write_text(other.model_dump_json())
    assert looked_at(layout).records[FIRST.id] == before


def no_room(root: Path) -> Collected:
    raise RunDirectoryError(f"cannot write {root}/tvb.nc: No space left on device")


def test_a_full_disk_costs_no_journals(
    layout: SweepLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results that cannot be made now are no reason to run the point again."""
    with monkeypatch.context() as patch:
        patch.setattr(kept_run, "complete", partial(complete, make=no_room))
        progress = looked_at(layout)
        assert progress.due == []
        row = progress.records[FIRST.id]
        assert row.outcome == "failed"
        assert "No space left on device" in row.cause
    assert looked_at(layout).records[FIRST.id].outcome == "finished"


def test_a_run_in_which_somebody_works_is_left_alone(layout: SweepLayout) -> None:
    root = layout.run(FIRST.id)
    with run_lock(RunLayout(root)):
        row = looked_at(layout).records[FIRST.id]
        assert row.outcome == "failed"
        assert "another process works on" in row.cause
        with pytest.raises(RunDirectoryError, match="another process works on"):
            kept_run.discard(root)
    assert root.is_dir()
    assert looked_at(layout).records[FIRST.id].outcome == "finished"


def test_series_that_the_plan_calls_for_are_never_left_out(journals: Path, tmp_path: Path) -> None:
    root = shutil.copytree(journals, tmp_path / "run")
    collected = collect(root)
    names = tuple(name for name in collected.files if name != "tvb.nc")
    RunLayout(root).tvb.unlink()
    with pytest.raises(RunDirectoryError, match=r"no manifest\.json"):
        measure(root, MEASURES)
    seal(RunLayout(root), collected.model_copy(update={"files": names}))
    with pytest.raises(RunDirectoryError, match=r"has no tvb\.nc, though its plan has monitors"):
        measure(root, MEASURES)


# Whose folder it is, and whether it can be written


def campaign(folder: Path) -> Campaign:
    write_sweep(folder, grid(adex__external_hz=[1, 2, 3]))
    return Campaign.read(folder / "sweep.yaml", folder / "sweep")


def go_on(campaign: Campaign, finished: Path, base_dir: Path | None = None) -> int:
    return campaign.run(
        Console(quiet=True),
        lambda layout, base: Cardboard(layout, finished, base_dir=base_dir),
        retry_failed=False,
    )


def test_a_folder_in_which_nothing_may_be_written_is_one_sentence(
    finished: Path, tmp_path: Path
) -> None:
    sweep = campaign(tmp_path)
    sweep.layout.make()
    sweep.layout.lock().mkdir()  # the superuser may write everywhere else
    with pytest.raises(ExperimentError, match=r"locks/sweep cannot be written: Is a directory"):
        go_on(sweep, finished)
    sweep.layout.lock().rmdir()
    assert go_on(sweep, finished) == 0


def test_damaged_rows_and_lost_folders_of_rows_are_made_again(
    finished: Path, tmp_path: Path
) -> None:
    sweep = campaign(tmp_path)
    assert go_on(sweep, finished) == 0
    before = sweep.layout.csv.read_bytes()
    for path, content in zip(
        sorted(sweep.layout.record("x").parent.iterdir()), (b"", b"\x00" * 99, b"[]"), strict=True
    ):
        path.write_bytes(content)
    assert go_on(sweep, finished) == 0
    frames = [pd.read_csv(io.BytesIO(text)) for text in (before, sweep.layout.csv.read_bytes())]
    pd.testing.assert_frame_equal(*(frame.drop(columns=list(TIMES)) for frame in frames))
    shutil.rmtree(sweep.layout.record("x").parent)
    assert go_on(sweep, finished) == 0
    assert len(list(sweep.layout.record("x").parent.iterdir())) == 3


@pytest.mark.parametrize("name", ["records/", "table.parquet", "table.csv"])
def test_a_disk_that_is_full_while_rows_or_the_table_are_written_costs_nothing(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    sweep, write_bytes = campaign(tmp_path), Path.write_bytes

    def write(path: Path, data: bytes) -> int:
        if name.rstrip("/") in str(path.relative_to(path.anchor)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_bytes(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write)
        with pytest.raises(RunDirectoryError, match=rf"cannot write .*{name}.*No space left"):
            go_on(sweep, finished)
    assert not list(sweep.layout.root.glob("**/.*.partial"))
    assert go_on(sweep, finished) == 0
    assert pd.read_parquet(sweep.layout.parquet)["outcome"].tolist() == ["finished"] * 3


# Files that experiments name


def test_a_file_that_finished_points_have_read_must_not_change(
    finished: Path, tmp_path: Path
) -> None:
    series = tmp_path / "series.csv"
    series.write_text("0")
    base = {**TINY, "simulators": "nest", "stand_in": {"kind": "file", "path": "series.csv"}}
    write_sweep(tmp_path, grid(adex__external_hz=[1, 2, 3]), base)
    sweep = Campaign.read(tmp_path / "sweep.yaml", tmp_path / "sweep")
    assert go_on(sweep, finished, tmp_path) == 0
    first = sweep.points[0]
    row = SweepRow.model_validate_json(sweep.layout.record(first.id).read_bytes())
    read = hashlib.sha256(b"0").hexdigest()
    row = row.model_copy(update={"inputs": {"series.csv": read}})
    sweep.layout.record(first.id).write_text(row.model_dump_json())
    assert go_on(sweep, finished, tmp_path) == 0
    series.write_text("1")
    with pytest.raises(ExperimentError, match=r"series\.csv is not the file that point 0 .* read"):
        go_on(sweep, finished, tmp_path)
    assert go_on(sweep, finished, None) == 0  # a server has files of its own


def test_points_that_read_different_files_of_one_name_are_told() -> None:
    rows = {
        point.id: SweepRow(
            experiment_digest=point.digest, outcome="finished", inputs={"mine.py": content}
        )
        for point, content in zip(POINTS, "aab", strict=True)
    }
    (told,) = mixed_inputs(POINTS, rows)
    assert told.startswith("mine.py was changed while the sweep went on: point 2 (")
    assert "than point 0 (" in told
    assert not list(mixed_inputs(POINTS[:2], rows))
