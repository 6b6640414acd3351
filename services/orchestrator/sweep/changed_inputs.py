"""Files and modules that a sweep names, compared with those that its finished points have read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.run_dir.manifest import FileEntry
from tvb_nest_cosim.orchestrator.planning.named_inputs import named_inputs
from tvb_nest_cosim.orchestrator.sweep.points import Point, label
from tvb_nest_cosim.orchestrator.sweep.row import SweepRow


def check_inputs(points: Sequence[Point], records: Mapping[str, SweepRow], base_dir: Path) -> None:
    """Makes sure that points to come read the same files as those that have finished.

    Args:
        points: Every point.
        records: What is known of them, by identity.
        base_dir: Folder in which names in the experiment are looked up.

    Raises:
        ExperimentError: With every file that has changed since.
    """
    faults: dict[Path, Fault] = {}
    digests: dict[Path, str] = {}
    for point in points:
        row = records.get(point.id)
        if row is None or not row.inputs:
            continue
        for place, (key, path) in named_inputs(point.experiment, base_dir).files.items():
            if path not in digests:
                digests[path] = FileEntry.of(path).sha256
            if path not in faults and digests[path] != row.inputs.get(place):
                faults[path] = Fault(key, _changed(path, point))
    if faults:
        raise ExperimentError(list(faults.values()))


def mixed_inputs(points: Sequence[Point], records: Mapping[str, SweepRow]) -> Iterator[str]:
    """Names files of which points of one table have read different contents."""
    first: dict[str, tuple[Point, str]] = {}
    told: set[str] = set()
    for point in points:
        row = records.get(point.id)
        for place, found in (row.inputs if row is not None else {}).items():
            other, expected = first.setdefault(place, (point, found))
            if found != expected and place not in told:
                told.add(place)
                yield (
                    f"{place} was changed while the sweep went on: {_name(point)} has read another "
                    f"content than {_name(other)}. Run the sweep in a new folder (--out)"
                )


def _changed(path: Path, point: Point) -> str:
    return (
        f"{path} is not the file that {_name(point)} has read, which has finished. Restore it, or "
        "run the sweep in a new folder (--out)"
    )


def _name(point: Point) -> str:
    return label(point.index, point.parameters)
