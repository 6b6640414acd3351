"""An ensemble without simulators: the real coordinator, played to by quick puppets.

Everything that a server sees is real (messages, horizon, journals, results); only the numbers are
made up, those of ``results.synthetic_run``.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from results.synthetic_run import BLOCKS, POPULATIONS, Activity, labels
from tvb_nest_cosim.cosim_core.model.experiment.load import dump_yaml
from tvb_nest_cosim.cosim_core.model.plan import Built, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import Block
from tvb_nest_cosim.cosim_core.outcomes import EXIT_CODES
from tvb_nest_cosim.cosim_core.processes.host import Host
from tvb_nest_cosim.cosim_core.results import collect, complete, digest
from tvb_nest_cosim.cosim_core.run_dir.journal import JournalOwner, JournalWriter
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout, write_atomically
from tvb_nest_cosim.cosim_core.run_dir.plan_file import write_plan
from tvb_nest_cosim.cosim_core.run_dir.recorder import PHASES
from tvb_nest_cosim.cosim_core.wire.protocol import (
    Configure,
    Done,
    Hello,
    Progress,
    Ready,
    Start,
    Stop,
)
from tvb_nest_cosim.orchestrator.launchers.base import Launcher
from tvb_nest_cosim.orchestrator.launchers.local import LocalLauncher
from tvb_nest_cosim.orchestrator.planning.plan import Planned
from tvb_nest_cosim.orchestrator.run.control import RunControl
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.run.peers import Send
from tvb_nest_cosim.orchestrator.run.runner import Finished
from tvb_nest_cosim.orchestrator.run.validation import with_own_connectome

TINY: dict[str, Any] = {
    "name": "tiny",
    "duration_ms": 20.0,
    "adex": {"neurons": 100},
    "tvb": {"monitors": [{"name": "TemporalAverage", "period_ms": 1.0}]},
    "spiking": [{"regions": ["rHC", "lHC"]}],
}


@dataclass
class FakeEnsemble(LocalLauncher):
    """Carries out runs by name of the experiment: what is not named in ``acts`` just finishes.

    Attributes:
        pace_s: Wall time of a window.
        acts: What to do before a run of that name, e.g. raise an error.
        ends: What to do between its last window and its results.
        silent: Regions that never fire.
        started: Identities of runs that were begun, in order.
    """

    pace_s: float = 0.0
    acts: dict[str, Callable[[], None]] = field(default_factory=dict)
    ends: dict[str, Callable[[], None]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    started: list[str] = field(default_factory=list)

    def hosts(self, *, is_busy: bool) -> list[tuple[Host, bool]]:
        return [(Host("nest", "here", {"nest": "0"}, 1, 1, False), is_busy)]

    def run(
        self,
        planned: Planned,
        *,
        observe: Callable[[Coordinator], None],
        control: RunControl,
        tell: Callable[[str], None],
        command: list[str],
        launcher: Launcher,
    ) -> Finished:
        plan = planned.plan
        self.started.append(plan.run)
        self.acts.get(plan.experiment.name, lambda: None)()
        layout = RunLayout(Path(plan.run_dir))
        layout.make()
        plan = with_own_connectome(plan, layout)
        write_atomically(layout.experiment, dump_yaml(plan.experiment).encode())
        write_plan(layout.root, plan, Built())
        tell("Building the simulators")
        puppets = Puppets(plan, layout, self.pace_s)
        for region in self.silent:
            puppets.activity.spikes[region] = puppets.activity.spikes[region][:0]
        puppets.play(observe, control)
        self.ends.get(plan.experiment.name, lambda: None)()
        return puppets.finish()


def built(plan: RunPlan) -> Built:
    return Built.model_validate(
        {
            "populations": {region.name: POPULATIONS for region in plan.regions},
            "monitors": {
                "TemporalAverage": {
                    "variables": ["E", "I"], "nodes": list(labels()), "period_ms": 1.0,
                }
            },
        }
    )  # fmt: skip


class Puppets:
    """The participants of one run, all in one thread."""

    def __init__(self, plan: RunPlan, layout: RunLayout, pace_s: float) -> None:
        self.plan, self.layout, self.pace_s = plan, layout, pace_s
        self.coordinator = Coordinator(plan, "nowhere", time.monotonic())
        self.activity = Activity.make(plan.total_ticks)
        spiking = {region.name for region in plan.regions}
        self.activity.spikes = {k: v for k, v in self.activity.spikes.items() if k in spiking}
        self.before = plan.grid.window_count
        self.windows = 0

    def owner(self, role: str) -> JournalOwner:
        return JournalOwner(self.plan.run, role, 0)

    def hear(self, message: Any) -> None:
        for name in self.coordinator.peers:
            self.take(self.coordinator.hear(name, message(name), time.monotonic()))

    def take(self, sends: list[Send]) -> None:
        for _, message in sends:
            if isinstance(message, Stop):
                self.before = message.before
            assert not isinstance(message, Configure) or message.plan
            assert not isinstance(message, Start) or message.horizon == 0

    def play(self, observe: Callable[[Coordinator], None], control: RunControl) -> None:
        def hello(name: str) -> Hello:
            role, rank = name.rsplit("-", 1)
            return Hello.model_validate(
                {
                    "run": self.plan.run, "digest": self.plan.experiment_digest,
                    "role": role, "rank": int(rank), "host": "here", "pid": 1,
                }
            )  # fmt: skip

        self.hear(hello)
        facts = built(self.plan).model_dump(mode="json")
        self.hear(lambda name: Ready(built=facts))
        self.hear(lambda name: Progress(windows=0))
        with ExitStack() as files:
            journals = {
                role: files.enter_context(
                    JournalWriter(self.layout.journal(role, 0), self.owner(role))
                )
                for role in self.plan.participants
            }
            log = files.enter_context((self.layout.logs / "nest-0.jsonl").open("w"))
            while self.coordinator.outcome is None:
                for command in control.taken():
                    self.take(command(self.coordinator, time.monotonic()))
                if self.coordinator.outcome is None:
                    self.advance(journals, log)
                observe(self.coordinator)
                time.sleep(self.pace_s or 0.001)

    def advance(self, journals: dict[str, JournalWriter], log: Any) -> None:
        done = min(self.coordinator.horizon, self.before)
        if self.windows < done:
            window = self.plan.grid.window(self.windows)
            for role, journal in journals.items():
                for block in BLOCKS[role](self.activity, [window], 0, 1):
                    journal.append(block)
            line = {
                "time": f"2026-01-01T00:00:{self.windows:06.3f}", "level": "info",
                "participant": "nest-0", "run": self.plan.run, "message": f"w{self.windows}",
            }  # fmt: skip
            log.write(json.dumps(line) + "\n")
            log.flush()
            self.windows += 1
        if self.windows == self.before:
            self.hear(lambda name: Done(windows=self.windows))
        else:
            self.hear(lambda name: Progress(windows=self.windows))

    def finish(self) -> Finished:
        outcome, layout = self.coordinator.outcome, self.layout
        assert outcome is not None
        for role in self.plan.participants:
            with JournalWriter(layout.timing_journal(role, 0), self.owner(role)) as timing:
                columns = len(PHASES)
                phases = self.activity.input_hz["rHC"][: columns * self.windows]
                phases = phases.reshape(-1, columns)
                timing.append(Block(f"{role}.timing", 0, 0, {"phases": phases.copy()}))
        write_plan(layout.root, self.plan, self.coordinator.built())
        found = digest(layout.root)
        provenance = {
            "outcome": outcome.kind, "experiment_digest": self.plan.experiment_digest,
            "build_s": 0.1, "wall_s": 0.5, "windows_done": self.windows, "warnings": [],
        }  # fmt: skip
        write_atomically(layout.provenance, json.dumps(provenance).encode())
        write_atomically(layout.report, b"<!doctype html><title>report</title>")
        write_atomically(layout.figures / "rates.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>")
        complete(layout.root, make=collect)
        return Finished(layout.root, outcome, EXIT_CODES[outcome.kind], found, layout.report)


class Gate:
    """Something a run waits at until the test lets it through."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.reached = threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self._open.wait(30), "the test never opened the gate"

    def open(self) -> None:
        self._open.set()

    @property
    def is_open(self) -> bool:
        return self._open.is_set()
