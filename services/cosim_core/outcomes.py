"""How a run can end, and the exit code that reports it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from tvb_nest_cosim.cosim_core.errors import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_INTERRUPTED

OutcomeKind = Literal["finished", "failed", "interrupted", "refused", "validated"]
"""``refused``: the experiment cannot be run. ``validated``: built on request, and not run."""

FINAL_STATES = frozenset({"finished", "failed", "interrupted", "refused"})
"""States of a run that it never leaves."""

EXIT_CODES: Mapping[str, int] = {
    "finished": 0,
    "validated": 0,
    "failed": EXIT_FAILED,
    "refused": EXIT_BAD_INPUT,
    "interrupted": EXIT_INTERRUPTED,
}
"""Exit code by kind of outcome."""
