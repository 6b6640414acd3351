"""Completes the results of runs whose server ended before it could."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.manifest import Manifest
from tvb_nest_cosim.orchestrator.run import runner
from tvb_nest_cosim.orchestrator.server.recovery import left_behind, without_results
from tvb_nest_cosim.orchestrator.server.states import RunStates

_logger = logging.getLogger(__name__)


class Salvage:
    """One thread that completes runs one after another, while new ones are carried out.

    A run is ``finishing`` until it has been here. If the server ends meanwhile, the next one
    begins with it anew.

    Args:
        runs: Folder of run directories.
        states: Takes note of how the runs ended.
    """

    def __init__(self, runs: Path, states: RunStates) -> None:
        self._runs = runs
        self._states = states
        self._lock = threading.Lock()
        self._left: deque[str] = deque()
        self._present: str | None = None
        self._ends = False
        # A daemon: a server that ends does not wait for the results of a large run.
        self._thread = threading.Thread(target=self._work, name="salvage", daemon=True)

    def start(self, runs: Iterable[str]) -> None:
        """Begins.

        Args:
            runs: Identities of the runs, in the order in which they are completed.
        """
        self._left.extend(runs)
        self._thread.start()

    def close(self, wait_s: float) -> None:
        """Takes no further run, and waits for the present one for a while."""
        self._ends = True
        self._thread.join(wait_s)

    def drop(self, run: str) -> bool:
        """Makes sure that a run is not completed; tells whether that is so."""
        with self._lock:
            if run in self._left:
                self._left.remove(run)
            return run != self._present

    def _work(self) -> None:
        while not self._ends and (run := self._next()) is not None:
            values = salvaged(self._runs / run)
            if self._ends:
                return
            self._states.notes.put(run, ended=datetime.now(UTC), **values)
            if self._states.notes.insist(run, lambda: self._ends):
                self._states.tell(run, values["state"], values["cause"])

    def _next(self) -> str | None:
        with self._lock:
            self._present = self._left.popleft() if self._left else None
            return self._present


def salvaged(root: Path) -> dict[str, Any]:
    """Completes the results of one run.

    Args:
        root: Its directory, with whatever content.

    Returns:
        Its columns, ``state`` and ``cause`` among them.
    """
    layout = RunLayout(root)
    if not layout.plan.is_file():
        return left_behind(root)
    _logger.info("completing the results of run %s", root.name)
    try:
        runner.make_report(root)
        manifest = Manifest.read(layout)
    except Exception as error:
        # Whatever the folder of one run holds, the others get their turn.
        _logger.exception("the results of run %s could not be completed", root.name)
        return without_results(left_behind(root), error)
    return {"windows": manifest.windows if manifest else 0, **left_behind(root)}
