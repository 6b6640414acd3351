"""How runs ended, as far as their directories show it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tvb_nest_cosim.cosim_core.client.responses import FaultAnswer
from tvb_nest_cosim.cosim_core.errors import CosimError, ExperimentError, Fault, RunDirectoryError
from tvb_nest_cosim.cosim_core.outcomes import FINAL_STATES
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.manifest import Manifest
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance
from tvb_nest_cosim.orchestrator.store import RunState

SERVER_ENDED = "the server ended while this run was going on; what was computed is kept"

_GIVEN = re.compile(r"(\d{8}-\d{6})-[0-9a-f]{8}", re.ASCII)
"""Identities that a server gives; they begin with the time."""


def refused(error: Exception) -> dict[str, Any]:
    """Returns the columns of a run whose experiment was refused."""
    faults = error.faults if isinstance(error, ExperimentError) else [Fault("", str(error))]
    return {
        "state": RunState.REFUSED,
        "cause": "the experiment cannot be run",
        "faults": [FaultAnswer.of(fault).model_dump() for fault in faults],
    }


def left_behind(root: Path) -> dict[str, Any]:
    """Returns how a run ended whose server ended: its own outcome, if that was written."""
    known = Provenance.find(root)
    if known is None or known.outcome not in FINAL_STATES:
        return {"state": RunState.INTERRUPTED, "cause": SERVER_ENDED}
    return {
        "state": RunState(known.outcome),
        "cause": known.cause,
        "digest": known.digest,
        **remembered(known),
    }


def remembered(known: Provenance | None) -> dict[str, Any]:
    """Picks the values of a provenance that the store keeps."""
    return {} if known is None else {"windows": known.windows_done, "wall_s": known.wall_s}


def without_results(ended: dict[str, Any], error: Exception) -> dict[str, Any]:
    """Returns how a run ended whose results cannot be completed.

    Args:
        ended: How it would have ended with them, as of :func:`left_behind`.
        error: Why they cannot.
    """
    why = str(error) if isinstance(error, CosimError) else f"{type(error).__name__}: {error}"
    told = f"its results could not be completed: {why}; what was computed is in its journals"
    if ended["state"] is RunState.FINISHED:
        return {**ended, "state": RunState.FAILED, "cause": f"the run finished, but {told}"}
    return {**ended, "cause": f"{ended['cause']}; {told}" if ended["cause"] else told}


def is_complete(root: Path) -> bool:
    """Tells whether a run has ended and its results have been made."""
    try:
        return Manifest.read(RunLayout(root)) is not None
    except RunDirectoryError:
        return False


def created(root: Path) -> datetime:
    """Returns when a run was created: by its identity, else by the age of its plan."""
    found = _GIVEN.fullmatch(root.name)
    return (found and _time(found[1])) or datetime.fromtimestamp(
        RunLayout(root).plan.stat().st_mtime, UTC
    )


def times(root: Path) -> tuple[datetime | None, datetime | None]:
    """Returns when a run was started and when it ended, as far as it is known."""
    known = Provenance.find(root)
    return (None, None) if known is None else (_time(known.started), _time(known.ended))


def _time(text: str) -> datetime | None:
    """Reads a time in ISO 8601, UTC unless it says otherwise; None if it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
