"""The table of a sweep: a row for every point, whatever became of it."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tvb_nest_cosim.cosim_core.run_dir.layout import write_atomically
from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout
from tvb_nest_cosim.orchestrator.sweep.points import Point
from tvb_nest_cosim.orchestrator.sweep.row import SweepRow

LAST_COLUMNS = (
    "undefined", "build_s", "wall_s", "point_s", "digest", "experiment_digest", "path", "cause",
)  # fmt: skip
"""What stands behind the statistics: names of those that have no value, though the run is complete;
seconds until the first window, of the windows, and of the whole point with its row; digests of
results and experiment; run directory; cause of a failure, or of a second run."""

TIMES = ("build_s", "wall_s", "point_s")
"""Columns that differ between two sweeps of the same points."""


def make_table(
    layout: SweepLayout, points: Sequence[Point], records: Mapping[str, SweepRow]
) -> pd.DataFrame:
    """Makes the table: parameters, seed, outcome, statistics, times, digests, paths.

    Args:
        layout: Paths of the sweep.
        points: Every point, in the order of rows.
        records: What is known of them, by identity.
    """
    frame = pd.DataFrame([_row(layout, point, records.get(point.id)) for point in points])
    first = ["point", *_names(points), "seed", "outcome"]
    statistics = [name for name in _statistics(records, points) if name not in first]
    frame = frame.reindex(columns=[*first, *statistics, *LAST_COLUMNS])
    for name in (*statistics, *TIMES):
        frame[name] = frame[name].astype("float64")
    for name in _names(points):
        if not all(_is_number(value) for value in frame[name]):
            frame[name] = [_as_text(value) for value in frame[name]]
    return frame


def write_table(layout: SweepLayout, frame: pd.DataFrame) -> None:
    """Writes the table, each form at once.

    Raises:
        RunDirectoryError: If that is not possible.
    """
    columns = io.BytesIO()
    frame.to_parquet(columns, engine="pyarrow", index=False)
    write_atomically(layout.parquet, columns.getvalue())
    write_atomically(layout.csv, frame.to_csv(index=False, lineterminator="\n").encode())


def _row(layout: SweepLayout, point: Point, record: SweepRow | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "point": point.index,
        **point.parameters,
        "seed": point.experiment.seed,
        "outcome": "not run" if record is None else record.outcome,
        "experiment_digest": point.digest,
        "path": str(layout.run(point.id).relative_to(layout.root)),
    }
    if record is not None:
        row |= record.values
        row["undefined"] = " ".join(n for n, value in record.values.items() if value is None)
        row |= {name: getattr(record, name) for name in (*TIMES, "digest", "cause")}
    return row


def _names(points: Sequence[Point]) -> list[str]:
    names = dict.fromkeys(name for point in points for name in point.parameters)
    return [name for name in names if name != "seed"]


def _statistics(records: Mapping[str, SweepRow], points: Sequence[Point]) -> list[str]:
    """Names statistics, grouped by kind, in the order in which they come up."""
    names = dict.fromkeys(
        name for point in points if point.id in records for name in records[point.id].values
    )
    kinds = list(dict.fromkeys(name.partition(".")[0] for name in names))
    return sorted(names, key=lambda name: kinds.index(name.partition(".")[0]))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
