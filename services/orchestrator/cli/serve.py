"""``cosim serve``: its options. What it starts is imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tvb_nest_cosim.cosim_core.errors import CosimError, install_hint


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 lets the system choose.")] = 8642,
    data: Annotated[
        Path,
        typer.Option(envvar="COSIM_HOME", help="Folder of runs, database and token."),
    ] = Path("cosim-data"),
    database: Annotated[
        str | None,
        typer.Option(
            envvar="COSIM_DATABASE",
            help="Database, e.g. postgresql://user:password@host/name; default: SQLite in --data.",
        ),
    ] = None,
    agents: Annotated[
        str | None,
        typer.Option(
            envvar="COSIM_AGENTS",
            help="Where agents connect, e.g. tcp://0.0.0.0:8643; default: simulators are "
            "processes of this machine.",
        ),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(envvar="COSIM_KEYS", help="Folder of keys, for agents beyond this machine."),
    ] = None,
    nest_ranks: Annotated[
        int,
        typer.Option(
            envvar="COSIM_NEST_RANKS",
            min=1,
            help="MPI ranks of NEST for experiments that say nothing of resources.nest.",
        ),
    ] = 1,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Further name by which the server may be called; may be repeated."),
    ] = None,
    new_token: Annotated[
        bool, typer.Option("--new-token", help="Make a new token; the old one ends.")
    ] = False,
) -> None:
    """Serve runs over REST, with a page to watch them; prints the address to open."""
    try:
        from tvb_nest_cosim.orchestrator.server.process import serve as serve_until_ended
        from tvb_nest_cosim.orchestrator.server.settings import from_environment
    except ImportError as error:
        raise CosimError(
            f"'cosim serve' needs the package {error.name}: {install_hint('service')}"
        ) from error
    settings = from_environment(
        data,
        host=host,
        port=port,
        database=database,
        agents=agents,
        keys=keys,
        nest_ranks=nest_ranks,
        allowed_hosts=tuple(allow_host or ()),
    )
    console = Console(highlight=False, soft_wrap=True)

    def tell(address: str) -> None:
        console.print(
            f"Open this address; it holds the token, so keep it to yourself:\n  {address}"
        )

    serve_until_ended(settings, new_token=new_token, tell=tell)
