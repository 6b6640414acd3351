"""The command line, ``cosim``."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from cosim_core.errors import (
    EXIT_BAD_INPUT,
    EXIT_FAILED,
    CosimError,
    ExperimentError,
)
from cosim_core.experiment import Experiment, experiment_schema, load_experiment
from cosim_core.results import digest, open_run
from orchestrator import data as datasets
from orchestrator import runner
from orchestrator.display import (
    LiveRun,
    show_difference,
    show_failure,
    show_faults,
    show_finished,
    show_plan,
    show_warnings,
)
from orchestrator.keys import keys_app
from orchestrator.places import Choice, Endpoint, KeyFolder, Launcher, RunLauncher, place_of
from orchestrator.plan import explain
from orchestrator.remote import remote_app
from orchestrator.replay import compare, replay_experiment
from orchestrator.serving import serve
from orchestrator.sites import HERE, Place
from orchestrator.slurm.options import (
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
from orchestrator.slurm.submit import Submission, submit
from orchestrator.sweep.command import sweep
from orchestrator.sweep.tree import sweep_schema

app = typer.Typer(
    name="cosim",
    help="Exact co-simulation of The Virtual Brain and NEST.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Connectomes that are shipped or can be downloaded.")
app.add_typer(data_app, name="data")
app.add_typer(keys_app, name="keys")
app.add_typer(remote_app, name="remote")
app.command()(serve)
app.command()(sweep)

ExperimentFile = Annotated[Path, typer.Argument(help="Experiment, a YAML file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change a value; may be repeated."),
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Run directory to make. Default: runs/NAME-TIME.")
]
RunDirectory = Annotated[Path, typer.Argument(help="Run directory.")]


def _default_out(experiment: Experiment) -> Path:
    return runner.free_folder(experiment, datetime.now().astimezone())


def _carry_out(
    experiment: Experiment,
    base_dir: Path,
    out: Path | None,
    place: Place = HERE,
    *,
    draw: bool = True,
) -> runner.Finished:
    """Plans, checks and runs an experiment with a live display."""
    console = Console()
    folder = out or _default_out(experiment)
    prepared = runner.prepare(experiment, base_dir, folder)
    runner.check(prepared, folder, place)
    with LiveRun(console) as live:
        finished = runner.run(
            prepared,
            command=runner.this_command(),
            observe=live,
            tell=live.tell,
            may_rename=out is None,
            place=place,
            draw=draw,
        )
    with open_run(finished.root) as run:
        show_warnings(console, run.provenance["warnings"])
        show_finished(console, finished, run, with_summary=draw)
    return finished


@app.command()
def run(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    out: Out = None,
    launcher: RunLauncher = "local",
    orchestrator: Endpoint = None,
    keys: KeyFolder = None,
    draw: Annotated[
        bool, typer.Option("--report/--no-report", help="Draw figures and report, print a summary.")
    ] = True,
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
) -> None:
    """Run an experiment and write its results and report.

    Ctrl-C ends it at a window boundary and keeps what was computed; twice, at once.
    """
    loaded = load_experiment(experiment, overrides or ())
    further = tuple(sbatch_arg or ())
    job = JobChoice(
        partition, account, time, constraint, further, interface, mpi, images, dry_run, follow
    )
    if launcher == "slurm":
        folder = (out or _default_out(loaded)).absolute()
        prepared = runner.prepare(loaded, experiment.parent, folder)
        what = Submission(experiment.absolute(), tuple(overrides or ()), folder, prepared)
        raise typer.Exit(submit(what, job, Console()))
    with place_of(Choice(launcher, orchestrator, keys, job)) as place:
        finished = _carry_out(loaded, experiment.parent, out, place, draw=draw)
    raise typer.Exit(finished.exit_code)


@app.command()
def validate(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    launcher: Launcher = "local",
    orchestrator: Endpoint = None,
    keys: KeyFolder = None,
) -> None:
    """Check an experiment: build everything, run nothing."""
    console = Console()
    loaded = load_experiment(experiment, overrides or ())
    out = _default_out(loaded)
    prepared = runner.prepare(loaded, experiment.parent, out)
    with place_of(Choice(launcher, orchestrator, keys)) as place:
        runner.check(prepared, out, place)
        with console.status("Building the simulators"):
            warnings = runner.validate(prepared, place=place)
    show_warnings(console, warnings)
    console.print("[bold green]valid[/]: every participant could build its side")


@app.command()
def plan(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show window, lookahead, what limits them, processes, tracts and estimates."""
    loaded = load_experiment(experiment, overrides or ())
    prepared = runner.prepare(loaded, experiment.parent, _default_out(loaded))
    report = explain(prepared.plan, prepared.connectome)
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        show_plan(Console(), report)


@app.command()
def replay(
    run_directory: RunDirectory,
    participant: Annotated[
        Literal["nest", "tvb"], typer.Option(help="The simulator to run alone.")
    ],
    out: Out = None,
) -> None:
    """Run one simulator alone against the recorded other side, and compare the results."""
    experiment, base_dir = replay_experiment(run_directory, participant)
    finished = _carry_out(experiment, base_dir, out)
    if finished.exit_code == 0:
        difference = compare(run_directory, finished.root, participant)
        if difference:
            show_difference(Console(), participant, difference)
            raise typer.Exit(EXIT_FAILED)
        Console().print(f"[bold green]identical[/] to what {participant} did in the recorded run")
    raise typer.Exit(finished.exit_code)


@app.command()
def report(run_directory: RunDirectory) -> None:
    """Draw the figures and the report of a run again."""
    typer.echo(str(runner.make_report(run_directory)))


@app.command(name="digest")
def digest_command(run_directory: RunDirectory) -> None:
    """Print the SHA-256 of a run's spikes and TVB series."""
    typer.echo(digest(run_directory))


@app.command()
def schema(
    sweep: Annotated[
        bool, typer.Option("--sweep", help="That of sweeps in place of experiments.")
    ] = False,
) -> None:
    """Print the JSON schema of experiments."""
    typer.echo(json.dumps(sweep_schema() if sweep else experiment_schema(), indent=2))


@data_app.command(name="list")
def data_list() -> None:
    """List the connectomes that experiments can name."""
    table = Table("name", "regions", "here", "where", "licence")
    for row in datasets.list_data():
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
    typer.echo(str(datasets.fetch(name, source=source)))


def main() -> None:
    """Runs the command line; turns errors into messages and exit codes."""
    try:
        app()
    except ExperimentError as error:
        show_faults(Console(stderr=True), error.faults)
        sys.exit(EXIT_BAD_INPUT)
    except CosimError as error:
        show_failure(Console(stderr=True), error)
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
