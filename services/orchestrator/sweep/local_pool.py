"""A pool of processes on this machine, each of them a ``cosim run``."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tvb_nest_cosim.cosim_core.processes.process_group import Exit, ProcessGroup, tied_to_parent
from tvb_nest_cosim.orchestrator.launchers.sites import HERE
from tvb_nest_cosim.orchestrator.sweep.executor import Ended, Needs
from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout
from tvb_nest_cosim.orchestrator.sweep.needs import needs_of
from tvb_nest_cosim.orchestrator.sweep.points import Point
from tvb_nest_cosim.orchestrator.sweep.row import read_provenance

LAST_WORDS_LINES = 12
"""Lines of a point's output that are told if it left nothing else."""


def cores_here() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@dataclass
class _Running:
    point: Point
    needs: Needs
    group: ProcessGroup


class LocalPool:
    """Runs points side by side, as many as the cores allow.

    Whatever ends this process, even SIGKILL, ends its points as well.

    Args:
        layout: Paths of the sweep.
        base: File of the experiment that the points change.
        at_once: Most points at the same time; None: as many as there are cores for.
        cores: Cores to use.
    """

    def __init__(self, layout: SweepLayout, base: Path, at_once: int | None, cores: int) -> None:
        self._layout = layout
        self._base = base
        self._at_once = at_once
        self._cores = cores
        self._running: list[_Running] = []
        self._is_stopping = False

    def examine(self, point: Point, out: Path) -> Needs:
        """See :meth:`Executor.examine`."""
        return needs_of(point, self._base.parent, out, HERE)

    def take(self, waiting: Sequence[tuple[Point, Needs]]) -> list[Point]:
        """See :meth:`Executor.take`."""
        taken = []
        for point, needs in waiting:
            if self._is_stopping or not self._has_room(needs):
                break
            self._start(point, needs)
            taken.append(point)
        return taken

    def _has_room(self, needs: Needs) -> bool:
        if not self._running:
            return True
        busy = sum(running.needs.cores for running in self._running)
        below = self._at_once is None or len(self._running) < self._at_once
        return below and busy + needs.cores <= self._cores

    def _start(self, point: Point, needs: Needs) -> None:
        root = self._layout.run(point.id)
        if root.exists():
            shutil.rmtree(root)
        changes = [part for text in point.overrides for part in ("--set", text)]
        command = [
            sys.executable, "-P", "-m", "tvb_nest_cosim.orchestrator",
            "run", str(self._base), *changes,
            "--out", str(root), "--no-report",
        ]  # fmt: skip
        group = ProcessGroup()
        group.start((point.id,), tied_to_parent(command), self._layout.output(point.id), os.environ)
        self._running.append(_Running(point, needs, group))

    def ended(self) -> list[Ended]:
        """See :meth:`Executor.ended`."""
        ended = []
        for running in list(self._running):
            for gone in running.group.poll():
                running.group.stop(0.0)
                self._running.remove(running)
                ended.append(Ended(running.point, self._cause(running.point, gone)))
        return ended

    def _cause(self, point: Point, gone: Exit) -> str:
        provenance = read_provenance(self._layout.run(point.id))
        if provenance.get("outcome") == "finished":
            return ""
        if provenance.get("cause"):
            return str(provenance["cause"])
        lines = gone.last_words.splitlines()[-LAST_WORDS_LINES:]
        told = " ".join(line.strip() for line in lines)
        return f"its process {gone.how}: {told}" if told else f"its process {gone.how}"

    def stop(self) -> None:
        """See :meth:`Executor.stop`."""
        number = signal.SIGKILL if self._is_stopping else signal.SIGINT
        self._is_stopping = True
        for running in self._running:
            running.group.signal(number)

    def close(self) -> None:
        """See :meth:`Executor.close`."""
        for running in self._running:
            running.group.stop(0.0)
        self._running.clear()
