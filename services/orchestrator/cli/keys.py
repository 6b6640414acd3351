"""``cosim keys``: the keys of an ensemble that spans machines or containers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

keys_app = typer.Typer(help="Keys for sockets beyond one machine.", no_args_is_help=True)


@keys_app.callback()
def _group() -> None:
    """Keeps ``new`` a command of its own, though it is the only one."""


@keys_app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Folder to make them in.")],
    deal: Annotated[
        bool,
        typer.Option(
            "--deal",
            help="A folder per role, each with its own secret and the public keys of all; "
            "keys that are there already are kept.",
        ),
    ] = False,
) -> None:
    """Make a pair of keys for the orchestrator and for each kind of agent.

    Every machine needs the public keys of all and its own secret; COSIM_KEYS names the folder.
    """
    from tvb_nest_cosim.cosim_core.wire.keys import deal_keys, new_keys

    if not deal:
        for path in new_keys(folder):
            typer.echo(path)
    elif deal_keys(folder):
        typer.echo(f"made keys in {folder}, a folder per role")
    else:
        typer.echo(f"kept the keys in {folder}")
