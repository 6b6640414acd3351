"""Progress and table of a sweep in a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout
from tvb_nest_cosim.orchestrator.sweep.points import Point, label
from tvb_nest_cosim.orchestrator.sweep.row import SweepRow

if TYPE_CHECKING:
    import pandas as pd


class SweepDisplay:
    """Points done, how many failed, and the time to finish.

    On a terminal it redraws in place; elsewhere (a log file) it writes a line per point.

    Args:
        console: Where to.
        total: Points of the sweep.
        known: Points that were done before.
    """

    def __init__(self, console: Console, total: int, known: int) -> None:
        self._console = console
        self._known = known
        self._done = self._failed = 0
        self._began_s = time.monotonic()
        self._running: dict[str, Point] = {}
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("points"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("Sweep", total=total, completed=known, left="")

    def __enter__(self) -> SweepDisplay:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def began(self, points: Sequence[Point]) -> None:
        """See :class:`orchestrator.sweep.runner.Observer`."""
        self._running |= {point.id: point for point in points}

    def ended(self, point: Point, record: SweepRow) -> None:
        """See :class:`orchestrator.sweep.runner.Observer`."""
        del self._running[point.id]
        self._done += 1
        if record.outcome == "failed":
            self._failed += 1
        if not self._console.is_terminal:
            done, total = self._known + self._done, self._progress.tasks[0].total or 0
            self._console.print(f"  {done}/{total:.0f} points{self._state()}", highlight=False)

    def tick(self) -> None:
        """See :class:`orchestrator.sweep.runner.Observer`."""
        text = f"{len(self._running)} at work{self._state()}"
        self._progress.update(self._task, completed=self._known + self._done, left=text)

    def _state(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        left = int(self._progress.tasks[0].total or 0) - self._known - self._done
        if not self._done or not left:
            return failed
        seconds = (time.monotonic() - self._began_s) / self._done * left
        return f"{failed}, about {timedelta(seconds=round(seconds))} to go"


def show_table(
    console: Console,
    layout: SweepLayout,
    points: Sequence[Point],
    frame: pd.DataFrame,
    figures: int,
) -> None:
    """Says what became of the points and where the table is; lists those that failed."""
    failed = frame[frame["outcome"] == "failed"]
    for point, cause in zip((points[i] for i in failed["point"]), failed["cause"], strict=True):
        name = escape(label(point.index, point.parameters))
        console.print(f"[red]failed[/]: {name}: {escape(cause)}", highlight=False, soft_wrap=True)
    if len(failed):
        console.print("  --retry-failed runs them again", highlight=False)
    counts = frame["outcome"].value_counts()
    told = ", ".join(f"{counts[o]} {o}" for o in ("finished", "failed", "not run") if o in counts)
    console.print(f"[bold]{told}[/] of {len(frame)} points", highlight=False)
    for line in (f"table   {layout.csv}", f"        {layout.parquet}"):
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    if figures:
        console.print(
            f"figures {layout.figures} ({figures})", highlight=False, soft_wrap=True, markup=False
        )
