"""The command line, ``cosim``: its options. The code of a command is imported when it is called."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from tvb_nest_cosim.cosim_core.errors import (
    EXIT_BAD_INPUT,
    EXIT_FAILED,
    CosimError,
    ExperimentError,
)
from tvb_nest_cosim.orchestrator.cli.json_output import faults_as_json, print_json
from tvb_nest_cosim.orchestrator.cli.keys import keys_app
from tvb_nest_cosim.orchestrator.cli.launcher_options import (
    Endpoint,
    JobFolder,
    KeyFolder,
    LauncherChoice,
    LauncherName,
    RunLauncherName,
)
from tvb_nest_cosim.orchestrator.cli.remote import remote_app
from tvb_nest_cosim.orchestrator.cli.serve import serve
from tvb_nest_cosim.orchestrator.cli.suggesting_group import SuggestingGroup
from tvb_nest_cosim.orchestrator.cli.sweep import sweep
from tvb_nest_cosim.orchestrator.slurm.options import (
    Account,
    Constraint,
    DryRun,
    Follow,
    Images,
    Interface,
    JobChoice,
    Mpi,
    Partition,
    SbatchArgs,
    TimeLimit,
)

RUNNING = "Running"
LOOKING = "Before and after a run"
SERVING = "Servers"

app = typer.Typer(
    name="cosim",
    cls=SuggestingGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Connectomes that are shipped or can be downloaded.")

ExperimentFile = Annotated[Path, typer.Argument(help="Experiment, a YAML file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change a value; may be repeated."),
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Run directory to make. Default: runs/NAME-TIME.")
]
RunDirectory = Annotated[Path, typer.Argument(help="Run directory.")]
Partial = Annotated[
    bool, typer.Option("--partial", help="Of a damaged run: go on with the windows that are left.")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON to stdout, everything else to stderr.")
]


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"cosim {version('tvb-nest-cosim')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Exact co-simulation of The Virtual Brain and NEST."""


@app.command(rich_help_panel=RUNNING)
def run(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    out: Out = None,
    launcher: RunLauncherName = "local",
    orchestrator: Endpoint = None,
    keys: KeyFolder = None,
    draw: Annotated[
        bool, typer.Option("--report/--no-report", help="Draw figures and report, print a summary.")
    ] = True,
    as_json: AsJson = False,
    partition: Partition = None,
    account: Account = None,
    time: TimeLimit = None,
    constraint: Constraint = None,
    sbatch_arg: SbatchArgs = None,
    interface: Interface = None,
    mpi: Mpi = "pmix",
    images: Images = None,
    dry_run: DryRun = False,
    follow: Follow = False,
    job_folder: JobFolder = None,
) -> None:
    """Run an experiment and write its results and report.

    Ctrl-C ends it at a window boundary and keeps what was computed; twice, at once.
    """
    from tvb_nest_cosim.orchestrator.cli import commands

    further = tuple(sbatch_arg or ())
    job = JobChoice(
        partition, account, time, constraint, further, interface, mpi, images, dry_run, follow
    )
    choice = LauncherChoice(launcher, orchestrator, keys, job, job_folder)
    with commands.lines_of(experiment, overrides or ()):
        code = commands.run(experiment, overrides or (), out, choice, draw=draw, as_json=as_json)
    raise typer.Exit(code)


@app.command(rich_help_panel=LOOKING)
def validate(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    launcher: LauncherName = "local",
    orchestrator: Endpoint = None,
    keys: KeyFolder = None,
    as_json: AsJson = False,
) -> None:
    """Check an experiment: build everything, run nothing."""
    from tvb_nest_cosim.orchestrator.cli import commands

    choice = LauncherChoice(launcher, orchestrator, keys)
    with faults_as_json(wanted=as_json), commands.lines_of(experiment, overrides or ()):
        commands.validate(experiment, overrides or (), choice, as_json=as_json)


@app.command(rich_help_panel=LOOKING)
def plan(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Show window, lookahead, what limits them, processes, tracts and estimates."""
    from tvb_nest_cosim.orchestrator.cli import commands

    with commands.lines_of(experiment, overrides or ()):
        commands.plan(experiment, overrides or (), as_json=as_json)


@app.command(rich_help_panel=RUNNING)
def replay(
    run_directory: RunDirectory,
    participant: Annotated[
        Literal["nest", "tvb"], typer.Option(help="The simulator to run alone.")
    ],
    out: Out = None,
) -> None:
    """Run one simulator alone against the recorded other side, and compare the results."""
    from tvb_nest_cosim.orchestrator.cli import commands

    raise typer.Exit(commands.replay(run_directory, participant, out))


@app.command(rich_help_panel=LOOKING)
def report(run_directory: RunDirectory, partial: Partial = False) -> None:
    """Complete the results of a run that has ended, and draw figures and report again."""
    from tvb_nest_cosim.orchestrator.cli import commands

    commands.report(run_directory, partial=partial)


@app.command(name="digest", rich_help_panel=LOOKING)
def digest_command(
    run_directory: RunDirectory, partial: Partial = False, as_json: AsJson = False
) -> None:
    """Print the SHA-256 of a run's spikes and TVB series."""
    from tvb_nest_cosim.orchestrator.cli import commands

    commands.print_digest(run_directory, partial=partial, as_json=as_json)


@app.command(rich_help_panel=LOOKING)
def schema(
    sweep: Annotated[
        bool, typer.Option("--sweep", help="That of sweeps in place of experiments.")
    ] = False,
) -> None:
    """Print the JSON schema of experiments."""
    from tvb_nest_cosim.cosim_core.model.experiment import experiment_schema
    from tvb_nest_cosim.orchestrator.sweep.model import sweep_schema

    typer.echo(json.dumps(sweep_schema() if sweep else experiment_schema(), indent=2))


@data_app.command(name="list")
def data_list(as_json: AsJson = False) -> None:
    """List the connectomes that experiments can name."""
    from tvb_nest_cosim.orchestrator.planning import datasets as datasets

    rows = datasets.list_data()
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    table = Table("name", "regions", "here", "where", "licence")
    for row in rows:
        table.add_row(
            row.name, str(row.regions), "yes" if row.present else "no", row.where, row.licence
        )
    Console().print(table)


@data_app.command(name="fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(help="Name, see 'cosim data list'.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="A copy that is here already, e.g. offline.")
    ] = None,
) -> None:
    """Download a connectome, or adopt a copy; its checksum is verified."""
    from tvb_nest_cosim.orchestrator.planning import datasets as datasets

    typer.echo(str(datasets.fetch(name, source=source)))


app.command(rich_help_panel=RUNNING)(sweep)
app.command(rich_help_panel=SERVING)(serve)
app.add_typer(remote_app, name="remote", rich_help_panel=SERVING)
app.add_typer(keys_app, name="keys", rich_help_panel=SERVING)
app.add_typer(data_app, name="data", rich_help_panel=LOOKING)


def main() -> None:
    """Runs the command line; turns errors into messages and exit codes."""
    try:
        app(prog_name="cosim")
    except ExperimentError as error:
        from tvb_nest_cosim.orchestrator.terminal import show_faults

        show_faults(Console(stderr=True), error.faults)
        sys.exit(EXIT_BAD_INPUT)
    except CosimError as error:
        from tvb_nest_cosim.orchestrator.terminal import show_failure

        show_failure(Console(stderr=True), error)
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
