"""Where the commands of the command line let runs take place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.orchestrator.slurm.options import JobChoice, place_in_job

if TYPE_CHECKING:
    from tvb_nest_cosim.orchestrator.launchers.sites import Place

Launcher = Annotated[
    Literal["local", "attach"],
    typer.Option(
        help="local: processes of this machine. attach: agents start them, which connect to "
        "--orchestrator."
    ),
]
RunLauncher = Annotated[
    Literal["local", "attach", "slurm", "job"],
    typer.Option(
        help="local: processes of this machine. attach: agents start them, which connect to "
        "--orchestrator. slurm: submit a batch job. job: what that job says on its node."
    ),
]
PANEL = "Agents (--orchestrator)"
"""Heading under which ``--help`` lists the options that are about agents."""

Endpoint = Annotated[
    str | None,
    typer.Option(
        "--orchestrator",
        metavar="ENDPOINT",
        help="attach: where agents connect, e.g. tcp://127.0.0.1:5560.",
        rich_help_panel=PANEL,
    ),
]
KeyFolder = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        envvar="COSIM_KEYS",
        help="attach: folder of keys, for agents beyond this host.",
        rich_help_panel=PANEL,
    ),
]


@dataclass(frozen=True)
class Choice:
    """What the user said about the place.

    Attributes:
        launcher: ``local`` or ``attach``.
        endpoint: Where agents connect.
        key_folder: Folder of keys.
        job: What was said about batch jobs.
    """

    launcher: str
    endpoint: str | None
    key_folder: Path | None
    job: JobChoice = field(default_factory=JobChoice)


@contextmanager
def place_of(choice: Choice) -> Iterator[Place]:
    """Opens the place that the user chose.

    Raises:
        ExperimentError: If the choice makes no sense or cannot be had.
        SecurityError: If the keys cannot be used.
    """
    # The options stand in every help text, which need not wait for sockets.
    from tvb_nest_cosim.orchestrator.launchers.sites import HERE, listen_to_agents

    if choice.launcher == "job":
        yield place_in_job(choice.job)
        return
    if faults := choice.job.faults():
        raise ExperimentError(faults)
    if choice.launcher == "local":
        if choice.endpoint is not None:
            raise _fault("is for agents; add --launcher attach, or leave it out")
        yield HERE
        return
    if choice.endpoint is None:
        raise _fault("missing: where agents connect, e.g. tcp://127.0.0.1:5560")
    hub, place = listen_to_agents(choice.endpoint, choice.key_folder)
    try:
        yield place
    finally:
        hub.close()


def _fault(message: str) -> ExperimentError:
    return ExperimentError([Fault("--orchestrator", message)])
