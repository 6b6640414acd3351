"""Resources that a point of a sweep needs, and whether it can be carried out at all."""

from __future__ import annotations

from pathlib import Path

from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.orchestrator.planning.checks import admit
from tvb_nest_cosim.orchestrator.planning.plan import plan_run
from tvb_nest_cosim.orchestrator.sweep.executor import Needs
from tvb_nest_cosim.orchestrator.sweep.points import Point


def cores_of(plan: RunPlan) -> int:
    """Returns how many cores a run keeps busy; its translator and orchestrator mostly wait."""
    nest = plan.experiment.resources.nest
    participants = plan.participants
    return participants.get("tvb", 0) + participants.get("nest", 0) * nest.threads


def needs_of(point: Point, base_dir: Path, out: Path, *, is_here: bool) -> Needs:
    """Plans and admits a point.

    Args:
        point: The point.
        base_dir: Folder of the experiment file.
        out: Its run directory; an unfinished run of this point there will be removed.
        is_here: Whether it will run on this machine.

    Raises:
        ExperimentError: With every fault found.
    """
    planned = plan_run(point.experiment, base_dir, out)
    admit(planned, is_here=is_here, may_exist=True, shares_disk=True)
    needed = planned.estimate
    return Needs(
        cores_of(planned.plan),
        needed.memory_bytes,
        needed.disk_bytes,
        tuple(planned.plan.warnings),
    )
