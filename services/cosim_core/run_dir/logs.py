"""Logs as JSON lines, each with time, level, participant and message; and following a log."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object.

    Args:
        participant: Name of the process, e.g. ``nest-0``.
        run: Identity of the run.
    """

    def __init__(self, participant: str, run: str) -> None:
        super().__init__()
        self._fixed = {"participant": participant, "run": run}

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line, without its end."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            **self._fixed,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_to(path: Path, participant: str, run: str) -> None:
    """Sends the log of this process to a file; called once by an entry point.

    Raises:
        RunDirectoryError: If the file cannot be opened.
    """
    root = logging.getLogger()
    root.handlers[:] = [_handler(path, participant, run)]
    root.setLevel(logging.INFO)


@contextmanager
def also_log_to(path: Path, participant: str, run: str) -> Iterator[None]:
    """Sends what this process logs meanwhile to a file, besides where it goes anyway.

    Raises:
        RunDirectoryError: If the file cannot be opened.
    """
    handler = _handler(path, participant, run)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


class _LogFile(logging.FileHandler):
    """A log that loses what a full disk does not take: no run fails for its log alone."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Loses a line in silence; the library would print a traceback over the display."""

    def close(self) -> None:
        """Closes the file; may be called again."""
        with suppress(OSError):
            super().close()


def _handler(path: Path, participant: str, run: str) -> logging.Handler:
    try:
        handler = _LogFile(path, encoding="utf-8")
    except OSError as error:
        raise RunDirectoryError(f"cannot write the log {path}: {error}") from error
    handler.setFormatter(JsonLines(participant, run))
    return handler


class LogTail:
    """Lines that were appended to a file since the last look.

    Args:
        path: The file; it need not exist yet.
        most_bytes: Most that one look reads; the oldest of more is skipped. None: no limit.
    """

    def __init__(self, path: Path, most_bytes: int | None = None) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._offset = 0

    def new(self) -> list[bytes]:
        """Returns whole lines without their ends; one that is being written is left for later.

        Raises:
            OSError: If the file cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                most = size if self._most_bytes is None else self._most_bytes
                is_cut = size - self._offset > most
                self._offset = file.seek(size - most if is_cut else self._offset)
                *lines, rest = file.read(max(0, size - self._offset)).split(b"\n")
        except FileNotFoundError:
            return []
        self._offset = size - len(rest)
        return lines[1:] if is_cut else lines
