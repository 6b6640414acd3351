"""Command lines and environments of the processes that this project starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tvb_nest_cosim.cosim_core.processes.mpi import RANK_VARIABLES, STEP_VARIABLES
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES, Program, Role

ORCHESTRATOR = "tvb_nest_cosim.orchestrator"
"""Module of the command line, ``cosim``."""

DIE_WITH_PARENT = Path(__file__).with_name("die_with_parent.py")
"""Script that ties a process to the life of its parent."""

# Bits must not depend on how many threads a BLAS thinks it may use, and two simulators that each
# take every core only slow one another down. NEST's threads are set by the experiment.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def module_command(module: str, *arguments: str, python: str = sys.executable) -> list[str]:
    """Returns the command that runs a module; every Python process is started this way.

    ``-m`` alone would put the current folder first on ``sys.path``: a ``nest.py`` or ``msgpack.py``
    that lies there, perhaps another user's in a shared folder, would be imported instead of the
    package. ``-P`` prevents that; an experiment's modules are found by its folder.
    """
    return [python, "-P", "-m", module, *arguments]


def worker_command(role: Role, control: str, run: str, digest: str) -> list[str]:
    """Returns the command that starts one worker."""
    options = ("--control", control, "--run", run, "--digest", digest)
    return module_command(MODULES[role], "worker", *options)


def first_rank_option(program: Program) -> list[str]:
    """Returns the option that says where the ranks of a program begin among those of its role."""
    return ["--first-rank", str(program.first_rank)] if program.first_rank else []


def tied_to_parent(command: list[str]) -> list[str]:
    """Returns a command that ends with the process that starts it."""
    # Isolated and without site-packages, the interpreter starts in no time.
    return [sys.executable, "-I", "-S", str(DIE_WITH_PARENT), *command]


def worker_environment(role: Role, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Returns the environment of a worker.

    OpenMPI's ranks poll while they wait for each other; with more ranks than cores that starves
    the rank that is waited for, so they yield. A rank that this process has itself, for example
    since a batch script runs as task 0, must not reach the worker, nor must its step of Slurm.

    Args:
        role: Role of the worker.
        environment: Environment of this process, most of which the worker inherits.
    """
    not_inherited = {*RANK_VARIABLES, *STEP_VARIABLES}
    own = {name: value for name, value in environment.items() if name not in not_inherited}
    result = {**dict.fromkeys(_ONE_THREAD, "1"), **own}
    result["PYTHONUNBUFFERED"] = "1"
    if role == "nest":
        result.setdefault("OMPI_MCA_mpi_yield_when_idle", "1")
    return result
