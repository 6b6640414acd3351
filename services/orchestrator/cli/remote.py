"""``cosim remote``: runs on a server, from a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tvb_nest_cosim.cosim_core.errors import CosimError, install_hint
from tvb_nest_cosim.cosim_core.outcomes import EXIT_CODES

if TYPE_CHECKING:
    from tvb_nest_cosim.cosim_core.client import Client, RunAnswer

remote_app = typer.Typer(
    help="Runs on a server; its address is that which 'cosim serve' printed.",
    no_args_is_help=True,
)

Address = Annotated[
    str | None,
    typer.Option("--url", envvar="COSIM_URL", help="Address of the server, with its token."),
]
Token = Annotated[str | None, typer.Option(envvar="COSIM_TOKEN", help="Token of the server.")]
RunName = Annotated[str, typer.Argument(help="Identity of the run.")]
Folder = Annotated[Path | None, typer.Option("--out", help="Folder to make. Default: runs/ID.")]


@remote_app.command(name="run")
def remote_run(
    experiment: Annotated[Path, typer.Argument(help="Experiment, a YAML file of this machine.")],
    url: Address = None,
    token: Token = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change a value; may be repeated."),
    ] = None,
    label: Annotated[str | None, typer.Option(help="What to call the run.")] = None,
    watch: Annotated[bool, typer.Option(help="Watch it until it has ended.")] = True,
) -> None:
    """Queue a run on a server and watch it."""
    from tvb_nest_cosim.cosim_core.model.experiment.lines import lines_of

    try:
        text = experiment.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CosimError(f"cannot read the experiment {experiment}: {error}") from error
    with open_client(url, token) as client, lines_of(experiment, overrides or ()):
        run = client.create(text, overrides or (), label).id
        typer.echo(run)
        if watch:
            _watch(client, run)


@remote_app.command(name="watch")
def remote_watch(run: RunName, url: Address = None, token: Token = None) -> None:
    """Watch a run until it has ended; the exit code says how."""
    with open_client(url, token) as client:
        _watch(client, run)


@remote_app.command(name="fetch")
def remote_fetch(
    run: RunName, url: Address = None, token: Token = None, out: Folder = None
) -> None:
    """Download the files and figures of a run."""
    folder = out or Path("runs") / run
    with open_client(url, token) as client:
        for path in client.fetch(run, folder):
            typer.echo(str(path))


def open_client(url: str | None, token: str | None) -> Client:
    """Opens a client.

    Raises:
        CosimError: If it is not installed, or if there is no token.
    """
    try:
        from tvb_nest_cosim.cosim_core.client import Client
    except ImportError as error:
        raise CosimError(
            f"a server needs the package {error.name}: {install_hint('client')}"
        ) from error
    return Client(url, token)


def _watch(client: Client, run: str) -> None:
    """Shows a run until it has ended, then leaves with an exit code that says how."""
    console = Console(stderr=True)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} windows"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with progress:
        task = progress.add_task(run, total=None)
        for event in client.events(run):
            if event.kind == "progress":
                progress.update(task, total=event.data["total"], completed=event.data["windows"])
            elif event.kind == "state":
                progress.update(task, description=event.data["state"])
            elif event.kind == "log" and event.data["level"] in ("warning", "error", "critical"):
                console.print(escape(f"{event.data['participant']}: {event.data['message']}"))
    _show_end(client.run(run))


def _show_end(run: RunAnswer) -> None:
    typer.echo(f"{run.state}: {run.cause}" if run.cause else run.state)
    for fault in run.faults:
        typer.echo(f"  {fault.path}: {fault.message}" if fault.path else fault.message)
    if run.digest:
        typer.echo(f"digest {run.digest}")
    raise typer.Exit(EXIT_CODES[run.state])
