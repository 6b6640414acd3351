"""``cosim serve`` that draws reports only of runs whose experiment is named so: faster soaking."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

from tvb_nest_cosim.cosim_core.run_dir.plan_file import read_plan
from tvb_nest_cosim.orchestrator import report
from tvb_nest_cosim.orchestrator.cli.main import main

DRAWN = "soak-drawn"
"""Name of experiments whose runs get figures and a report."""

_write_report = report.write_report


def _perhaps(root: Path, **options: Any) -> Path:
    plan, _ = read_plan(root)
    return _write_report(root, **options) if plan.experiment.name == DRAWN else root


if __name__ == "__main__":
    with patch.object(report, "write_report", _perhaps):
        main()
