"""What this machine must offer before a run may start."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.experiment import File, RunJournal
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.plugins import find_file, find_run
from tvb_nest_cosim.cosim_core.processes.mpi import find_starter
from tvb_nest_cosim.orchestrator.launchers.endpoints import socket_faults

_ROOT_MAY = frozenset({"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"})
"""Environment variables by which OpenMPI lets root use mpirun."""


def existing_ancestor(path: Path) -> Path:
    """Returns the nearest folder above ``path`` that exists, or ``path`` itself."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())


def preflight(
    plan: RunPlan,
    out: Path,
    *,
    needed_bytes: int,
    free_bytes: int,
    is_here: bool = True,
    may_exist: bool = False,
    which: Callable[[str], str | None] = shutil.which,
    is_root: bool | None = None,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Refuses a run that cannot be carried out.

    Args:
        plan: The plan.
        out: The run directory to be made.
        needed_bytes: Estimated size of the run directory.
        free_bytes: Free space where it will lie.
        is_here: Whether the participants will be processes of this machine.
        may_exist: Whether a folder of this name is in nobody's way: it will be removed, or the run
            will take another name.
        which: Finds a program.
        is_root: Whether the user is root; None: find out.
        environment: The environment that mpirun will see.

    Raises:
        ExperimentError: With every fault found.
    """
    faults = [*_folder_faults(out, may_exist), *_stand_in_faults(plan)]
    if is_here:
        faults += socket_faults()
    if needed_bytes > free_bytes:
        faults.append(
            Fault(
                "--out",
                f"{out} needs about {_megabytes(needed_bytes)}, but only "
                f"{_megabytes(free_bytes)} are free there; record less or choose another disk",
            )
        )
    if is_here and plan.ranks_per_kernel > 1:
        root = os.geteuid() == 0 if is_root is None else is_root
        faults += _mpi_faults(plan.ranks_per_kernel, which, environment if root else None)
    if faults:
        raise ExperimentError(faults)


def _mpi_faults(
    ranks: int, which: Callable[[str], str | None], root_environment: Mapping[str, str] | None
) -> list[Fault]:
    path = "resources.nest.ranks"
    starter = find_starter(which)
    if starter is None:
        return [
            Fault(
                path,
                f"{ranks} ranks need mpirun, which is not in PATH; install OpenMPI (Debian: "
                "openmpi-bin), or use threads instead of ranks",
            )
        ]
    if (
        root_environment is None
        or _ROOT_MAY.issubset(root_environment)
        or starter.name != "openmpi"
    ):
        return []
    return [
        Fault(
            path,
            f"OpenMPI's mpirun does not start {ranks} ranks for root; work as an ordinary user, "
            f"or, in a container, set {' and '.join(sorted(_ROOT_MAY))} to 1",
        )
    ]


def _folder_faults(out: Path, may_exist: bool) -> list[Fault]:
    if out.exists() and not may_exist:
        return [
            Fault("--out", f"{out} exists; results never overwrite others. Choose another folder")
        ]
    parent = existing_ancestor(out.parent)
    if not parent.is_dir():
        return [Fault("--out", f"{parent} is no folder, so {out} cannot be made in it")]
    if not os.access(parent, os.W_OK | os.X_OK):
        return [Fault("--out", f"{parent} is not writable, so {out} cannot be made in it")]
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
