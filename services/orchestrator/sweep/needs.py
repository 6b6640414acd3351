"""What a point takes, and whether it can be carried out at all."""

from __future__ import annotations

from pathlib import Path

from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.orchestrator.planning.checks import preflight
from tvb_nest_cosim.orchestrator.planning.estimate import estimate
from tvb_nest_cosim.orchestrator.run import runner
from tvb_nest_cosim.orchestrator.sweep.executor import Needs
from tvb_nest_cosim.orchestrator.sweep.points import Point


def cores_of(plan: RunPlan) -> int:
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
    report = estimate(prepared.plan, prepared.connectome)
    # What is in the way is an unfinished run of this point, which will be removed.
    preflight(prepared.plan, out, needed_bytes=0, free_bytes=0, is_here=is_here, may_exist=True)
    return Needs(
        cores_of(prepared.plan),
        report.memory_bytes,
        report.disk_bytes,
        tuple(prepared.plan.warnings),
    )
