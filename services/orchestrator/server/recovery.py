"""How runs ended, as far as it can be told from what they left."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from tvb_nest_cosim.cosim_core.client.answers import FaultAnswer
from tvb_nest_cosim.cosim_core.errors import CosimError, ExperimentError, Fault
from tvb_nest_cosim.cosim_core.results import collect
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.orchestrator.run import runner
from tvb_nest_cosim.orchestrator.store import FINAL, RunState

_logger = logging.getLogger(__name__)

SERVER_ENDED = "the server ended while this run was going on; what was computed is kept"


def refused(error: Exception) -> tuple[RunState, dict[str, Any]]:
    """Tells how a run ended whose experiment was refused, and what is to be remembered."""
    faults = error.faults if isinstance(error, ExperimentError) else [Fault("", str(error))]
    return RunState.REFUSED, {
        "cause": "the experiment cannot be run",
        "faults": [FaultAnswer.of(fault).model_dump() for fault in faults],
    }


def left_behind(root: Path) -> dict[str, Any]:
    """Tells what became of a run whose server ended: what it had come to, if that was written."""
    known = provenance(root)
    if known.get("outcome") not in FINAL:
        return {"state": RunState.INTERRUPTED, "cause": SERVER_ENDED}
    return {
        "state": RunState(known["outcome"]),
        "cause": known.get("cause"),
        "digest": known.get("digest"),
        **remembered(known),
    }


def remembered(known: dict[str, Any]) -> dict[str, Any]:
    """Picks what the store keeps of a provenance."""
    names = {"windows": "windows_done", "wall_s": "wall_s"}
    return {column: known[key] for column, key in names.items() if key in known}


def provenance(root: Path) -> dict[str, Any]:
    """Reads the provenance of a run; empty if it never got so far."""
    try:
        return dict(json.loads(RunLayout(root).provenance.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def salvage(root: Path) -> None:
    """Makes the results of a run whose server ended before it could."""
    if not RunLayout(root).plan.is_file():
        return
    try:
        collect(root)
        runner.make_report(root)
    except CosimError as error:
        _logger.warning("no results could be made of %s: %s", root.name, error)
