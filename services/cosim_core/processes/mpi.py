"""How MPI ranks are started, numbered, and reported when they die: one table.

=========  ===========  ====================  ==================================================
row        program      rank in               the rank that died first is in
=========  ===========  ====================  ==================================================
openmpi    ``mpirun``   OMPI_COMM_WORLD_RANK  ``process rank 1 with PID 7 on node x exited on
                                              signal 9``, ``Process name: [[5,1],1]``
mpich      ``mpiexec``  PMI_RANK              ``RANK 1 PID 7 RUNNING AT x``
pmi2       ``srun``     PMI_RANK              ``srun: error: x: task 1: Killed``
pmix       ``srun``     PMIX_RANK             the same
=========  ===========  ====================  ==================================================

``mpirun`` ends with the exit code of that rank, ``srun`` with the highest of all, which may be that
of a rank it ended itself; so the code is read from what it wrote.

Whatever is not OpenMPI is started as MPICH is; Intel MPI and MVAPICH share its process manager.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

StarterName = Literal["openmpi", "mpich", "pmi2", "pmix"]

_SRUN = ("--ntasks={ranks}", "--kill-on-bad-exit=1")
_SRUN_LOSS = re.compile(
    r"srun: error: \S+: tasks? (\d+)\S*: "
    r"(?:Exited with exit code (?P<code>\d+)|(?P<signal>[\w ]*\w))"
)
_SIGNALS = {
    **{signal.strsignal(number): number for number in signal.valid_signals()},
    "Out Of Memory": signal.SIGKILL,
}


@dataclass(frozen=True)
class Starter:
    """One way to start ranks.

    Attributes:
        name: Row of the table.
        program: What is called; a path once it has been found.
        options: What stands between program and command; ``{ranks}`` is their number.
        rank_variable: Environment variable that tells a process its rank.
        loss: Finds in its output the rank that died first, as the first group that matches, and
            perhaps its exit code or signal, as the groups of these names.
    """

    name: StarterName
    program: str
    options: tuple[str, ...]
    rank_variable: str
    loss: re.Pattern[str]

    def line(self, ranks: int) -> list[str]:
        """Returns what stands before a command to run it on several ranks."""
        return [self.program, *(option.format(ranks=ranks) for option in self.options)]

    def first_to_die(self, names: tuple[str, ...], last_words: str) -> tuple[str, ...]:
        """Puts the rank first that is named as the one that ended the others."""
        found = self.loss.search(last_words)
        rank = int(next(group for group in found.groups() if group)) if found else 0
        if rank >= len(names):
            return names
        return (names[rank], *names[:rank], *names[rank + 1 :])

    def code_of_first(self, code: int, last_words: str) -> int:
        """Returns the exit code of the rank that died first; negative: its signal.

        Args:
            code: Exit code of the program.
            last_words: What the program wrote.
        """
        found = self.loss.search(last_words)
        groups = found.groupdict() if found else {}
        if groups.get("code"):
            return int(groups["code"])
        number = _SIGNALS.get(groups.get("signal"))
        return code if number is None else -number


_ROWS = (
    # OpenMPI binds ranks to cores and refuses more ranks than cores by default; both
    # would be wrong on a laptop that runs TVB beside NEST.
    Starter(
        "openmpi",
        "mpirun",
        ("-n", "{ranks}", "--oversubscribe", "--bind-to", "none"),
        "OMPI_COMM_WORLD_RANK",
        re.compile(r"\brank (\d+) with |process name: \[.*,(\d+)\]", re.IGNORECASE),
    ),
    Starter("mpich", "mpiexec", ("-n", "{ranks}"), "PMI_RANK", re.compile(r"\bRANK (\d+) PID ")),
    Starter("pmi2", "srun", ("--mpi=pmi2", *_SRUN), "PMI_RANK", _SRUN_LOSS),
    Starter("pmix", "srun", ("--mpi=pmix", *_SRUN), "PMIX_RANK", _SRUN_LOSS),
)

STARTERS: Mapping[StarterName, Starter] = {row.name: row for row in _ROWS}
"""The table."""

RANK_VARIABLES = (*dict.fromkeys(row.rank_variable for row in _ROWS), "SLURM_PROCID")
"""Where a process may find its rank, the innermost process manager first: an ``mpirun`` may run
within a task of Slurm, which always sets the last one."""

STEP_VARIABLES = ("SLURM_STEP_ID", "SLURM_STEPID")
"""What tells OpenMPI that ``srun`` has started the process. A batch script has them too, and what
it starts by itself would look for others of its step, which do not exist."""


def mpi_rank(environment: Mapping[str, str]) -> int:
    """Returns the MPI rank that a process manager put into the environment, or 0."""
    for name in RANK_VARIABLES:
        if name in environment:
            return int(environment[name])
    return 0


def find_mpirun(which: Callable[[str], str | None] = shutil.which) -> str | None:
    """Returns the path of the program that starts ranks on this machine, if there is one."""
    return which("mpirun") or which("mpiexec")


def find_starter(which: Callable[[str], str | None] = shutil.which) -> Starter | None:
    """Finds what starts ranks on this machine.

    Args:
        which: Finds a program.

    Returns:
        A row of the table with the path of its program; None if there is no ``mpirun``.
    """
    program = find_mpirun(which)
    if program is None:
        return None
    return replace(STARTERS["openmpi" if _is_open_mpi(program) else "mpich"], program=program)


@cache
def nest_has_mpi() -> bool | None:
    """Tells whether NEST was built with MPI, from the library it links; None: NEST is not found.

    NEST is not imported: that would take a second and the memory of a simulator, and a NEST without
    MPI ends a process that mpirun has started as soon as it is imported.
    """
    spec = importlib.util.find_spec("nest")
    folders = [] if spec is None else spec.submodule_search_locations or []
    kernels = [path for folder in folders for path in Path(folder).glob("nestkernel_api*.so")]
    return any(b"libmpi" in path.read_bytes() for path in kernels) if kernels else None


def _is_open_mpi(program: str) -> bool:
    """Asks mpirun whether it is OpenMPI's."""
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed command line
            [program, "--version"], capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return b"Open MPI" in answer.stdout or b"OpenRTE" in answer.stdout
