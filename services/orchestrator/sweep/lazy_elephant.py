"""elephant, the toolkit for spike trains, imported when it is needed and without MPI."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_MPI = "mpi4py.MPI"


def elephant(module: str) -> Any:
    """Returns a module of elephant."""
    with _without_mpi():
        return importlib.import_module(f"elephant.{module}")


@contextmanager
def _without_mpi() -> Iterator[None]:
    """Lets ``mpi4py.MPI`` look as if it were not installed.

    elephant imports it for a method that is not used here, and importing it starts MPI: half a
    second, a daemon, and in a batch job perhaps the end of the process.
    """
    if _MPI in sys.modules:
        yield
        return
    sys.modules[_MPI] = None  # type: ignore[assignment]  # how Python says: not importable
    try:
        yield
    finally:
        del sys.modules[_MPI]
