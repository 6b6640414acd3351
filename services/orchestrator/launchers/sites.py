"""Where a run takes place: what starts its processes, and where its sockets are.

A *place* is chosen once and serves run after run; each run gets a *site* there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from tvb_nest_cosim.cosim_core.errors import ExperimentError, ParticipantLost, SecurityError
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.participant.service import advertised
from tvb_nest_cosim.cosim_core.processes.mpi import Starter, find_starter
from tvb_nest_cosim.cosim_core.processes.process_group import Exit
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.wire.security import Keys, load_keys, new_keys
from tvb_nest_cosim.cosim_core.wire.transport import Transport
from tvb_nest_cosim.cosim_core.wire.zmq_transport import ZmqTransport
from tvb_nest_cosim.orchestrator.launchers.agent_hub import AgentHub
from tvb_nest_cosim.orchestrator.launchers.agents import AttachLauncher
from tvb_nest_cosim.orchestrator.launchers.endpoints import (
    control_endpoint,
    data_endpoint,
    make_socket_folder,
)
from tvb_nest_cosim.orchestrator.launchers.job import JobLauncher
from tvb_nest_cosim.orchestrator.launchers.local import LocalLauncher

EVERYWHERE = "tcp://0.0.0.0:*"
"""Every interface, a port that the system chooses."""


class Launcher(Protocol):
    """Starts, watches and ends the participants of one run."""

    def start(self, control: str, run: str, digest: str) -> None:
        """Starts every participant; raises ExperimentError if that is not possible."""

    def poll(self) -> list[Exit]:
        """Returns the processes that ended since the last call, causes before consequences."""

    def stop(self, grace_s: float) -> None:
        """Waits ``grace_s`` for the processes to leave, then makes them."""


@dataclass(frozen=True)
class Site:
    """Where one run takes place.

    Attributes:
        launcher: Starts its processes.
        transport: Makes the orchestrator's sockets; closed with the site.
        control_endpoint: Where the orchestrator binds.
        data_endpoint: Where the translator binds.
        cleared: Called last, to clear up.
    """

    launcher: Launcher
    transport: Transport
    control_endpoint: str
    data_endpoint: str
    cleared: Callable[[], None] = lambda: None

    def close(self) -> None:
        """Closes the sockets and clears up; processes have been ended before."""
        self.transport.close()
        self.cleared()


OpenSite = Callable[[RunPlan], Site]
"""Makes the site of a run."""


@dataclass(frozen=True)
class Place:
    """Where runs take place.

    Attributes:
        is_here: Whether this machine must offer what a run needs.
        open_site: Makes the site of a run.
    """

    is_here: bool
    open_site: OpenSite


def local_site(plan: RunPlan) -> Site:
    """Opens a site on this machine: child processes, and sockets in a private folder."""
    folder = make_socket_folder()
    layout = RunLayout(Path(plan.run_dir))
    starter = find_starter() if plan.ranks_per_kernel > 1 else None
    return Site(
        LocalLauncher(layout, plan.participants, starter, plan.nest_kernels),
        ZmqTransport(),
        control_endpoint(folder),
        data_endpoint(folder),
        lambda: shutil.rmtree(folder, ignore_errors=True),
    )


HERE = Place(is_here=True, open_site=local_site)
"""This machine."""


def _nowhere(plan: RunPlan) -> Site:
    raise AssertionError("a run that is submitted does not take place here")


ELSEWHERE = Place(is_here=False, open_site=_nowhere)
"""Nodes that are not known yet."""


def job_place(folder: Path, interface: str | None, starter: Starter) -> Place:
    """Makes the place of a run within a batch job; the job's script starts the processes.

    Args:
        folder: Where the script and this process meet.
        interface: Network interface of the sockets; None: every interface, and the name of the
            host.
        starter: What starts NEST's ranks.
    """
    (folder / "orchestrator.pid").write_text(f"{os.getpid()}\n")
    endpoint = f"tcp://{interface}:*" if interface is not None else EVERYWHERE
    return Place(is_here=False, open_site=partial(_job_site, folder, endpoint, starter))


def _job_site(folder: Path, endpoint: str, starter: Starter, plan: RunPlan) -> Site:
    """Opens a site with keys of its own, which lie in the run directory as long as it is open."""
    layout = RunLayout(Path(plan.run_dir))
    new_keys(layout.keys)
    return Site(
        JobLauncher(folder, layout, plan.participants, starter, plan.nest_kernels),
        ZmqTransport(load_keys(layout.keys, "orchestrator")),
        endpoint,
        endpoint,
        lambda: shutil.rmtree(layout.keys),
    )


def listen_to_agents(endpoint: str, key_folder: Path | None) -> tuple[AgentHub, Place]:
    """Listens to agents, which start the processes of runs.

    Args:
        endpoint: Where agents connect, ``tcp://ADDRESS:PORT``.
        key_folder: Folder of keys; none: agents must be on this machine.

    Returns:
        What listens, to be closed, and the place that the agents make.

    Raises:
        ExperimentError: If the endpoint cannot be listened at.
        SecurityError: If the keys cannot be used.
    """
    keys = load_keys(key_folder, "orchestrator") if key_folder is not None else None
    transport = ZmqTransport(keys)
    try:
        hub = AgentHub(transport, endpoint)
    except (ParticipantLost, SecurityError) as error:
        transport.close()
        raise ExperimentError.single("--orchestrator", str(error)) from error
    return hub, Place(is_here=False, open_site=partial(attached_site, hub, keys))


def attached_site(hub: AgentHub, keys: Keys | None, plan: RunPlan) -> Site:
    """Opens a site whose processes agents start, here or elsewhere.

    With keys, sockets are bound on every interface; without, on loopback alone.
    """
    endpoint = EVERYWHERE if keys is not None else "tcp://127.0.0.1:*"
    return Site(
        AttachLauncher(hub, plan.participants, plan.run_dir, plan.nest_kernels),
        ZmqTransport(keys),
        endpoint,
        endpoint,
    )


def reachable(endpoint: str) -> str:
    """Returns how other hosts reach a socket of this one."""
    return advertised(endpoint, os.environ)
