"""Options of the command line that are about batch jobs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import typer

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.processes.mpi import StarterName

PANEL = "Batch jobs (--launcher slurm)"
"""Heading under which ``--help`` lists these options."""

Partition = Annotated[str | None, typer.Option(help="slurm: partition.", rich_help_panel=PANEL)]
Account = Annotated[str | None, typer.Option(help="slurm: account.", rich_help_panel=PANEL)]
TimeLimit = Annotated[
    str | None,
    typer.Option(
        "--time",
        help="slurm: time limit, e.g. 30 (minutes), 1:30:00 or 2-00 (days).",
        rich_help_panel=PANEL,
    ),
]
Constraint = Annotated[
    str | None, typer.Option(help="slurm: features of nodes.", rich_help_panel=PANEL)
]
SbatchArgs = Annotated[
    list[str] | None,
    typer.Option(
        "--sbatch-arg",
        metavar="OPTION",
        help="slurm: further option of sbatch, e.g. --sbatch-arg=--mem=4G; may be repeated.",
        rich_help_panel=PANEL,
    ),
]
Interface = Annotated[
    str | None,
    typer.Option(
        help="slurm: network interface of the sockets, e.g. ib0. Default: every one, and the "
        "name of the host.",
        rich_help_panel=PANEL,
    ),
]
Mpi = Annotated[
    StarterName,
    typer.Option(
        help="slurm: what starts several ranks of NEST. pmix, pmi2: srun, on any number of "
        "nodes. openmpi, mpich: mpirun (of the image, if there is one), on one node.",
        rich_help_panel=PANEL,
    ),
]
Images = Annotated[
    Path | None,
    typer.Option(
        help="slurm: folder of orchestrator.sif, nest.sif, tvb.sif and translator.sif; the job "
        "then needs nothing but Apptainer.",
        rich_help_panel=PANEL,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="slurm: print the batch script, submit nothing.", rich_help_panel=PANEL
    ),
]
Follow = Annotated[
    bool,
    typer.Option("--follow", help="slurm: show the job until it has ended.", rich_help_panel=PANEL),
]


@dataclass(frozen=True)
class JobChoice:
    """The options of batch jobs, as the user gave them; the fields have their names."""

    partition: str | None = None
    account: str | None = None
    time: str | None = None
    constraint: str | None = None
    sbatch_arg: tuple[str, ...] = ()
    interface: str | None = None
    mpi: StarterName = "pmix"
    images: Path | None = None
    dry_run: bool = False
    follow: bool = False

    def faults(self) -> list[Fault]:
        """Returns a fault for every option that was given, for runs that are not jobs."""
        return [
            Fault(f"--{field.name.replace('_', '-')}", "is for batch jobs; add --launcher slurm")
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]
