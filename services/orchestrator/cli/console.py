"""The console of a run, which goes on and leaves results when nobody is there to read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from rich.console import Console


class _LosableStream:
    """A standard stream whose loss ends no run: what cannot be written any more is dropped.

    The terminal may be closed, the connection to it lost, the program behind a pipe ended.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with self._surviving():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._surviving():
            self._stream.flush()

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            # What is buffered would fail again when the interpreter ends.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def console_of_run(*, on_stderr: bool = False) -> Console:
    """Makes a console on a standard stream that may be lost while the run goes on."""
    stream = _LosableStream(sys.stderr if on_stderr else sys.stdout)
    return Console(file=cast(TextIO, stream))
