"""What a fault finds: the deployment, chance, the clock, and runs that have ended."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.soak.deployment import SERVER, Deployment
from benchmarks.soak.history import History
from benchmarks.soak.runs import Reference
from benchmarks.soak.wall_clock import WallClock
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES


class NothingToBreak(Exception):
    """What a fault breaks is not there at the moment."""


@dataclass
class Scene:
    """What faults work with.

    Attributes:
        deployment: Server and agents.
        chance: Seeded; every choice is made by it.
        clock: Their wall clock.
        history: What became of runs.
        references: Every kind of run, undisturbed.
        kept: Runs that have ended and been read; their files may be damaged.
    """

    deployment: Deployment
    chance: random.Random
    clock: WallClock
    history: History
    references: dict[str, Reference]
    kept: list[str] = field(default_factory=list)

    def root(self, run: str) -> Path:
        """Returns the run directory of a run."""
        return self.deployment.home / "runs" / run

    def reference(self, run: str) -> Path:
        """Returns the run directory of the same run, undisturbed."""
        return self.references[self.history.runs[run].kind].root

    def wait(self, least_s: float, most_s: float) -> None:
        """Waits for a time left to chance."""
        time.sleep(self.chance.uniform(least_s, most_s))

    def worker(self) -> psutil.Process:
        """Chooses a worker, perhaps one that waits for its run.

        Raises:
            NothingToBreak: If there is none.
        """
        workers = sorted(self.deployment.workers(), key=lambda process: process.pid)
        if not workers:
            raise NothingToBreak
        return self.chance.choice(workers)

    def agent(self) -> psutil.Popen:
        """Chooses an agent."""
        return self.deployment.processes[self.chance.choice(sorted(MODULES))]

    @property
    def server(self) -> psutil.Popen:
        """The server."""
        return self.deployment.processes[SERVER]


@contextmanager
def stopped(process: psutil.Process) -> Iterator[None]:
    """Stops a process, and lets it go on if it is still there."""
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)


def killed(process: psutil.Process) -> None:
    """Kills a process, if it is still there, and waits until it is gone."""
    with suppress(psutil.NoSuchProcess):
        process.kill()
        process.wait(10)
