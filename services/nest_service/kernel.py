"""NEST's kernel: loading it silently, setting it up, reading its errors."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.lazy_imports import lazily_imported
from tvb_nest_cosim.cosim_core.model.experiment.tree import NestResources
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.model.timegrid import InexactTimeError, ticks_of
from tvb_nest_cosim.nest_service.context import Nest

_HOW_TO_GET_MPI = (
    "the wheels on PyPI come without MPI; build one: apt-get install libopenmpi-dev openmpi-bin "
    "libgsl-dev libboost-dev cmake ninja-build, then pip install --no-binary nest-simulator "
    "nest-simulator==3.10.0 -C cmake.define.with-mpi=ON; or use resources.nest.threads"
)
_FOR_TABLES_AND_PLOTS = ("pandas", "matplotlib", "matplotlib.patches", "matplotlib.path")
"""Modules that NEST imports, but needs for tables and plots only."""
_QUIET = "PYNEST_QUIET"
_ISOLATED = "OMPI_MCA_ess_singleton_isolated"


def load_nest(ranks: int = 1) -> Nest:
    """Imports NEST without its banner; it does not see the command line of this process.

    Args:
        ranks: MPI processes of the run, of which this is one.

    Raises:
        ExperimentError: If NEST is not installed, cannot be loaded, or lacks MPI and needs it.
    """
    if ranks > 1 and not _is_linked_with_mpi():
        # Such a NEST ends a process that mpirun has started as soon as it is imported.
        raise ExperimentError([_needs_mpi(ranks)])
    # A NEST with MPI that mpirun did not start would otherwise start a daemon of OpenMPI in
    # another session, which survives the end of this worker's process group.
    os.environ.setdefault(_ISOLATED, "1")
    with _quiet_import(), lazily_imported(*_FOR_TABLES_AND_PLOTS):
        try:
            return importlib.import_module("nest")
        except ImportError as error:
            raise ExperimentError.single(
                "nest",
                f"NEST cannot be loaded ({error}); install it with: "
                "pip install 'tvb-nest-cosim[nest]'",
            ) from error


def _needs_mpi(ranks: int) -> Fault:
    return Fault("resources.nest.ranks", f"{ranks} ranks need a NEST with MPI; {_HOW_TO_GET_MPI}")


def _is_linked_with_mpi() -> bool:
    """Reads NEST's library without importing it; True if there is none, which importing reports."""
    spec = importlib.util.find_spec("nest")
    folders = [] if spec is None else spec.submodule_search_locations or []
    kernels = [path for folder in folders for path in Path(folder).glob("nestkernel_api*.so")]
    return not kernels or any(b"libmpi" in path.read_bytes() for path in kernels)


@contextmanager
def _quiet_import() -> Iterator[None]:
    """Hides the command line, which NEST would parse, and suppresses its banner."""
    arguments, quiet = sys.argv, os.environ.get(_QUIET)
    sys.argv, os.environ[_QUIET] = arguments[:1], "1"
    try:
        yield
    finally:
        sys.argv = arguments
        if quiet is None:
            del os.environ[_QUIET]
        else:
            os.environ[_QUIET] = quiet


def prepare_kernel(nest: Nest, plan: RunPlan, kernel: int = 0) -> list[str]:
    """Empties NEST and sets resolution, seed and virtual processes.

    Args:
        nest: The module ``nest``.
        plan: The plan.
        kernel: Number of this NEST among those of the run; each has random numbers of its own.

    Returns:
        Warnings.

    Raises:
        ExperimentError: If this NEST cannot run the plan.
    """
    experiment, resources = plan.experiment, plan.experiment.resources.nest
    faults = _resource_faults(nest, resources)
    try:
        ticks_of(experiment.dt_ms, 1.0 / nest.tics_per_ms)
    except InexactTimeError as error:
        faults.append(Fault("dt_ms", f"NEST cannot represent it: {error}"))
    if faults:
        raise ExperimentError(faults)
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(
        resolution=experiment.dt_ms,
        rng_seed=kernel_seed(experiment.seed, kernel),
        total_num_virtual_procs=resources.total_virtual_processes,
        print_time=False,
        # Otherwise NEST keeps shrinking and growing its buffers, and logs every change in memory.
        spike_buffer_shrink_limit=0.0,
    )
    threads = resources.total_virtual_processes // resources.ranks
    if threads == resources.threads:
        return []
    return [
        f"NEST runs {threads} threads per process, as resources.nest.virtual_processes demands, "
        f"not the {resources.threads} of resources.nest.threads"
    ]


def kernel_seed(seed: int, kernel: int) -> int:
    """Returns the seed of one NEST; the first has the experiment's own."""
    if kernel == 0:
        return seed
    # NEST takes 1 ... 2**32 - 1
    return int(np.random.SeedSequence([seed, kernel]).generate_state(1)[0] % (2**32 - 1)) + 1


def _resource_faults(nest: Nest, resources: NestResources) -> list[Fault]:
    faults = []
    path = "resources.nest.ranks"
    if resources.ranks > 1 and not nest.build_info["have_mpi"]:
        faults.append(_needs_mpi(resources.ranks))
    elif nest.num_processes != resources.ranks:
        faults.append(
            Fault(
                path,
                f"NEST sees {nest.num_processes} MPI processes, expected {resources.ranks}; start "
                "it with the mpirun of the MPI that NEST was built with",
            )
        )
    if resources.total_virtual_processes % resources.ranks:
        faults.append(
            Fault(
                "resources.nest.virtual_processes",
                f"{resources.virtual_processes} virtual processes cannot be spread evenly over "
                f"{resources.ranks} ranks; choose a multiple of {resources.ranks}",
            )
        )
    return faults
