"""The soak itself: rounds of a few runs and one fault each, and a judgement after each."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Set
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from benchmarks.servers import until
from benchmarks.soak.damage import PATHS
from benchmarks.soak.deployment import SERVER
from benchmarks.soak.faults import Fault
from benchmarks.soak.history import why_incomplete
from benchmarks.soak.reading import read
from benchmarks.soak.resources import Watch
from benchmarks.soak.runs import KINDS, LONG, TEXT
from benchmarks.soak.scene import Scene
from benchmarks.soak.some_undrawn import DRAWN
from tvb_nest_cosim.cosim_core.client import Client, ServerRefusal
from tvb_nest_cosim.cosim_core.errors import CosimError
from tvb_nest_cosim.cosim_core.results import collect
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES

RUNS_AT_ONCE = 3
KEPT = 10
"""Runs whose directories stay, so that there is something to damage."""

ENDS_WITHIN_S = 150.0
"""Longest time until the runs of a round have ended, after the fault."""

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
        until(lambda: self._has_reached(phase), f"a run is {phase}", timeout_s=ENDS_WITHIN_S)
        scene.wait(0, 0.7)
        before = self._states()
        meanwhile = threading.Timer(POST_AFTER_S, self._post, [self._next_order(KINDS)])
        meanwhile.start()
        self.injected[fault.name] += 1
        fault.inject(scene)
        for name in scene.deployment.restore():
            if name not in fault.ends:
                self._history.violated(f"{fault.name}: the {name} ended by itself")
        meanwhile.join()
        after = self._states()
        try:
            until(self._all_ended, "every run has ended", every_s=0.3, timeout_s=ENDS_WITHIN_S)
        except TimeoutError as error:
            self._history.violated(f"{fault.name}: {error}: {self._history.open_runs()}")
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

    def _all_ended(self) -> bool:
        self._states()
        return not self._history.open_runs()

    def _read(self, runs: Set[str], fault: str) -> None:
        """Reads runs that have ended, keeps some, and deletes the others."""
        scene, runs_known = self._scene, self._history.runs
        ended = sorted(run for run in runs if run in runs_known and runs_known[run].has_ended)
        self.ended += len(ended)
        there = [run for run in ended if scene.root(run).is_dir()]
        for run in there:
            if runs_known[run].state != "finished":
                # Its results may be missing, as when the disk was full; its windows are not.
                with suppress(CosimError):
                    collect(scene.root(run))
        found = read([(scene.root(run), scene.reference(run)) for run in there])
        for run, parts in zip(there, found, strict=True):
            for wrong in why_incomplete(parts, has_finished=runs_known[run].state == "finished"):
                self._history.violated(f"{fault}: {run} {runs_known[run].state}: {wrong}")
        scene.kept += [run for run in there if runs_known[run].state == "finished"]
        for run in scene.kept[-len(there) :]:
            self._ask_for(run, fault)
        outdated, scene.kept = scene.kept[:-KEPT], scene.kept[-KEPT:]
        for run in (*outdated, *(set(ended) - set(scene.kept))):
            self._delete(run)

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
