"""The soak itself: rounds of a few runs and one fault each, and a judgement after each."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from benchmarks.servers import until
from benchmarks.soak.damage import PATHS
from benchmarks.soak.deployment import SERVER, run_cosim
from benchmarks.soak.faults import NOTHING, Fault
from benchmarks.soak.history import why_incomplete
from benchmarks.soak.reading import read
from benchmarks.soak.resources import Watch
from benchmarks.soak.runs import KINDS, LONG, TEXT
from benchmarks.soak.scene import NothingToBreak, Scene
from benchmarks.soak.some_undrawn import DRAWN
from tvb_nest_cosim.cosim_core.client import Client, ServerRefusal
from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.errors import CosimError
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES

RUNS_AT_ONCE = 3
KEPT = 10
"""Runs whose directories stay, so that there is something to damage."""

STALL_S = 150.0
"""Longest time without a change of any run's state; a busy machine takes long for a report."""

DRAWN_SHARE = 0.25
POST_AFTER_S = 0.3
"""When a run is queued after a fault has begun."""

_PAGE = 500
PHASES = ("building", "running", "running", "finishing")
"""Where a fault finds the run that goes on, chosen by chance."""


@dataclass(frozen=True)
class _Order:
    """A run to queue."""

    kind: str
    name: str
    label: str


class Campaign:
    """Carries out rounds.

    Args:
        scene: The deployment and all else.

    Attributes:
        injected: How often each fault was injected, by name.
        ended: Runs that have ended.
        watch: What the processes held after each round.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene, self._history = scene, scene.history
        self.watch = Watch()
        self.injected: Counter[str] = Counter()
        self.ended = 0
        self._posted = 0

    def round(self, fault: Fault) -> None:
        """Queues runs, breaks something while they go on, and judges what becomes of them.

        Raises:
            TimeoutError: If the deployment does not come back.
        """
        scene, phase = self._scene, self._scene.chance.choice(PHASES)
        self._post(self._next_order(LONG))
        for _ in range(RUNS_AT_ONCE - 1):
            self._post(self._next_order(KINDS))
        # Whoever looks too late finds a run in another phase, which is as good.
        until(lambda: self._has_reached(phase), f"a run is {phase}", timeout_s=STALL_S)
        scene.wait(0, 0.7)
        before = self._states()
        meanwhile = threading.Timer(POST_AFTER_S, self._post, [self._next_order(KINDS)])
        meanwhile.start()
        try:
            fault.inject(scene)
        except NothingToBreak:
            fault = NOTHING
        self.injected[fault.name] += 1
        for name in scene.deployment.restore():
            if name not in fault.ends:
                self._history.violated(f"{fault.name}: the {name} ended by itself")
        meanwhile.join()
        after = self._states()
        self._await_ends(fault.name)
        self._history.judge(fault.name, before, after, survives=fault.survives)
        self._read(after.keys() - scene.kept, fault.name)
        self._settle()

    def _next_order(self, kinds: Iterable[str]) -> _Order:
        chance, self._posted = self._scene.chance, self._posted + 1
        name = DRAWN if chance.random() < DRAWN_SHARE else "soak"
        return _Order(chance.choice(sorted(kinds)), name, f"soak {self._posted}.")

    def _post(self, order: _Order) -> None:
        """Queues a run; one that was refused must not be there, one that was taken must."""
        created = refusal = ""
        try:
            with Client(self._scene.deployment.address) as client:
                changes = [*KINDS[order.kind], f"name={order.name}"]
                created = client.create(TEXT, changes, order.label).id
        except ServerRefusal as error:
            if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                self._history.violated(f"POST: {error.status}: {error}")
            # Without an answer, the run may or may not have been taken.
            refusal = f"{error.status}: {error}" if error.status else ""
        except CosimError as error:
            refusal = str(error)
        page = self._scene.deployment.ask(lambda client: client.runs(search=order.label))
        found = {answer.id for answer in page.items}
        for run in found | ({created} - {""}):
            self._history.accept(run, order.kind, self._scene.references[order.kind].digest)
        if refusal and found:
            self._history.violated(f"{found} was refused ({refusal}) and queued all the same")

    def _states(self) -> dict[str, str]:
        """Asks for the states of all runs, and holds the answers against the history."""
        page = self._scene.deployment.ask(lambda client: client.runs(limit=_PAGE))
        self._history.see(page.items)
        return {run: known.state for run, known in self._history.runs.items()}

    def _has_reached(self, phase: str) -> bool:
        states = self._states()
        return phase in states.values() or not self._history.open_runs()

    def _await_ends(self, fault: str) -> None:
        """Waits until every run has ended, as long as there is progress."""
        seen, deadline = self._states(), Deadline.after(STALL_S)
        while left := self._history.open_runs():
            if deadline.passed():
                self._history.violated(f"{fault}: nothing moves for {STALL_S:g} s: {left}")
                return
            time.sleep(0.3)
            if (now := self._states()) != seen:
                seen, deadline = now, Deadline.after(STALL_S)

    def _read(self, runs: Set[str], fault: str) -> None:
        """Reads runs that have ended, keeps some, and deletes the others."""
        scene, runs_known = self._scene, self._history.runs
        ended = sorted(run for run in runs if run in runs_known and runs_known[run].has_ended)
        self.ended += len(ended)
        there = [run for run in ended if scene.root(run).is_dir()]
        for run, parts in self._parts_of(there).items():
            for wrong in why_incomplete(parts, has_finished=runs_known[run].state == "finished"):
                self._history.violated(f"{fault}: {run} {runs_known[run].state}: {wrong}")
        scene.kept += [run for run in there if runs_known[run].state == "finished"]
        for run in scene.kept[-len(there) :]:
            self._ask_for(run, fault)
        outdated, scene.kept = scene.kept[:-KEPT], scene.kept[-KEPT:]
        for run in (*outdated, *(set(ended) - set(scene.kept))):
            self._delete(run)

    def _parts_of(self, runs: Sequence[str]) -> dict[str, dict[str, str]]:
        """Reads runs; makes results that are missing of one that did not finish, as users do."""
        scene = self._scene
        found = dict(
            zip(runs, read([(scene.root(r), scene.reference(r)) for r in runs]), strict=True)
        )
        for run, parts in found.items():
            lacks = any(part.startswith(("missing", "error")) for part in parts.values())
            if lacks and self._history.runs[run].state != "finished":
                with suppress(RuntimeError):  # it may have computed nothing
                    run_cosim("report", scene.root(run))
                found[run] = read([(scene.root(run), scene.reference(run))])[0]
        return found

    def _ask_for(self, run: str, fault: str) -> None:
        for path in self._scene.chance.sample([p for p in PATHS if p != "/report.html"], 3):
            answer = self._scene.deployment.get(f"/runs/{run}{path}")
            if not answer.is_success:
                self._history.violated(
                    f"{fault}: GET {run}{path}: {answer.status_code} {answer.text[:300]}"
                )

    def _delete(self, run: str) -> None:
        if self._history.runs.pop(run, None) is not None:
            self._scene.deployment.ask(lambda client: client.delete(run))

    def _settle(self) -> None:
        """Waits until nobody does anything, and looks at what the processes hold."""
        deployment = self._scene.deployment
        until(lambda: len(deployment.workers()) == len(MODULES), "a worker waits for every agent")
        time.sleep(0.5)
        for name in (SERVER, *MODULES):
            self.watch.look(name, deployment.processes[name], self.ended)
