"""A database that is locked, deleted or replaced under a running server, and what is on disk."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.conftest import Served
from api.fake_ensemble import TINY, FakeEnsemble, Gate
from tvb_nest_cosim.cosim_core.client import ServerRefusal
from tvb_nest_cosim.cosim_core.results import collect, complete
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.lock import run_lock
from tvb_nest_cosim.orchestrator.run import runner
from tvb_nest_cosim.orchestrator.server.settings import Settings

LONG: dict[str, Any] = {**TINY, "name": "long", "duration_ms": 6000.0}


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Holds the database as another program would."""
    other = sqlite3.connect(settings.home / "cosim.db", isolation_level=None, timeout=20)
    try:
        other.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        other.close()


@pytest.fixture
def impatient(settings: Settings, start: Any, ensemble: FakeEnsemble) -> Iterator[Served]:
    """A server that waits for its database half a second, with runs of some length."""
    ensemble.pace_s = 0.01
    with start(settings.model_copy(update={"database_wait_s": 0.5}), ensemble) as served:
        yield served


@pytest.mark.parametrize("command", ["stop", "abort"])
def test_a_command_reaches_the_run_while_the_database_is_locked(
    served: Served, settings: Settings, command: str
) -> None:
    served.ensemble.pace_s = 0.01
    gate = served.ensemble.ends["long"] = Gate()
    run = served.client.create(LONG).id
    served.until(run, "running")
    with locked(settings):
        # A call that waits for the database keeps nobody else waiting.
        creating = threading.Thread(target=_create, args=(served,))
        creating.start()
        time.sleep(0.2)
        began_s = time.monotonic()
        answer = getattr(served.client, command)(run)
        assert time.monotonic() - began_s < 2.0
        assert answer.state in ("stopping", "finishing")
        assert gate.reached.wait(15), "the run went on"
        assert served.client.run(run).state == "finishing"
        gate.open()
    creating.join()
    ended = served.until(run, "interrupted")
    assert ended.cause == "stopped by the user"
    assert 0 < ended.windows < ended.windows_total
    row = served.service.store.get(run)
    assert row is not None
    assert row.windows == ended.windows


def _create(served: Served) -> None:
    with suppress(ServerRefusal):  # it may wait for too long, which is not what is tested
        served.client.create(TINY)


def test_pausing_and_going_on_need_no_database(impatient: Served, settings: Settings) -> None:
    run = impatient.client.create(LONG).id
    impatient.until(run, "running")
    with locked(settings):
        assert impatient.client.pause(run).state == "paused"
        impatient.client.step(run)
        assert impatient.client.resume(run).state == "running"
        windows = impatient.client.run(run).windows
        _until(lambda: impatient.client.run(run).windows > windows)
    impatient.client.abort(run)
    assert impatient.until(run, "interrupted")


def test_what_needs_a_locked_database_is_refused_for_a_while(
    impatient: Served, settings: Settings
) -> None:
    get, post = impatient.client._http.get, impatient.client._http.post
    run = impatient.client.create(LONG).id
    waiting = impatient.client.create(TINY).id
    impatient.until(run, "running")
    with locked(settings):
        for answer in (
            post("/api/v1/runs", json={"experiment": TINY}),
            post(f"/api/v1/runs/{waiting}/stop"),
            impatient.client._http.delete(f"/api/v1/runs/{waiting}"),
            get("/readyz"),
        ):
            assert answer.status_code == 503, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) > 0
            assert "database is locked" in answer.json()["detail"]
    assert get("/readyz").status_code == 200
    impatient.client.abort(run)
    assert impatient.client.wait(waiting).state == "finished"


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_database_that_was_deleted_is_told_and_its_runs_are_taken_up_by_the_next_server(
    settings: Settings,
    start: Any,
    ensemble: FakeEnsemble,
    caplog: pytest.LogCaptureFixture,
    is_replaced: bool,
) -> None:
    ensemble.pace_s = 0.005
    with start(settings, ensemble) as served:
        get = served.client._http.get
        first = served.client.create(TINY, label="lost with the database").id
        before = served.client.wait(first)
        gate = ensemble.ends["long"] = Gate()
        run = served.client.create(LONG).id
        served.until(run, "running")
        for path in settings.home.glob("cosim.db*"):
            path.unlink()
        if is_replaced:
            sqlite3.connect(settings.home / "cosim.db").close()
            (settings.home / "cosim.db").touch()
        ready = get("/readyz")
        assert ready.status_code == 503
        assert "was deleted or replaced while the server ran" in ready.json()["detail"]
        with pytest.raises(ServerRefusal, match="Restart the server; the runs on disk") as refusal:
            served.client.create(TINY)
        assert refusal.value.status == 503
        # The present run needs no database.
        assert served.client.stop(run).state in ("stopping", "finishing")
        assert gate.reached.wait(5)
        gate.open()
        _until(lambda: (settings.runs / run / "timing.csv").exists())
        _until(lambda: served.service.queue.live(run) is not None)
    told = [r for r in caplog.records if "was deleted or replaced" in r.getMessage()]
    assert any(record.levelname == "ERROR" for record in told)
    with start(settings, ensemble) as served:
        assert [item.id for item in served.client.runs().items] == [run, first]
        assert served.client.run(run).state == "interrupted"
        after = served.client.run(first)
        same = {"id", "name", "windows", "windows_total", "duration_ms", "wall_s", "faults"}
        assert after.model_dump(include=same) == before.model_dump(include=same)
        assert (after.state, after.cause) == ("finished", None)
        assert abs((after.created - before.created).total_seconds()) < 2
        assert served.client.series(first, "rates")["rates"]
        assert served.client._http.get("/readyz").status_code == 200


def _until(condition: Any) -> None:
    give_up_at = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


def test_folders_that_the_database_does_not_know_are_listed(
    settings: Settings,
    start: Any,
    ensemble: FakeEnsemble,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(runner, "_draw", lambda root, **_: root)
    with start(settings, ensemble) as served:
        runs = [served.client.create(TINY).id for _ in range(5)]
        served.client.wait(runs[-1])
        waiting = served.client.run(runs[0])
    (settings.home / "cosim.db").unlink()
    finished, killed, unplanned, copied, going_on = (settings.runs / run for run in runs)
    (killed / "provenance.json").unlink()
    (killed / "timing.csv").unlink()
    (killed / "manifest.json").unlink()
    (unplanned / "plan.json").write_text('{"plan": 3}')
    provenance = json.loads((copied / "provenance.json").read_text())
    told = {"started": "2026-01-02T03:04:05+00:00", "ended": "2026-01-02T03:05:00+00:00"}
    (copied / "provenance.json").write_text(json.dumps({**provenance, **told}))
    (copied / "manifest.json").unlink()
    complete(copied, make=collect)
    copied.rename(settings.runs / "an-older-one")
    (settings.runs / "Not a run").mkdir()
    (settings.runs / "cosim-validate-abc").mkdir()
    (settings.runs / "file").touch()
    with run_lock(RunLayout(going_on)), start(settings, ensemble) as served:
        served.until(killed.name, "interrupted")
        listed = {item.id: item for item in served.client.runs().items}
        assert set(listed) == {finished.name, killed.name, "an-older-one"}
        # An identity, which is made a moment before its row, tells seconds.
        early = waiting.created - listed[finished.name].created
        assert timedelta(0) <= early < timedelta(seconds=10)
        assert listed[finished.name].state == "finished"
        assert listed[killed.name].windows == listed[killed.name].windows_total
        older = listed["an-older-one"]
        assert older.started is not None
        assert older.ended is not None
        assert (older.started.isoformat(), older.ended.isoformat()) == tuple(told.values())
        names = {path.name for path in served.client.fetch(killed.name, tmp_path / "got")}
        assert {"spikes.h5", "timing.csv"} <= names
        assert served.client.wait(served.client.create(TINY).id).state == "finished"
        served.client.delete(finished.name)
    left_alone = [r.getMessage() for r in caplog.records if "is left alone" in r.getMessage()]
    assert {unplanned.name, going_on.name, "Not a run", "cosim-validate-abc"} == {
        Path(message.partition(" is left alone")[0]).name for message in left_alone
    }
    with start(settings, ensemble) as served:
        # Known runs are not taken up again; the one that went on has ended.
        assert served.client.runs().total == 4
