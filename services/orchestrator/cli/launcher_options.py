"""Options of the command line that say where the processes of a run come from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.processes.mpi import STARTERS
from tvb_nest_cosim.orchestrator.slurm.options import JobChoice

if TYPE_CHECKING:
    from tvb_nest_cosim.orchestrator.launchers.base import Launcher

PANEL = "Agents (--launcher agents)"
"""Heading under which ``--help`` lists the options that are about agents."""

_HELP = (
    "local: processes of this machine. agents: agents start them, which connect to --orchestrator."
)
LauncherName = Annotated[Literal["local", "agents"], typer.Option(help=_HELP)]
RunLauncherName = Annotated[
    Literal["local", "agents", "slurm"], typer.Option(help=f"{_HELP} slurm: submit a batch job.")
]
Endpoint = Annotated[
    str | None,
    typer.Option(
        "--orchestrator",
        metavar="ENDPOINT",
        help="agents: where they connect, e.g. tcp://127.0.0.1:5560.",
        rich_help_panel=PANEL,
    ),
]
KeyFolder = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        envvar="COSIM_KEYS",
        help="agents: folder of keys, for agents beyond this host.",
        rich_help_panel=PANEL,
    ),
]
JobFolder = Annotated[Path | None, typer.Option("--job-folder", envvar="COSIM_JOB", hidden=True)]
"""Set by the batch scripts that ``--launcher slurm`` writes, for the orchestrator they start."""


@dataclass(frozen=True)
class LauncherChoice:
    """The options that the user gave.

    Attributes:
        name: ``local``, ``agents`` or ``slurm``.
        endpoint: Where agents connect.
        key_folder: Folder of keys.
        job: Options of batch jobs.
        job_folder: Where this process meets the batch script that has started it, if one has.
    """

    name: str
    endpoint: str | None
    key_folder: Path | None
    job: JobChoice = field(default_factory=JobChoice)
    job_folder: Path | None = None


@contextmanager
def opened_launcher(choice: LauncherChoice) -> Iterator[Launcher]:
    """Opens the launcher that the user chose.

    Raises:
        ExperimentError: If the options contradict each other or the launcher cannot be opened.
        SecurityError: If the keys cannot be used.
    """
    with closing(_make(choice)) as launcher:
        yield launcher


def _make(choice: LauncherChoice) -> Launcher:
    # The options stand in every help text, which need not wait for sockets.
    from tvb_nest_cosim.orchestrator.launchers.agents import AgentsLauncher
    from tvb_nest_cosim.orchestrator.launchers.job import JobLauncher
    from tvb_nest_cosim.orchestrator.launchers.local import LOCAL
    from tvb_nest_cosim.orchestrator.run.control import ignore_time_limit

    if choice.job_folder is not None:
        ignore_time_limit()
        return JobLauncher(choice.job_folder, choice.job.interface, STARTERS[choice.job.mpi])
    if faults := choice.job.faults():
        raise ExperimentError(faults)
    if choice.name == "local":
        if choice.endpoint is not None:
            raise _error("is for agents; add --launcher agents, or leave it out")
        return LOCAL
    if choice.endpoint is None:
        raise _error("missing: where agents connect, e.g. tcp://127.0.0.1:5560")
    return AgentsLauncher(choice.endpoint, choice.key_folder)


def _error(message: str) -> ExperimentError:
    return ExperimentError.single("--orchestrator", message)
