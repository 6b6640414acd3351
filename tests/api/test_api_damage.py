"""What one run's folder holds stops neither the server nor the queue nor other runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.conftest import Served
from api.fake_ensemble import TINY, FakeEnsemble, Gate
from tvb_nest_cosim.cosim_core.client import ServerRefusal
from tvb_nest_cosim.cosim_core.model.signals import Block
from tvb_nest_cosim.cosim_core.run_dir.journal import JournalOwner, JournalWriter
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.orchestrator.planning import checks
from tvb_nest_cosim.orchestrator.run import runner
from tvb_nest_cosim.orchestrator.server.settings import Settings
from tvb_nest_cosim.orchestrator.store import RunState


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take ten seconds and are not what is tested here."""
    monkeypatch.setattr(runner, "_draw", lambda root, **_: RunLayout(root).report.touch())


def killed_while_finishing(served: Served, provenance: bool = True) -> str:
    """Leaves a run as a server does that is killed while it makes the results."""
    run: str = served.client.create(TINY).id
    assert served.client.wait(run).state == "finished"
    layout = RunLayout(served.service.settings.runs / run)
    for path in (layout.manifest, *layout.results(), layout.report):
        path.unlink(missing_ok=True)
    if not provenance:
        layout.provenance.unlink()
    served.service.store.change(run, state=RunState.FINISHING, digest=None, ended=None, windows=0)
    return run


def without_phases(root: Path) -> None:
    path = RunLayout(root).timing_journal("nest", 0)
    path.unlink()
    with JournalWriter(path, JournalOwner(root.name, "nest", 0)) as timing:
        timing.append(Block("nest.timing", 0, 0, {"other": np.zeros((3, 5))}))


def garbage_plan(root: Path) -> None:
    RunLayout(root).plan.write_bytes(b"\xff{")


def garbage_journal(root: Path) -> None:
    RunLayout(root).journal("nest", 0).write_bytes(b"\x00" * 5000)


def folder_for_a_file(root: Path) -> None:
    RunLayout(root).timing.mkdir()


DAMAGE = [without_phases, garbage_plan, garbage_journal, folder_for_a_file]


@pytest.mark.parametrize("damage", DAMAGE)
def test_results_that_cannot_be_completed_are_told_and_the_queue_goes_on(
    start: Any, settings: Settings, ensemble: FakeEnsemble, damage: Callable[[Path], None]
) -> None:
    with start(settings, ensemble) as served:
        bad, good = killed_while_finishing(served), killed_while_finishing(served)
        damage(settings.runs / bad)
    with start(settings, ensemble) as served:
        assert served.client.wait(served.client.create(TINY).id).state == "finished"
        told = served.until(bad, "failed")
        assert told.cause.startswith("the run finished, but its results could not be completed:")
        assert served.until(good, "finished").windows > 0
        assert "spikes.h5" in {file.name for file in served.client.files(good)}
        assert served.client._http.get("/readyz").status_code == 200


@pytest.mark.parametrize("error", [MemoryError("no memory"), np.linalg.LinAlgError("singular")])
def test_whatever_drawing_raises_is_noted_beside_the_cause(
    start: Any,
    settings: Settings,
    ensemble: FakeEnsemble,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    def draw(root: Path, **_: Any) -> Path:
        raise error

    monkeypatch.setattr(runner, "_draw", draw)
    with start(settings, ensemble) as served:
        run = killed_while_finishing(served, provenance=False)
    with start(settings, ensemble) as served:
        told = served.until(run, "interrupted")
        assert told.cause.startswith("the server ended while this run was going on")
        assert f"could not be completed: {type(error).__name__}: {error};" in told.cause
        assert served.client.wait(served.client.create(TINY).id).state == "finished"
    assert any(record.exc_info and run in record.getMessage() for record in caplog.records)


def test_a_run_is_finishing_until_its_results_are_complete_and_keeps_no_other_waiting(
    start: Any,
    settings: Settings,
    ensemble: FakeEnsemble,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    gate = Gate()
    monkeypatch.setattr(runner, "_draw", lambda root, **_: gate())
    with start(settings, ensemble) as served:
        run, waiting = killed_while_finishing(served), killed_while_finishing(served)
    with start(settings, ensemble) as served:
        assert gate.reached.wait(30)
        assert served.client.wait(served.client.create(TINY).id).state == "finished"
        assert [served.client.run(r).state for r in (run, waiting)] == ["finishing"] * 2
        with pytest.raises(ServerRefusal, match="are being completed") as refusal:
            served.client.delete(run)
        assert refusal.value.status == 409
        with pytest.raises(ServerRefusal, match="is finishing; this needs"):
            served.client.stop(run)
        served.client.delete(waiting)
        gate.open()
        assert served.client.wait(run).state == "finished"
        names = {path.name for path in served.client.fetch(run, tmp_path / "got")}
        assert {"spikes.h5", "tvb.nc", "rates.nc", "timing.csv"} <= names
        assert not (settings.runs / waiting).exists()


def test_a_server_that_is_killed_again_owes_the_results_still(
    start: Any, settings: Settings, ensemble: FakeEnsemble, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    monkeypatch.setattr(runner, "_draw", lambda root, **_: gate())
    quick = settings.model_copy(update={"grace_s": 0.1})
    with start(quick, ensemble) as served:
        run = killed_while_finishing(served)
    with start(quick, ensemble) as served:
        assert gate.reached.wait(30)
    gate.open()
    with start(quick, ensemble) as served:
        assert served.until(run, "finished").cause is None


def test_a_mistake_while_planning_a_waiting_run_fails_that_run_alone(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = served.ensemble.ends["tiny"] = Gate()
    served.client.create(TINY)
    assert gate.reached.wait(30)
    bad, good = (served.client.create({**TINY, "name": name}).id for name in ("bad", "good"))
    admit = checks.admit

    def refuse(planned: Any, **options: Any) -> None:
        if planned.plan.run == bad:
            raise KeyError("phases")
        admit(planned, **options)

    monkeypatch.setattr(checks, "admit", refuse)
    gate.open()
    assert served.until(good, "finished")
    assert served.client.run(bad).cause.endswith("its log tells more: KeyError")


ROUTES = (
    "", "/files", "/files/tvb.nc", "/figures", "/figures/rates.svg", "/report.html", "/archive.zip",
    "/experiment", "/connectome", "/timing", "/raster", "/series?kind=rates", "/series?kind=tvb",
    "/series?kind=input", "/events",
)  # fmt: skip


def cut(root: Path) -> None:
    for path in (root / "spikes.h5", root / "tvb.nc", root / "rates.nc"):
        content = bytearray(path.read_bytes())
        for offset in range(2000, len(content), 97):
            content[offset] ^= 0xFF
        path.write_bytes(content)


def empty(root: Path) -> None:
    for path in root.rglob("*"):
        if path.is_file():
            path.write_bytes(b"")


def folders(root: Path) -> None:
    for path in list(root.iterdir()):
        if path.is_file():
            path.unlink()
            path.mkdir()


def looped_links(root: Path) -> None:
    for path in list(root.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        path.symlink_to(path)


def other_plan(root: Path) -> None:
    plan = RunLayout(root).plan
    plan.write_text(plan.read_text().replace('"excitatory"', '"other"'))


# h5netcdf complains about files that it could not open when they are forgotten.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "damage",
    [*DAMAGE[:-1], cut, empty, folders, looped_links, other_plan],
    ids=lambda f: f.__name__,
)
def test_a_damaged_folder_is_told_in_a_sentence(
    served: Served, damage: Callable[[Path], None]
) -> None:
    run = served.client.create(TINY).id
    served.client.wait(run)
    damage(served.service.settings.runs / run)
    for route in ROUTES:
        answer = served.client._http.get(f"/api/v1/runs/{run}{route}")
        assert answer.status_code in (200, 404), (route, answer.text)
        if answer.status_code == 404:
            assert answer.headers["content-type"] == "application/problem+json", route
            assert len(answer.json()["detail"]) > 20, route
    assert served.client.runs().total == 1
    served.client.delete(run)
    assert not (served.service.settings.runs / run).exists()


def test_files_that_cannot_be_removed_keep_their_run(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = served.client.create(TINY).id
    served.client.wait(run)

    def refuse(path: Path, **options: Any) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse)
        with pytest.raises(ServerRefusal, match="cannot be removed: Permission denied"):
            served.client.delete(run)
    assert served.client.run(run).state == "finished"
    served.client.delete(run)
