"""Rows of points that ended, kept so that no point is run or measured twice."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from tvb_nest_cosim.cosim_core.errors import CosimError, RunDirectoryError
from tvb_nest_cosim.cosim_core.run_dir.layout import write_atomically
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance
from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout
from tvb_nest_cosim.orchestrator.sweep.kept_run import (
    DamagedRunError,
    digest_of_complete,
    finished_run,
    make_complete,
)
from tvb_nest_cosim.orchestrator.sweep.model import Measures
from tvb_nest_cosim.orchestrator.sweep.points import Point
from tvb_nest_cosim.orchestrator.sweep.statistics import measure


class SweepRow(BaseModel):
    """A point that ended, as a row of the table.

    Attributes:
        experiment_digest: Digest of its experiment.
        outcome: How it ended.
        cause: Why it failed, or why it was run again after it had finished; else empty.
        point_s: Wall time from the start of its process to its row; None if it was not noted.
        build_s: Wall time until the first window.
        wall_s: Wall time of the windows.
        digest: Digest of its results; empty if it failed.
        inputs: SHA-256 of the files and modules that its run has read, by path in ``inputs``.
        measures: How ``values`` were computed.
        values: Statistics by column; None where they are not defined.
    """

    experiment_digest: str
    outcome: Literal["finished", "failed"]
    cause: str = ""
    point_s: float | None = None
    build_s: float | None = None
    wall_s: float | None = None
    digest: str = ""
    inputs: dict[str, str] = {}
    measures: Measures = Measures()
    values: dict[str, float | None] = {}


def recall(layout: SweepLayout, point: Point, measures: Measures) -> SweepRow | None:
    """Returns what is known of a point; None if it has to be run.

    A row is kept if the complete run of its digest is still there, or if the folder of the run is
    gone, which the user may remove. Results that are missing or damaged are made from the journals;
    what was measured in another way, or of other results, is measured again.

    Raises:
        DamagedRunError: If the point has been run and has to be run again, with the reason.
    """
    known, root = _read(layout.record(point.id), point), layout.run(point.id)
    if known is not None and known.outcome == "finished":
        if known.measures == measures and not root.exists():
            return known
        if finished_run(root, point.digest) is None:
            raise DamagedRunError(f"{root}, of which its row was made, holds no finished run now")
        if known.measures == measures and known.digest == digest_of_complete(root):
            return known
    elif finished_run(root, point.digest) is None:
        return known
    point_s = known.point_s if known is not None else None
    return remember(layout, point, measures, lambda: point_s)


def remember(
    layout: SweepLayout,
    point: Point,
    measures: Measures,
    point_s: Callable[[], float | None],
    again: str = "",
) -> SweepRow:
    """Measures a run that is said to have finished, and writes down what it was.

    Args:
        layout: Paths of the sweep.
        point: The point.
        measures: How to measure.
        point_s: Tells, when all is measured, how long the point took.
        again: Why the point was run again, if it was.

    Raises:
        DamagedRunError: If the run cannot be read.
        RunDirectoryError: If the row cannot be written.
    """
    root = layout.run(point.id)
    provenance = finished_run(root, point.digest)
    if provenance is None:
        return remember_failed(layout, point, _no_such_run(root))
    try:
        values = _measured(root, measures)
    except DamagedRunError:
        raise
    except CosimError as error:
        return remember_failed(layout, point, str(error))
    row = SweepRow(
        experiment_digest=point.digest,
        outcome="finished",
        cause=again,
        point_s=point_s(),
        build_s=provenance.build_s,
        wall_s=provenance.wall_s,
        digest=digest_of_complete(root) or "",
        inputs=provenance.inputs.get("files", {}),
        measures=measures,
        values={name: value if math.isfinite(value) else None for name, value in values.items()},
    )
    _write(layout, point, row)
    return row


def _measured(root: Path, measures: Measures) -> dict[str, float]:
    try:
        return measure(root, measures)
    except RunDirectoryError:
        make_complete(root)
        return measure(root, measures)


def remember_failed(layout: SweepLayout, point: Point, cause: str) -> SweepRow:
    """Writes down that a point failed."""
    row = SweepRow(experiment_digest=point.digest, outcome="failed", cause=cause)
    _write(layout, point, row)
    return row


def _no_such_run(root: Path) -> str:
    found = Provenance.find(root)
    if found is not None and found.outcome == "finished":
        return (
            f"{root} holds another experiment than this sweep asked for; was its file changed "
            "meanwhile? Start the sweep again"
        )
    return f"{root} holds no finished run"


def _read(path: Path, point: Point) -> SweepRow | None:
    try:
        row = SweepRow.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return row if row.experiment_digest == point.digest else None


def _write(layout: SweepLayout, point: Point, row: SweepRow) -> None:
    write_atomically(layout.record(point.id), row.model_dump_json(indent=1).encode())
