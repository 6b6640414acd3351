"""Opens the database and brings its schema up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
    TimeoutError,
)
from sqlalchemy.orm import Session, sessionmaker

from tvb_nest_cosim.orchestrator.store.database_file import DatabaseFile
from tvb_nest_cosim.orchestrator.store.errors import StoreError

MIGRATIONS = Path(__file__).with_name("migrations")


class Database:
    """A database at the newest schema; may be used from any thread.

    Args:
        url: SQLAlchemy URL, ``sqlite:///FILE`` or ``postgresql://USER@HOST/NAME``.
        wait_s: How long to wait for a lock that another process holds, and for a connection.

    Raises:
        StoreError: If it cannot be reached, or a newer program has made it.
    """

    def __init__(self, url: str, wait_s: float = 5.0) -> None:
        try:
            self._engine = create_engine(_with_driver(url), pool_pre_ping=True, pool_timeout=wait_s)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise StoreError(
                f"'{_hidden(url)}' is not a usable database URL: {error}; "
                "examples: sqlite:////data/cosim.db, postgresql://user:password@host/name"
            ) from error
        is_sqlite = self._engine.dialect.name == "sqlite"
        prepare = _prepare_sqlite if is_sqlite else _prepare_postgresql
        event.listen(self._engine, "connect", lambda connection, _: prepare(connection, wait_s))
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)
        try:
            self._migrate()
        except (SQLAlchemyError, CommandError) as error:
            self._engine.dispose()
            raise StoreError(
                f"the database {_hidden(url)} cannot be used: {_first_line(error)}"
            ) from error
        self._file = (
            DatabaseFile(Path(self._engine.url.database or "").absolute()) if is_sqlite else None
        )

    @property
    def engine(self) -> Engine:
        """The engine, for tests and migrations."""
        return self._engine

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Gives a session whose changes are kept if all goes well.

        Raises:
            StoreError: If the database is locked, full, away, or another one than before.
        """
        if self._file is not None:
            self._file.check()
        try:
            with self._sessions.begin() as session:
                yield session
        except (DataError, IntegrityError):
            raise  # mistakes of this program, not of the database
        except (DBAPIError, TimeoutError) as error:
            raise StoreError(_reason(error)) from error

    def ping(self) -> None:
        """Makes sure that the database can be written to; writes nothing.

        Raises:
            StoreError: If it cannot.
        """
        if self._file is not None:
            self._file.check()
            self._file.lock_for_writing()
            return
        with self.session() as session:
            session.execute(text("LOCK TABLE runs IN ROW EXCLUSIVE MODE NOWAIT"))

    def close(self) -> None:
        """Closes every connection."""
        self._engine.dispose()

    def _migrate(self) -> None:
        with self._engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _with_driver(url: str) -> str:
    """Chooses psycopg 3 for PostgreSQL, whatever way its URL is written."""
    parsed = make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)


def _hidden(url: str) -> str:
    """Returns a URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url.partition("://")[0] + "://..."


def _reason(error: SQLAlchemyError) -> str:
    """Says in a sentence why the database cannot be used."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return (
        f"the database cannot be used: {_first_line(cause)}. If it is locked, another program "
        "holds it; if it is full, its disk is. Try again when that is over"
    )


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def _prepare_sqlite(connection: Any, wait_s: float) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={round(wait_s * 1000)}")
    # Readers and the writer do not wait for each other, and a crash loses nothing committed.
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.close()


def _prepare_postgresql(connection: Any, wait_s: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {round(wait_s * 1000)}")
    connection.commit()
