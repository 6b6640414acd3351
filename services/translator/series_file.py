"""Time series in a CSV file: a column ``time_ms`` and one column in Hz per region."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.timegrid import InexactTimeError, ticks_of
from tvb_nest_cosim.cosim_core.plugins import find_file

Reals = npt.NDArray[np.float64]

PATH = "stand_in.path"
"""Key path of the file's name."""

TIME = "time_ms"
"""Name of the column of times."""


@dataclass(frozen=True)
class SeriesFile:
    """What a file says about the regions asked for.

    Attributes:
        first_ticks: Tick from which each row holds, int64 [row], ascending, the first one 1.
        hz: Values by region, float64 [row].
    """

    first_ticks: npt.NDArray[np.int64]
    hz: dict[str, Reals]


def read_series(base_dir: str, name: str, regions: Sequence[str], dt_ms: float) -> SeriesFile:
    """Reads and checks a file. Columns of other regions are ignored.

    Args:
        base_dir: Folder in which a relative path is looked up.
        name: Path of the file.
        regions: Regions that need a column.
        dt_ms: Length of a tick.

    Raises:
        ExperimentError: With all faults found.
    """
    path = find_file(base_dir, name)
    header, table = _table(path)
    faults = [
        f"has no column '{column}'; its columns are: {', '.join(header)}"
        for column in (TIME, *regions)
        if column not in header
    ]
    repeated = sorted({column for column in header if header.count(column) > 1})
    if repeated:
        faults.append(f"has several columns named {', '.join(repeated)}")
    if not faults:
        columns = {column: table[:, header.index(column)] for column in (TIME, *regions)}
        faults = _value_faults(columns)
    if faults:
        raise ExperimentError(Fault(PATH, f"{path} {fault}") for fault in faults)
    try:
        ticks = [ticks_of(time_ms, dt_ms) + 1 for time_ms in columns.pop(TIME).tolist()]
    except InexactTimeError as error:
        raise ExperimentError.single(PATH, f"{path}, column {TIME}: {error}") from error
    return SeriesFile(np.array(ticks, dtype=np.int64), columns)


def _table(path: Path) -> tuple[list[str], Reals]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ExperimentError.single(PATH, f"cannot read {path}: {error}") from error
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        raise ExperimentError.single(
            PATH, f"{path} has no values; expected a line of column names ({TIME}, ...), then rows"
        )
    header = [name.strip() for name in next(csv.reader(lines[:1]))]
    try:
        table = np.loadtxt(io.StringIO("\n".join(lines[1:])), delimiter=",", ndmin=2)
    except ValueError as error:
        raise ExperimentError.single(PATH, f"{path} is no table of numbers: {error}") from error
    if table.shape[1] != len(header):
        raise ExperimentError.single(
            PATH, f"{path} has {len(header)} column names, but rows of {table.shape[1]} values"
        )
    return header, table


def _value_faults(columns: dict[str, Reals]) -> list[str]:
    faults = []
    times = columns[TIME]
    for name, values in columns.items():
        wrong = np.flatnonzero(~np.isfinite(values))
        if wrong.size:
            faults.append(f"has {values[wrong[0]]} in column '{name}', {_row(wrong[0])}")
        wrong = np.flatnonzero(values < 0.0)
        if wrong.size:
            what = "time" if name == TIME else "rate"
            faults.append(
                f"has a negative {what} in column '{name}', {_row(wrong[0])}: {values[wrong[0]]:g}"
            )
    wrong = np.flatnonzero(np.diff(times) <= 0.0)
    if wrong.size:
        faults.append(
            f"is not in order of time: {times[wrong[0] + 1]:g} ms comes after "
            f"{times[wrong[0]]:g} ms, {_row(wrong[0] + 1)}"
        )
    if times[0] > 0.0:
        faults.append(
            f"starts at {times[0]:g} ms; it must say what holds from the start of the run, 0 ms"
        )
    return faults


def _row(index: np.int64) -> str:
    return f"row {index + 1} of the values"
