"""A pool of processes on this machine, each of them a ``cosim run``."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tvb_nest_cosim.cosim_core.processes.commands import (
    ORCHESTRATOR,
    module_command,
    tied_to_parent,
)
from tvb_nest_cosim.cosim_core.processes.process_group import Exit, ProcessGroup
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance
from tvb_nest_cosim.orchestrator.sweep.executor import Ended, Needs
from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout
from tvb_nest_cosim.orchestrator.sweep.kept_run import discard
from tvb_nest_cosim.orchestrator.sweep.needs import needs_of
from tvb_nest_cosim.orchestrator.sweep.points import Point

LAST_WORDS_LINES = 12
"""Lines of a point's output that are shown if it left nothing else."""


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

    @property
    def base_dir(self) -> Path:
        """See :meth:`Executor.base_dir`."""
        return self._base.parent

    def examine(self, point: Point, out: Path) -> Needs:
        """See :meth:`Executor.examine`."""
        return needs_of(point, self._base.parent, out, is_here=True)

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
        discard(root)
        changes = [part for text in point.overrides for part in ("--set", text)]
        words = ["run", str(self._base), *changes, "--out", str(root), "--no-report"]
        command = module_command(ORCHESTRATOR, *words)
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
        known = Provenance.find(self._layout.run(point.id))
        if known is not None and known.outcome == "finished":
            return ""
        if known is not None and known.cause:
            return known.cause
        lines = gone.last_words.splitlines()[-LAST_WORDS_LINES:]
        shown = " ".join(line.strip() for line in lines)
        return f"its process {gone.how}: {shown}" if shown else f"its process {gone.how}"

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
