"""``cosim sweep``: its options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from tvb_nest_cosim.cosim_core.errors import EXIT_BAD_INPUT, ExperimentError
from tvb_nest_cosim.orchestrator.cli.console import console_of_run
from tvb_nest_cosim.orchestrator.slurm.options import PANEL as JOBS
from tvb_nest_cosim.orchestrator.slurm.options import (
    Account,
    Constraint,
    DryRun,
    JobChoice,
    Partition,
    SbatchArgs,
    TimeLimit,
)

if TYPE_CHECKING:
    from tvb_nest_cosim.orchestrator.sweep.campaign import MakeExecutor


def sweep(
    sweep_file: Annotated[Path, typer.Argument(metavar="SWEEP", help="Sweep, a YAML file.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder; goes on with what is there. Default: sweeps/NAME."),
    ] = None,
    at_once: Annotated[
        int | None, typer.Option(min=1, help="Most points at the same time.")
    ] = None,
    cores: Annotated[
        int | None,
        typer.Option(
            min=1, help="Cores to use; a run takes one for TVB and one per thread of NEST."
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run failed points again.")
    ] = False,
    only: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="POINT", help="Run one point, for the job array of another scheduler."
        ),
    ] = None,
    collect: Annotated[
        bool, typer.Option("--collect", help="Run nothing; make the table of what is there.")
    ] = False,
    launcher: Annotated[
        Literal["local", "slurm"],
        typer.Option(help="local: a pool of this machine. slurm: a job array, a point an element."),
    ] = "local",
    partition: Partition = None,
    account: Account = None,
    time: TimeLimit = None,
    constraint: Constraint = None,
    sbatch_arg: SbatchArgs = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="slurm: folder of all.sif, in which every element runs.", rich_help_panel=JOBS
        ),
    ] = None,
    dry_run: DryRun = False,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            help="Run the points on a server; its address, with its token.",
            rich_help_panel="Servers",
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="COSIM_TOKEN", help="Token of the server.", rich_help_panel="Servers"),
    ] = None,
) -> None:
    """Run many points of an experiment and make one table of them.

    Call it again to go on: finished points are never run twice. Ctrl-C ends the running points at a
    window boundary; twice, at once.
    """
    # Imported here, since other commands do not need pandas.
    from tvb_nest_cosim.orchestrator.sweep.campaign import Campaign
    from tvb_nest_cosim.orchestrator.sweep.slurm_array import SlurmArray
    from tvb_nest_cosim.orchestrator.terminal import show_faults

    console = console_of_run()
    further = tuple(sbatch_arg or ())
    job = JobChoice(partition, account, time, constraint, further, images=images, dry_run=dry_run)
    try:
        if launcher == "local" and (faults := job.faults()):
            raise ExperimentError(faults)
        campaign = Campaign.read(sweep_file, out)
        if launcher == "slurm":
            make = _array(campaign.sweep.name, at_once, job)
        else:
            make = _local(at_once, cores) if url is None else _remote(at_once, url, token)
        if dry_run:
            array = SlurmArray(campaign.layout, campaign.base, campaign.sweep.name, at_once, job)
            typer.echo(campaign.array(array, retry_failed=retry_failed), nl=False)
            exit_code = 0
        elif collect:
            exit_code = campaign.collect(console)
        elif only is not None:
            exit_code = campaign.run_one(console, make, only, retry_failed=retry_failed)
        else:
            exit_code = campaign.run(console, make, retry_failed=retry_failed)
    except ExperimentError as error:
        show_faults(Console(stderr=True), error.faults, what="sweep")
        raise typer.Exit(EXIT_BAD_INPUT) from error
    raise typer.Exit(exit_code)


def _array(name: str, at_once: int | None, job: JobChoice) -> MakeExecutor:
    from tvb_nest_cosim.orchestrator.sweep.slurm_array import SlurmArray

    return lambda layout, base: SlurmArray(layout, base, name, at_once, job)


def _local(at_once: int | None, cores: int | None) -> MakeExecutor:
    from tvb_nest_cosim.cosim_core.processes.host import usable_cores
    from tvb_nest_cosim.orchestrator.sweep.local_pool import LocalPool

    return lambda layout, base: LocalPool(layout, base, at_once, cores or usable_cores())


def _remote(at_once: int | None, url: str, token: str | None) -> MakeExecutor:
    from tvb_nest_cosim.orchestrator.cli.remote import open_client
    from tvb_nest_cosim.orchestrator.sweep.remote_pool import RemotePool

    return lambda layout, base: RemotePool(layout, open_client(url, token), at_once)
