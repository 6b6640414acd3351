"""The loop of a sweep: starts points where there is room, and notes what became of them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.orchestrator.planning.checks import existing_ancestor
from tvb_nest_cosim.orchestrator.run.control import RunControl
from tvb_nest_cosim.orchestrator.sweep.executor import Ended, Executor, Needs
from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout
from tvb_nest_cosim.orchestrator.sweep.kept_run import DamagedRunError
from tvb_nest_cosim.orchestrator.sweep.model import Measures
from tvb_nest_cosim.orchestrator.sweep.points import Point, by_content, label, merged, whose
from tvb_nest_cosim.orchestrator.sweep.row import SweepRow, recall, remember, remember_failed
from tvb_nest_cosim.orchestrator.sweep.statistics import measure_faults

POLL_S = 0.05
"""Time between two looks at the points that are being carried out."""


class Observer(Protocol):
    """Shows how a sweep goes on."""

    def began(self, points: Sequence[Point]) -> None:
        """Points have been started."""
        ...

    def ended(self, point: Point, record: SweepRow) -> None:
        """A point has ended."""
        ...

    def tick(self) -> None:
        """Called some twenty times a second."""
        ...


@dataclass
class Progress:
    """Where a sweep stands.

    Attributes:
        records: What is known, by identity of the point.
        due: Points to carry out, each experiment once.
        again: Why points that had finished are due, by identity.
    """

    records: dict[str, SweepRow] = field(default_factory=dict)
    due: list[Point] = field(default_factory=list)
    again: dict[str, str] = field(default_factory=dict)


def survey(
    layout: SweepLayout, points: Sequence[Point], measures: Measures, *, retry_failed: bool
) -> Progress:
    """Finds out what has been done already.

    Args:
        layout: Paths of the sweep.
        points: The points.
        measures: How their rows are computed.
        retry_failed: Carry out again what failed.
    """
    progress = Progress()
    for point in {point.id: point for point in reversed(points)}.values():
        try:
            record = recall(layout, point, measures)
        except DamagedRunError as error:
            record, progress.again[point.id] = None, str(error)
        if record is None or (retry_failed and record.outcome == "failed"):
            progress.due.append(point)
        else:
            progress.records[point.id] = record
    progress.due.sort(key=lambda point: point.index)
    return progress


def examine(
    executor: Executor, layout: SweepLayout, due: Sequence[Point], measures: Measures
) -> dict[str, Needs]:
    """Checks every point before any is started.

    Args:
        executor: What will carry them out.
        layout: Paths of the sweep.
        due: The points to be carried out.
        measures: How their rows will be computed.

    Returns:
        What each takes, by identity.

    Raises:
        ExperimentError: With every fault of every point.
    """
    needs: dict[str, Needs] = {}
    faulty: list[tuple[int, ExperimentError]] = []
    for point in due:
        faults = list(measure_faults(point.experiment, measures))
        try:
            needs[point.id] = executor.examine(point, layout.run(point.id))
        except ExperimentError as error:
            faults.extend(error.faults)
        if faults:
            faulty.append((point.index, ExperimentError(faults)))
    if faulty:
        labels = {point.index: label(point.index, point.parameters) for point in due}
        raise ExperimentError(merged(faulty, labels))
    _check_disk(layout, needs)
    return needs


def survey_warnings(layout: SweepLayout, points: Sequence[Point], progress: Progress) -> list[str]:
    """Says which points are run again though they had finished, and which rows have no run."""
    labels = {point.index: label(point.index, point.parameters) for point in points}
    damaged = by_content(
        (point.index, [progress.again[point.id]]) for point in points if point.id in progress.again
    )
    told = [f"{whose(indices, labels)}damaged: {why}" for why, indices in damaged.items()]
    gone = [
        point.index
        for point in points
        if point.id in progress.records
        and progress.records[point.id].outcome == "finished"
        and not layout.run(point.id).exists()
    ]
    if gone:
        told.append(f"{whose(gone, labels)}kept row, run folder is gone")
    return told


def warnings_of(due: Sequence[Point], needs: Mapping[str, Needs]) -> list[str]:
    """Returns the warnings of all points, each once and with the points that it is about."""
    labels = {point.index: label(point.index, point.parameters) for point in due}
    found = by_content((point.index, needs[point.id].warnings) for point in due)
    return [f"{whose(indices, labels)}{warning}" for warning, indices in found.items()]


def _check_disk(layout: SweepLayout, needs: Mapping[str, Needs]) -> None:
    needed = sum(need.disk_bytes for need in needs.values())
    free = shutil.disk_usage(existing_ancestor(layout.root)).free
    if needed > free:
        raise ExperimentError(
            [
                Fault(
                    "--out",
                    f"the points need about {needed / 1e6:,.0f} MB, but only {free / 1e6:,.0f} MB "
                    f"are free at {layout.root}; record less or choose another disk",
                )
            ]
        )


def run_points(
    executor: Executor,
    layout: SweepLayout,
    progress: Progress,
    needs: Mapping[str, Needs],
    measures: Measures,
    observe: Observer,
    control: RunControl,
) -> bool:
    """Carries out the points that are due and notes what became of each.

    Every command asks a sweep to end: the first at window boundaries, the second at once.

    Returns:
        Whether it came to its end, not to one that the user asked for.
    """
    waiting = list(progress.due)
    began_s: dict[str, float] = {}
    is_ending = False
    while began_s or (waiting and not is_ending):
        for _ in control.taken():
            is_ending = True
            executor.stop()
        ended = executor.ended()
        # Those that ended are measured while the next ones run already.
        taken = [] if is_ending else executor.take([(point, needs[point.id]) for point in waiting])
        began_s |= {point.id: time.monotonic() for point in taken}
        waiting = [point for point in waiting if point.id not in began_s]
        observe.began(taken)
        for gone in ended:
            start_s = began_s.pop(gone.point.id)
            if gone.cause and is_ending:
                continue  # ended by the user, not by a fault of its own
            why = progress.again.get(gone.point.id)
            record = _noted(layout, gone, measures, start_s, f"run again: {why}" if why else "")
            progress.records[gone.point.id] = record
            observe.ended(gone.point, record)
        observe.tick()
        time.sleep(POLL_S)
    return not waiting and not is_ending


def _noted(
    layout: SweepLayout, ended: Ended, measures: Measures, began_s: float, again: str
) -> SweepRow:
    if ended.cause:
        return remember_failed(layout, ended.point, ended.cause)
    try:
        return remember(
            layout, ended.point, measures, lambda: round(time.monotonic() - began_s, 3), again
        )
    except DamagedRunError as error:
        return remember_failed(layout, ended.point, str(error))
