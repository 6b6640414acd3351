"""Completes copies of a run and is killed at a file operation: at the first, the second, ...

``python killed_writer.py RUN FOLDER``: ``FOLDER/N`` is the copy whose writer was killed before its
N-th operation; the last one was not killed. A process of its own, which may fork.
"""

from __future__ import annotations

import io
import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tvb_nest_cosim.cosim_core.results import collect, complete

OPERATIONS = ((os, "replace"), (os, "fsync"), (os, "open"), (os, "unlink"), (io, "open"))
"""Everything in Python that leads to a change of a file passes one of these."""


def armed(function: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    """Returns the function, which ends this process when nothing is left."""

    def call(*arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)

    return call


def write(root: Path, operations: int) -> None:
    left = [operations]
    os.fsync = lambda fd: None  # a kill does not lose what the system has; the disk is slow
    for module, name in OPERATIONS:
        setattr(module, name, armed(getattr(module, name), left))
    complete(root, make=collect)


def main(run: Path, folder: Path) -> None:
    complete(shutil.copytree(run, folder / "warm" / "run"), make=collect)  # imports everything
    for operations in itertools.count():
        root = shutil.copytree(run, folder / str(operations) / "run")
        child = os.fork()
        if not child:
            write(root, operations)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
