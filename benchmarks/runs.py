"""Runs as a user has them, real processes and real sockets, of which only the windows count.

What comes after the last window, results and report, is left out; the journals are there.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil

from tvb_nest_cosim.cosim_core.model.experiment import load_experiment
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.processes.commands import (
    module_command,
    worker_command,
    worker_environment,
)
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.plan_file import write_plan
from tvb_nest_cosim.cosim_core.run_dir.recorder import PHASES
from tvb_nest_cosim.cosim_core.run_dir.records import RunRecords
from tvb_nest_cosim.cosim_core.wire.protocol import LAUNCH_ORDER, peer_name
from tvb_nest_cosim.orchestrator.launchers.base import programs_by_role
from tvb_nest_cosim.orchestrator.launchers.endpoints import make_socket_folder
from tvb_nest_cosim.orchestrator.launchers.local import LOCAL, LocalProcesses
from tvb_nest_cosim.orchestrator.planning.plan import plan_run
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.run.session import Session

Reals = npt.NDArray[np.float64]

ROOT = Path(__file__).parents[1]
QUICKSTART = ROOT / "examples" / "quickstart.yaml"
PARTNERS = 200
"""Excitatory and inhibitory neurons that project to a neuron of the quickstart."""

REGIONS = (
    "rPCI", "rPFCPOL", "rV1", "lPFCPOL", "lV2", "lV1", "lPCI", "rPCIP", "lPCIP", "rFEF",
    "rPFCDL", "rV2", "lPCS", "rM1", "lFEF", "lPFCDL", "rPFCORB", "lS1", "lM1", "rS1",
)  # fmt: skip
"""Regions of the quickstart's brain whose shortest tracts are long, so that windows may be."""

PARTICIPANTS = tuple(peer_name(role, 0) for role in LAUNCH_ORDER)
"""Processes of a run with one rank of each."""

ORCHESTRATOR = "orchestrator"
"""This process, which conducts the run."""


@dataclass(frozen=True)
class Look:
    """What was seen of a run at one moment.

    Attributes:
        windows: Windows that every participant had told to be complete.
        at_s: When, on a steady clock.
        processor_s: Processor time of every process up to then, in s.
        resident_bytes: Resident memory of every process.
    """

    windows: int
    at_s: float
    processor_s: Mapping[str, float]
    resident_bytes: Mapping[str, int]


@dataclass(frozen=True)
class Ran:
    """A run that has finished.

    Attributes:
        root: Its run directory: plan, journals and logs.
        windows: Number of its windows.
        looks: From the moment that the first window was opened until all had kept the last.
    """

    root: Path
    windows: int
    looks: Sequence[Look]

    @property
    def wall_s(self) -> float:
        """Wall time of all windows in s."""
        return self.looks[-1].at_s - self.looks[0].at_s

    def processor_s(self, process: str) -> float:
        """Returns the processor time of a process during all windows, in s."""
        return self.looks[-1].processor_s[process] - self.looks[0].processor_s[process]

    def phases(self) -> dict[str, dict[str, Reals]]:
        """Returns the run's own timing: seconds of every window by process and phase."""
        records = RunRecords.open(self.root)
        return {
            peer_name(role, rank): dict(
                zip(PHASES, np.array([row for _, row in records.phases(role, rank)]).T, strict=True)
            )
            for role, ranks in records.plan.participants.items()
            for rank in range(ranks)
        }


def sized(neurons: int, duration_ms: int) -> list[str]:
    """Returns what gives the quickstart networks of a size and windows of 2 ms.

    Each neuron has as many partners as in the quickstart.
    """
    return [
        f"adex.neurons={neurons}", f"adex.p_connect={PARTNERS / neurons}",
        f"duration_ms={duration_ms}", "window.length_ms=2",
    ]  # fmt: skip


def work(phases: Mapping[str, Reals]) -> Reals:
    """Returns what a process did in every window besides waiting, in s."""
    took_s: Reals = np.sum([took_s for phase, took_s in phases.items() if phase != "wait"], axis=0)
    return took_s


def run(
    example: Path,
    changes: Sequence[str],
    root: Path,
    *,
    through: Sequence[str] = (),
    look_every_s: float = 0.05,
) -> Ran:
    """Carries out an experiment up to its last window.

    Args:
        example: The experiment's file.
        changes: What to change in it, ``key.path=value``.
        root: Run directory to make; one that is there already is replaced.
        through: Module (and arguments) that starts the services in their place, given their
            module and arguments.
        look_every_s: Time between two looks at the processes; the first and the last are exact.

    Raises:
        RuntimeError: If it does not finish.
    """
    shutil.rmtree(root, ignore_errors=True)
    plan = plan_run(load_experiment(example, changes), example.parent, root).plan
    layout = RunLayout(root)
    layout.make()
    processes = _Processes(plan, through) if through else LOCAL.open(plan)
    watch = _Watch(look_every_s)
    session = Session(plan, processes, observe=watch)
    outcome, _ = session.run()
    if outcome.kind != "finished":
        told = [outcome.cause, outcome.detail, *map(str, outcome.faults)]
        raise RuntimeError(f"{root} {outcome.kind}: {' '.join(told)}")
    write_plan(layout.root, plan, session.coordinator.built())
    return Ran(root, plan.grid.window_count, watch.looks)


@dataclass
class _Watch:
    """Looks at the processes from the first window to the last, told about twenty times a second.

    It is told at once when the windows open and when the last participant is done.
    """

    every_s: float
    looks: list[Look] = field(default_factory=list)
    _processes: dict[str, psutil.Process] = field(default_factory=dict)

    def __call__(self, coordinator: Coordinator) -> None:
        now_s = time.perf_counter()
        if not self.looks:
            if coordinator.is_running:
                named = {name: psutil.Process(peer.pid) for name, peer in coordinator.peers.items()}
                self._processes = {ORCHESTRATOR: psutil.Process(), **named}
                self._look(coordinator, now_s)
        elif coordinator.outcome is not None or now_s - self.looks[-1].at_s >= self.every_s:
            self._look(coordinator, now_s)

    def _look(self, coordinator: Coordinator, now_s: float) -> None:
        # Who has left keeps what it had.
        processor_s = dict(self.looks[-1].processor_s) if self.looks else {}
        resident = dict(self.looks[-1].resident_bytes) if self.looks else {}
        for name, process in self._processes.items():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                processor_s[name] = max(processor_s.get(name, 0.0), times.user + times.system)
                if bytes_now := process.memory_info().rss:
                    resident[name] = bytes_now
        self.looks.append(Look(coordinator.windows, now_s, processor_s, resident))


class _Processes(LocalProcesses):
    """Participants of this machine, started through another module."""

    def __init__(self, plan: RunPlan, through: Sequence[str]) -> None:
        super().__init__(plan, make_socket_folder())
        self._through = through

    def start(self, control: str) -> None:
        """Starts every participant."""
        plan = self.plan
        for role, programs in programs_by_role(plan).items():
            command = worker_command(role, control, plan.run, plan.experiment_digest)
            service = command[command.index("-m") + 1 :]
            environment = {**worker_environment(role), "PYTHONPATH": _search_path()}
            self._group.start_programs(
                programs,
                module_command(*self._through, *service),
                self.layout.logs,
                environment,
                None,
            )


def _search_path() -> str:
    """Returns where workers find this folder's modules, besides what this process finds."""
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
