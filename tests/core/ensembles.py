"""Small ensembles for tests: a plan, two simulators that answer each other, and their conductor.

The simulators compute, tick by tick and far from any window,

    a(s) = sin(s) + b(s - DELAY) / 2        ("tvb")
    b(s) = cos(s) + 2 a(s - DELAY) / 4      ("nest", the translator doubles what it gets)

with zeros before the run, so that every window length, lag and lead must give the same numbers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.errors import CosimError, ParticipantLost, StopRequested
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.model.plan import Built, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import EDGES
from tvb_nest_cosim.cosim_core.model.timegrid import ms_of
from tvb_nest_cosim.cosim_core.participant.link import Identity, Link
from tvb_nest_cosim.cosim_core.participant.window_loop import run_windows
from tvb_nest_cosim.cosim_core.participant.work import (
    _report_error,
    run_translator,
    work_and_record,
)
from tvb_nest_cosim.cosim_core.run_dir.journal import read_journal
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.wire.codec import decode_message, encode_message
from tvb_nest_cosim.cosim_core.wire.protocol import peer_name
from tvb_nest_cosim.cosim_core.wire.transport import Transport
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.run.peers import Outcome

DELAY = 40
POPULATIONS = {"rHC": {"excitatory": 8, "inhibitory": 2}}
DIGEST = "d" * 64


def make_plan(run_dir: Path, **changes: Any) -> RunPlan:
    """Makes the plan of 95 ticks in windows of 10, of three processes."""
    values: dict[str, Any] = {
        "run": "run-1",
        "run_dir": str(run_dir),
        "base_dir": str(run_dir.parent),
        "experiment": Experiment(),
        "experiment_digest": DIGEST,
        "participants": {"tvb": 1, "nest": 1, "translator": 1},
        "edges": list(EDGES),
        "total_ticks": 95,
        "window_ticks": 10,
        "lookahead": 1,
        "connectome_path": "none.zip",
        "regions": [],
        "tracts": [],
        "tvb_parameters": {},
        "has_proxies": False,
        **changes,
    }
    duration_ms = ms_of(values["total_ticks"], values["experiment"].dt_ms)
    experiment = values["experiment"].model_copy(update={"duration_ms": duration_ms})
    return RunPlan(**{**values, "experiment": experiment})


def expected(total_ticks: int) -> dict[str, np.ndarray]:
    """Computes both series in one go, without windows; index s - 1 is tick s."""
    a, b = np.zeros(total_ticks + 1), np.zeros(total_ticks + 1)
    for s in range(1, total_ticks + 1):
        before = max(0, s - DELAY)
        a[s] = np.sin(s) + b[before] / 2
        b[s] = np.cos(s) + 2 * a[before] / 4
    return {"tvb": a[1:], "nest": b[1:]}


class Echo:
    """One of the two simulators; rank r of n adds 1/n of the series, so that ranks sum up."""

    def __init__(self, role: str, lag: int, lead: int = 0, ranks: int = 1) -> None:
        self.in_edge: str | None = f"translator>{role}"
        self.out_edge: str | None = f"{role}>translator"
        self.lag, self.lead, self._ranks = lag, lead, ranks
        self._own, self._factor = (np.sin, 0.5) if role == "tvb" else (np.cos, 0.25)
        self._received = np.zeros(0)
        self.calls: list[tuple[str, int]] = []
        self.closed = False

    def build(self, plan, rank, record):
        self._grid, self._record = plan.grid, record
        return Built(populations=POPULATIONS if self.in_edge == "translator>nest" else {})

    def start(self, populations):
        assert populations == POPULATIONS

    def prologue(self, window):
        self.calls.append(("prologue", window.index))
        return self._series(window)

    def absorb(self, window, arrays):
        self.calls.append(("absorb", window.index))
        assert arrays["x"].shape == (window.ticks,)
        assert len(self._received) == window.start
        self._received = np.concatenate([self._received, arrays["x"]])

    def advance(self, window):
        self.calls.append(("advance", window.index))

    def read(self, window):
        self._record(window, {"x": self._series(window)["x"] * self._ranks})
        target = window.index + self.lead
        return self._series(self._grid.window(target)) if target < self._grid.window_count else {}

    def finish(self):
        self.calls.append(("finish", len(self._received)))

    def close(self):
        self.closed = True

    def _series(self, window):
        ticks = np.arange(window.start + 1, window.stop + 1)
        before = np.concatenate([[0.0], self._received])[np.maximum(0, ticks - DELAY)]
        return {"x": (self._own(ticks) + self._factor * before) / self._ranks}


class Doubling:
    """The translation: doubles on the way to NEST, adds up ranks on the way to TVB."""

    def __init__(self, plan):
        self.windows: dict[str, list[int]] = {"drive": [], "rates": []}

    def build(self, record):
        return Built()

    def start(self, populations):
        assert populations == POPULATIONS

    def drive(self, window, coupling):
        self.windows["drive"].append(window.index)
        return {"x": 2 * coupling["x"]}

    def rates(self, window, ranks):
        self.windows["rates"].append(window.index)
        return {"x": np.sum([arrays["x"] for arrays in ranks], axis=0)}

    def coupling_of(self, window):
        raise AssertionError("nobody stands in for TVB here")

    def rates_of(self, window):
        raise AssertionError("nobody stands in for NEST here")


def recorded(run_dir: Path, role: str, rank: int = 0) -> np.ndarray:
    """Reads what a simulator has recorded."""
    blocks = [b for b in read_journal(RunLayout(run_dir).journal(role, rank)) if ".r" in b.edge]
    assert [block.window for block in blocks] == list(range(len(blocks)))
    return np.concatenate([block.arrays["x"] for block in blocks] or [np.zeros(0)])


class Vanish(BaseException):
    """Raised by a simulator whose process shall vanish without a word."""


class Conductor:
    """Conducts participants in threads, by the real coordinator, over any transport.

    Args:
        plan: The plan; its run directory is made.
        make_transport: Makes the transport of one process.
        control: Where to bind the control plane.
        data: Where the translator shall bind.
        simulators: Makes the simulator of a role and rank.
    """

    def __init__(
        self,
        plan: RunPlan,
        make_transport: Callable[[], Transport],
        control: str,
        data: str,
        simulators: Mapping[str, Callable[[int], Any]],
    ) -> None:
        RunLayout(Path(plan.run_dir)).make()
        self.plan = plan
        self.coordinator = Coordinator(plan, data, time.monotonic())
        self.ended: dict[str, str] = {}
        self._make_transport, self._simulators = make_transport, simulators
        self._transport = make_transport()
        self._control = self._transport.bind(control)
        self._vanished: list[str] = []

    def run(self, script: Callable[[Conductor], None] = lambda conductor: None) -> Outcome:
        """Runs to the end; the script is called again and again meanwhile."""
        threads = [
            threading.Thread(target=self._participate, args=(role, rank), name=f"{role}-{rank}")
            for role, ranks in self.plan.participants.items()
            for rank in range(ranks)
        ]
        for thread in threads:
            thread.start()
        try:
            self._conduct(script)
        finally:
            for thread in threads:
                thread.join(30)
            self._control.close()
            self._transport.close()
        assert self.coordinator.outcome is not None
        return self.coordinator.outcome

    def send(self, sends):
        for name, message in sends:
            with suppress(ParticipantLost):
                self._control.send(encode_message(message), name)

    def _conduct(self, script):
        deadline = Deadline.after(60)
        while self.coordinator.outcome is None and not deadline.passed():
            self._transport.wait([self._control], 0.02)
            while (received := self._control.receive()) is not None:
                message = decode_message(received[1], received[0])
                self.send(self.coordinator.hear(received[0], message, time.monotonic()))
            while self._vanished:
                how = "was killed by signal 9 (SIGKILL)"
                name = self._vanished.pop()
                self.send(self.coordinator.lose([name], how, now_s=time.monotonic()))
            self.send(self.coordinator.tick(time.monotonic()))
            script(self)
        self.send(self.coordinator.abort("the test took too long"))

    def _participate(self, role, rank):
        transport = self._make_transport()
        who = Identity(role, rank, self.plan.run, self.plan.experiment_digest)
        link = Link(transport, self._control.endpoint, who)

        def work(link, plan, recorder, endpoint):
            if role == "translator":
                run_translator(Doubling, link, plan, recorder, endpoint)
                return
            simulator = self._simulators[role](rank)
            try:
                link.ready(simulator.build(plan, rank, recorder.record), None)
                run_windows(simulator, link, plan, recorder, link.await_start())
            finally:
                simulator.close()

        name = peer_name(role, rank)
        try:
            work_and_record(link, *link.greet(20.0), work)
            link.bye()
            self.ended[name] = "done"
        except (StopRequested, ParticipantLost) as error:
            self.ended[name] = type(error).__name__
        except CosimError as error:
            self.ended[name] = str(error)
            _report_error(link, error)
        except Exception as error:
            self.ended[name] = repr(error)
            link.fail(f"unexpected {error!r}")
        except Vanish:
            self._vanished.append(name)
        finally:
            if transport is not self._transport:
                transport.close()
