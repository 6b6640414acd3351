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
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from tvb_nest_cosim.cosim_core.errors import CosimError

MIGRATIONS = Path(__file__).with_name("migrations")

_SQLITE_WAIT_MS = 10_000


class StoreError(CosimError):
    """The database cannot be opened or used."""


class Database:
    """A database at the newest schema; may be used from any thread.

    Args:
        url: SQLAlchemy URL, ``sqlite:///FILE`` or ``postgresql://USER@HOST/NAME``.

    Raises:
        StoreError: If it cannot be reached, or a newer program has made it.
    """

    def __init__(self, url: str) -> None:
        try:
            self._engine = create_engine(_with_driver(url), pool_pre_ping=True)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise StoreError(
                f"'{_hidden(url)}' is not a usable database URL: {error}; "
                "examples: sqlite:////data/cosim.db, postgresql://user:password@host/name"
            ) from error
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _prepare_sqlite)
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)
        try:
            self._migrate()
        except (SQLAlchemyError, CommandError) as error:
            self._engine.dispose()
            raise StoreError(
                f"the database {_hidden(url)} cannot be used: {_first_line(error)}"
            ) from error

    @property
    def engine(self) -> Engine:
        """The engine, for tests and migrations."""
        return self._engine

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Gives a session whose changes are kept if all goes well."""
        with self._sessions.begin() as session:
            yield session

    def ping(self) -> None:
        """Asks the database for a sign of life.

        Raises:
            StoreError: If there is none.
        """
        try:
            with self._engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            raise StoreError(f"the database does not answer: {_first_line(error)}") from error

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


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _prepare_sqlite(connection: Any, record: object) -> None:
    cursor = connection.cursor()
    # Readers and the writer do not wait for each other, and a crash loses nothing committed.
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute(f"PRAGMA busy_timeout={_SQLITE_WAIT_MS}")
    cursor.close()
