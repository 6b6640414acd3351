"""Measures points of a sweep and is killed at a write: at the first, the second, ...

``python killed_sweep.py SWEEP FOLDER``: ``FOLDER/N`` is the copy of the folder of the sweep whose
process was killed before its N-th write; the last one was not killed.
"""

from __future__ import annotations

import io
import itertools
import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

from results.killed_writer import armed
from sweep.sweeps import grid, points_of
from tvb_nest_cosim.cosim_core.results import collect, complete
from tvb_nest_cosim.orchestrator.sweep import kept_run
from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout
from tvb_nest_cosim.orchestrator.sweep.model import Measures
from tvb_nest_cosim.orchestrator.sweep.runner import survey

MEASURES = Measures(frequency_resolution_hz=50)
POINTS = points_of(grid(adex__external_hz=[1, 2, 3]))


def resume(layout: SweepLayout) -> int:
    """Goes on with a sweep whose simulations are over; returns how many points would be run."""
    return len(survey(layout, POINTS, MEASURES, retry_failed=False).due)


def arm(operations: int) -> None:
    """Ends this process before one of its writes; between them a kill makes no difference."""
    left, plain_open = [operations], io.open
    os.fsync = lambda fd: None  # a kill does not lose what the system has; the disk is slow
    for name in ("replace", "unlink"):
        setattr(os, name, armed(getattr(os, name), left))
    writing = armed(plain_open, left)

    def opened(path: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
        chosen = plain_open if mode in ("r", "rb") else writing
        return chosen(path, mode, *more, **options)

    io.open = opened  # type: ignore[assignment]


def main(sweep: Path, folder: Path) -> None:
    # Results are made in this process, whose writes are counted.
    kept_run.complete = partial(complete, make=collect)
    resume(SweepLayout(shutil.copytree(sweep, folder / "warm")))  # imports everything
    for operations in itertools.count():
        layout = SweepLayout(shutil.copytree(sweep, folder / str(operations)))
        child = os.fork()
        if not child:
            arm(operations)
            resume(layout)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
