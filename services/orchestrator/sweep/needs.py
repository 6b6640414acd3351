"""What a point takes, and whether it can be carried out at all."""

from __future__ import annotations

from pathlib import Path

from cosim_core.ensemble import EnsemblePlan
from orchestrator import runner
from orchestrator.plan import explain, preflight
from orchestrator.sweep.executor import Needs
from orchestrator.sweep.points import Point


def cores_of(plan: EnsemblePlan) -> int:
    """Returns how many cores a run keeps busy; its translator and orchestrator mostly wait."""
    nest = plan.experiment.resources.nest
    participants = plan.participants
    return participants.get("tvb", 0) + participants.get("nest", 0) * nest.threads


def needs_of(point: Point, base_dir: Path, out: Path, *, is_here: bool) -> Needs:
    """Checks that a point can be carried out.

    Args:
        point: The point.
        base_dir: Folder of the experiment file.
        out: Its run directory.
        is_here: Whether it will run on this machine.

    Raises:
        ExperimentError: With every fault found.
    """
    prepared = runner.prepare(point.experiment, base_dir, out)
    report = explain(prepared.plan, prepared.connectome)
    # What is in the way is an unfinished run of this point, which will be removed.
    preflight(prepared.plan, out, needed_bytes=0, free_bytes=0, is_here=is_here, may_exist=True)
    return Needs(
        cores_of(prepared.plan),
        report.memory_bytes,
        report.disk_bytes,
        tuple(prepared.plan.warnings),
    )
