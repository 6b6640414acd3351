"""How runs ended, as far as their directories show it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from tvb_nest_cosim.cosim_core.client.responses import FaultAnswer
from tvb_nest_cosim.cosim_core.errors import CosimError, ExperimentError, Fault
from tvb_nest_cosim.cosim_core.outcomes import FINAL_STATES
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance
from tvb_nest_cosim.orchestrator.run import runner
from tvb_nest_cosim.orchestrator.store import RunState

_logger = logging.getLogger(__name__)

SERVER_ENDED = "the server ended while this run was going on; what was computed is kept"


def refused(error: Exception) -> tuple[RunState, dict[str, Any]]:
    """Returns the state of a run whose experiment was refused, and values for the store."""
    faults = error.faults if isinstance(error, ExperimentError) else [Fault("", str(error))]
    return RunState.REFUSED, {
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


def salvage(root: Path) -> None:
    """Makes the results of a run whose server ended before it could."""
    if not RunLayout(root).plan.is_file():
        return
    try:
        runner.make_report(root)
    except CosimError as error:
        _logger.warning("no results could be made of %s: %s", root.name, error)
