"""Cores, memory, MPI and versions of a host, as a role can use them; and how others reach it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata

from tvb_nest_cosim.cosim_core.processes.mpi import find_mpirun, nest_has_mpi
from tvb_nest_cosim.cosim_core.wire.protocol import Role

DISTRIBUTIONS: dict[Role, tuple[str, ...]] = {
    "nest": ("nest-simulator",),
    "tvb": ("tvb-library", "numpy"),
    "translator": ("numpy", "numba", "scipy"),
}
"""Packages whose versions are shown, by role."""


@dataclass(frozen=True)
class Host:
    """A host, as a role can use it.

    Attributes:
        role: The role.
        host: Name of the host.
        versions: Versions of the role's packages.
        cores: Cores that a process may use.
        memory_bytes: Memory of the host.
        mpi: Whether several ranks of the role can be started.
    """

    role: Role
    host: str
    versions: dict[str, str]
    cores: int
    memory_bytes: int
    mpi: bool


def this_host(role: Role) -> Host:
    """Describes the host of this process.

    Raises:
        PackageNotFoundError: If the role's packages are not installed.
    """
    return Host(
        role=role,
        host=socket.gethostname(),
        versions={name: metadata.version(name) for name in DISTRIBUTIONS[role]},
        cores=usable_cores(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        mpi=role == "nest" and nest_has_mpi() is True and find_mpirun() is not None,
    )


def usable_cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def advertised(endpoint: str, environment: Mapping[str, str] = os.environ) -> str:
    """Turns where a socket is bound on every interface into how other hosts reach it.

    ``COSIM_ADVERTISE`` names this host; without it, its host name does.
    """
    host = environment.get("COSIM_ADVERTISE", socket.gethostname())
    return endpoint.replace("tcp://0.0.0.0:", f"tcp://{host}:", 1)
