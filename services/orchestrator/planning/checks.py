"""May this run, there? Everything that can be answered before a participant is started."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.experiment import File, RunJournal
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.plugins import find_file, find_run
from tvb_nest_cosim.cosim_core.processes.mpi import find_starter
from tvb_nest_cosim.orchestrator.launchers.endpoints import descriptor_faults, socket_faults
from tvb_nest_cosim.orchestrator.planning.plan import Planned

_ROOT_MAY = ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM")
"""Environment variables by which OpenMPI lets root use mpirun."""


def admit(
    planned: Planned, *, is_here: bool, may_exist: bool = False, shares_disk: bool = False
) -> None:
    """Refuses a run that cannot be carried out.

    Args:
        planned: The run.
        is_here: Whether this machine must offer what the run needs, see ``Launcher.is_here``.
        may_exist: Whether the run directory may exist already: it will be removed, or the run will
            take another name.
        shares_disk: Whether other runs will need the same disk; the caller compares their sum.

    Raises:
        ExperimentError: With every fault found.
    """
    plan = planned.plan
    run_dir = Path(plan.run_dir)
    faults = [*_folder_faults(run_dir, may_exist), *_stand_in_faults(plan)]
    if is_here:
        faults += [*socket_faults(), *descriptor_faults()]
    if not shares_disk:
        faults += _disk_faults(run_dir, planned.estimate.disk_bytes)
    if is_here and plan.ranks_per_kernel > 1:
        faults += _mpi_faults(plan.ranks_per_kernel)
    if faults:
        raise ExperimentError(faults)


def existing_ancestor(path: Path) -> Path:
    """Returns the nearest folder above ``path`` that exists, or ``path`` itself."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _disk_faults(run_dir: Path, needed_bytes: int) -> list[Fault]:
    free_bytes = shutil.disk_usage(existing_ancestor(run_dir)).free
    if needed_bytes <= free_bytes:
        return []
    return [
        Fault(
            "--out",
            f"{run_dir} needs about {_megabytes(needed_bytes)}, but only "
            f"{_megabytes(free_bytes)} are free there; record less or choose another disk",
        )
    ]


def _mpi_faults(ranks: int) -> list[Fault]:
    path = "resources.nest.ranks"
    starter = find_starter()
    if starter is None:
        return [
            Fault(
                path,
                f"{ranks} ranks need mpirun, which is not in PATH; install OpenMPI (Debian: "
                "openmpi-bin), or use threads instead of ranks",
            )
        ]
    is_allowed = os.geteuid() != 0 or all(name in os.environ for name in _ROOT_MAY)
    if is_allowed or starter.name != "openmpi":
        return []
    return [
        Fault(
            path,
            f"OpenMPI's mpirun does not start {ranks} ranks for root; work as an ordinary user, "
            f"or, in a container, set {' and '.join(_ROOT_MAY)} to 1",
        )
    ]


def _folder_faults(run_dir: Path, may_exist: bool) -> list[Fault]:
    if run_dir.exists() and not may_exist:
        return [
            Fault(
                "--out", f"{run_dir} exists; results never overwrite others. Choose another folder"
            )
        ]
    parent = existing_ancestor(run_dir.parent)
    if not parent.is_dir():
        return [Fault("--out", f"{parent} is not a folder, so {run_dir} cannot be made in it")]
    if not os.access(parent, os.W_OK | os.X_OK):
        return [Fault("--out", f"{parent} is not writable, so {run_dir} cannot be made in it")]
    return []


def _stand_in_faults(plan: RunPlan) -> list[Fault]:
    stand_in = plan.experiment.stand_in
    if isinstance(stand_in, File):
        path = find_file(plan.base_dir, stand_in.path)
        if not path.is_file():
            return [Fault("stand_in.path", f"there is no file {path}")]
    if isinstance(stand_in, RunJournal):
        path = find_run(plan.base_dir, stand_in.run)
        if not path.is_dir():
            return [Fault("stand_in.run", f"there is no run directory {path}")]
    return []


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
