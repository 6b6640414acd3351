"""Takes up run directories of which the database knows nothing, e.g. since it was deleted."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.lock import run_lock
from tvb_nest_cosim.cosim_core.run_dir.plan_file import read_plan
from tvb_nest_cosim.orchestrator.server.recovery import (
    SERVER_ENDED,
    created,
    is_complete,
    left_behind,
    times,
)
from tvb_nest_cosim.orchestrator.server.schemas import RUN_ID
from tvb_nest_cosim.orchestrator.store import RunRow, RunState, RunStore

_logger = logging.getLogger(__name__)


def adopt_unknown(runs: Path, store: RunStore) -> list[str]:
    """Makes the directories of runs known to the database, the oldest first.

    What is no run that can be read is left alone, and the log says so.

    Args:
        runs: Folder of run directories.
        store: Remembers the runs.

    Returns:
        Identities of those whose results have to be completed; they are ``finishing``.
    """
    known = store.identities()
    unknown = [path for path in runs.iterdir() if path.name not in known]
    rows = [row for path in unknown if path.is_dir() and (row := _row_or_none(path)) is not None]
    for row in sorted(rows, key=lambda row: (row.created, _planned_s(runs / row.id))):
        _logger.warning("run %s was unknown to the database; it is listed again", row.id)
        store.adopt(row)
    return [row.id for row in rows if row.state == RunState.FINISHING]


def _planned_s(root: Path) -> float:
    """Returns when a plan was written: identities are no finer than a second."""
    return RunLayout(root).plan.stat().st_mtime


def _row_or_none(root: Path) -> RunRow | None:
    try:
        return _row(root)
    except Exception as error:
        # Whatever one folder holds, the server starts and the others are taken up.
        trace = None if isinstance(error, RunDirectoryError) else error
        _logger.warning("%s is left alone: %s", root, error, exc_info=trace)
        return None


def _row(root: Path) -> RunRow:
    """Describes the run of a directory.

    Raises:
        RunDirectoryError: If there is none that can be read, or it goes on.
    """
    if not re.match(RUN_ID, root.name):
        raise RunDirectoryError(
            "its name is not one of a run of this server: up to 40 of a-z, 0-9 and -"
        )
    plan, _ = read_plan(root)
    with run_lock(RunLayout(root)):  # refused if it goes on, e.g. as a run of the command line
        started, ended_at = times(root)
    if is_complete(root):
        ended = {**left_behind(root), "ended": ended_at}
    else:
        ended = {"state": RunState.FINISHING, "cause": SERVER_ENDED}
    return RunRow(
        id=root.name,
        name=plan.experiment.name,
        created=created(root),
        started=started,
        windows_total=plan.grid.window_count,
        duration_ms=plan.experiment.duration_ms,
        experiment=plan.experiment.model_dump(mode="json"),
        **{"windows": 0, **ended},
    )
