"""What is remembered, in SQLite and in a real PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from api.fake_ensemble import TINY, FakeEnsemble
from tvb_nest_cosim.orchestrator.server.settings import Settings
from tvb_nest_cosim.orchestrator.store import Database, NewRun, RunState, RunStore, StoreError
from tvb_nest_cosim.orchestrator.store.models import Base

DEBIAN = Path("/usr/lib/postgresql")


def _binaries() -> Path | None:
    found = sorted(DEBIAN.glob("*/bin/postgres"))
    return found[-1].parent if found else None


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """A server of its own in a temporary folder; its URL."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("there is no PostgreSQL server in /usr/lib/postgresql (Debian: postgresql)")
    demoted: dict[str, Any] = {}
    # PostgreSQL does not run as root.
    if os.geteuid() == 0:
        try:
            user = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user 'postgres'")
        demoted = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    folder = Path(tempfile.mkdtemp(prefix="cosim-pg-"))
    if demoted:
        os.chown(folder, demoted["user"], demoted["group"])

    def call(program: str, *arguments: str) -> None:
        command = [str(binaries / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=120, cwd=folder, **demoted)

    data = folder / "data"
    call("initdb", "-D", str(data), "-A", "trust", "-U", "cosim", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    call("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://cosim@/postgres?host={folder}"
    finally:
        call("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/a folder/cosim.db"
    return str(request.getfixturevalue("postgresql"))


@pytest.fixture
def database(url: str, tmp_path: Path) -> Iterator[Database]:
    (tmp_path / "a folder").mkdir()
    database = Database(url)
    with database.session() as session:
        session.execute(text("DELETE FROM runs"))
    yield database
    database.close()


def new(name: str, **changes: Any) -> NewRun:
    values = {
        "id": name, "label": None, "name": name, "windows_total": 9, "duration_ms": 1.5,
        "experiment": {"name": name, "odd": ["ü", None, 1e-300, 2**60]},
    }  # fmt: skip
    return NewRun(**{**values, **changes})


def test_migrations_make_what_the_models_say(database: Database) -> None:
    with database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert differences == []


def test_rows_come_back_as_they_went_in(database: Database) -> None:
    store = RunStore(database)
    before = datetime.now(UTC)
    store.add(new("a", label="ü"))
    faults = [{"path": "x", "message": "m", "detail": ""}]
    store.change("a", state=RunState.REFUSED, faults=faults, ended=before, wall_s=0.1)
    row = store.get("a")
    assert row is not None
    assert (row.state, row.label, row.faults, row.ended) == ("refused", "ü", faults, before)
    assert row.experiment == new("a").experiment
    assert row.created >= before
    assert store.get("b") is None


def test_queue_is_first_come_first_served(database: Database) -> None:
    store = RunStore(database)
    for name in ("c", "a", "b"):
        store.add(new(name))
    order = []
    while (row := store.next_queued()) is not None:
        assert store.move(row.id, RunState.QUEUED, RunState.RUNNING)
        assert not store.move(row.id, RunState.QUEUED, RunState.BUILDING)
        order.append(row.id)
    assert order == ["c", "a", "b"]
    assert {row.id for row in store.active()} == {"a", "b", "c"}
    assert store.counts()[RunState.RUNNING] == 3
    assert store.counts()[RunState.QUEUED] == 0


def test_search_takes_signs_literally(database: Database) -> None:
    store = RunStore(database)
    for name, label in (("a1", "100%"), ("a2", "x_y"), ("a3", None), ("a4", "ÄRGER\\")):
        store.add(new(name, label=label))

    def found(search: str) -> list[str]:
        return [row.id for row in store.page(None, search, 10, 0)[1]]

    assert found("%") == ["a1"]
    assert found("_") == ["a2"]
    assert found("\\") == ["a4"]
    assert found("A") == ["a4", "a3", "a2", "a1"]
    assert found("'; DROP TABLE runs") == []


def test_many_threads_write_at_once(database: Database) -> None:
    store = RunStore(database)
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            for index in range(10):
                store.add(new(f"{number}-{index}"))
                store.change(f"{number}-{index}", windows=index)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.page(None, None, 1, 0)[0] == 80


def test_a_lock_of_another_program_is_told_in_time(url: str, database: Database) -> None:
    RunStore(database).add(new("a"))
    impatient = Database(url, wait_s=0.2)
    with database.engine.connect() as other:
        is_sqlite = database.engine.dialect.name == "sqlite"
        other.exec_driver_sql("BEGIN IMMEDIATE" if is_sqlite else "LOCK TABLE runs")
        began_s = time.monotonic()
        with pytest.raises(StoreError, match=r"cannot be used: .*lock.*Try again"):
            RunStore(impatient).change("a", windows=3)
        with pytest.raises(StoreError, match="lock"):
            impatient.ping()
        assert time.monotonic() - began_s < 3.0
        other.rollback()
    impatient.ping()
    RunStore(impatient).change("a", windows=3)
    impatient.close()


def test_opening_again_keeps_everything(url: str, database: Database) -> None:
    RunStore(database).add(new("a"))
    again = Database(url)
    assert RunStore(again).get("a") is not None
    again.close()


def test_service_on_postgresql(postgresql: str, start: Any, settings: Settings) -> None:
    with_postgres = settings.model_copy(update={"database": postgresql})
    with start(with_postgres, FakeEnsemble()) as served:
        run = served.client.create(TINY, label="on PostgreSQL").id
        assert served.client.wait(run).state == "finished"
        assert served.client.runs(search="postgresql").total == 1
        assert served.client._http.get("/readyz").status_code == 200
    assert not (settings.home / "cosim.db").exists()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nonsense", "not a usable database URL"),
        ("nodb://x", "not a usable database URL"),
        ("sqlite:////nowhere/at/all.db", "cannot be used"),
        ("postgresql://u:secret@127.0.0.1:1/x", "cannot be used"),
    ],
)
def test_unusable_databases_are_told_without_password(url: str, told: str) -> None:
    with pytest.raises(StoreError, match=told) as refusal:
        Database(url)
    assert "secret" not in str(refusal.value)


def test_database_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/cosim.db"
    database = Database(url)
    with database.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(StoreError, match="cannot be used"):
        Database(url)
