"""Takes queued runs one after another, and carries out what clients ask of them."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tvb_nest_cosim.cosim_core.errors import CosimError, ExperimentError
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance
from tvb_nest_cosim.cosim_core.run_dir.records import RunRecords
from tvb_nest_cosim.orchestrator.launchers.base import Launcher
from tvb_nest_cosim.orchestrator.planning import checks
from tvb_nest_cosim.orchestrator.planning.plan import Planned
from tvb_nest_cosim.orchestrator.run import runner
from tvb_nest_cosim.orchestrator.run.control import RunControl
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.server.live.hub import Hub
from tvb_nest_cosim.orchestrator.server.live.live_run import Live, Speedometer, progress
from tvb_nest_cosim.orchestrator.server.live.tail import Tail
from tvb_nest_cosim.orchestrator.server.problems import Refusal
from tvb_nest_cosim.orchestrator.server.recovery import (
    left_behind,
    refused,
    remembered,
    salvage,
)
from tvb_nest_cosim.orchestrator.server.security import admission
from tvb_nest_cosim.orchestrator.server.settings import Settings
from tvb_nest_cosim.orchestrator.store import SIMULATING, NewRun, RunRow, RunState, RunStore

_logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.25
"""Time between two events of progress."""

RETRY_S = 1.0
"""Time between two tries to note how a run ended."""

NOTE_EVERY_S = 5.0
"""Time between two notes of the windows done in the database."""

SERVER_ENDS = "the server was told to end"
STOPPED = "stopped by the user"


CarryOut = Callable[..., runner.Finished]
"""Carries out a plan, as :func:`~tvb_nest_cosim.orchestrator.run.runner.run` does."""


class RunQueue:
    """One thread that carries out runs, and the commands of all others.

    Args:
        store: Remembers the runs.
        hub: Gets an event for whatever happens.
        settings: Settings of the server.
        launcher: Where the processes of runs come from.
        carry_out: Carries out a plan.
    """

    def __init__(
        self,
        store: RunStore,
        hub: Hub,
        settings: Settings,
        launcher: Launcher,
        carry_out: CarryOut = runner.run,
    ) -> None:
        self._store = store
        self._hub = hub
        self._settings = settings
        self._launcher = launcher
        self._carry_out = carry_out
        self._live: Live | None = None
        self._planned: dict[str, Planned] = {}
        self._lock = threading.RLock()
        self._turn = threading.Lock()
        self._wake = threading.Event()
        self._ends = False
        self._thread = threading.Thread(target=self._work, name="queue")
        self._unsaved: list[str] = []

    # Life

    def start(self) -> None:
        """Says honestly what became of the runs of an earlier server, and begins."""
        for row in self._store.active():
            values = left_behind(self._settings.runs / row.id)
            self._store.change(row.id, ended=datetime.now(UTC), **values)
            self._unsaved.append(row.id)
        self._thread.start()

    def close(self) -> None:
        """Ends the present run in good order, or at once after the grace; leaves the queue."""
        with self._lock:
            self._ends = True
        self._wake.set()
        for decide in (RunControl.stop, RunControl.abort):
            live = self._live
            if live is not None:
                decide(live.control, SERVER_ENDS)
            self._thread.join(self._settings.grace_s)
        self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether runs are taken."""
        return self._thread.is_alive()

    # What clients want

    def add(self, run: NewRun, planned: Planned) -> RunRow:
        """Queues a run and keeps its plan until its turn comes.

        A server that has been restarted plans anew what it finds in the database.
        """
        with self._lock:
            row = self._store.add(run)
            self._planned[run.id] = planned
            self._tell_state(run.id, RunState.QUEUED, None)
        self._wake.set()
        return row

    def live(self, run: str | None = None) -> Live | None:
        """Returns the run that is being carried out, if it is this one (or any)."""
        live = self._live
        return live if live is not None and run in (None, live.id) else None

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Keeps runs from beginning meanwhile.

        Raises:
            Refusal: If a run goes on.
        """
        if not self._turn.acquire(blocking=False):
            raise Refusal(HTTPStatus.CONFLICT, "a run goes on; try again when it has ended")
        try:
            yield
        finally:
            self._turn.release()

    def pause(self, row: RunRow) -> None:
        """Halts everybody at one window.

        Raises:
            Refusal: If the run is not running, as for all commands.
        """
        with self._lock:
            live = self._in(row, RunState.RUNNING)
            live.control.pause()
            self._enter(live, RunState.PAUSED)

    def resume(self, row: RunRow) -> None:
        """Goes on after a pause."""
        with self._lock:
            live = self._in(row, RunState.PAUSED)
            live.control.resume()
            self._enter(live, RunState.RUNNING)

    def step(self, row: RunRow, windows: int) -> None:
        """Lets a paused run do some windows more."""
        with self._lock:
            self._in(row, RunState.PAUSED).control.step(windows)

    def stop(self, row: RunRow) -> None:
        """Ends a run in good order, or takes it out of the queue."""
        with self._lock:
            if self._unqueue(row):
                return
            live = self._in(row, RunState.BUILDING, RunState.RUNNING, RunState.PAUSED)
            live.control.stop(STOPPED)
            self._enter(live, RunState.STOPPING, cause=STOPPED)

    def abort(self, row: RunRow) -> None:
        """Ends a run now."""
        with self._lock:
            if self._unqueue(row):
                return
            live = self._in(row, *SIMULATING)
            live.control.abort(STOPPED)
            self._enter(live, RunState.STOPPING, cause=STOPPED)

    def delete(self, row: RunRow) -> None:
        """Forgets a run and removes its directory."""
        with self._lock:
            self._unqueue(row)
            if self.live(row.id) is not None:
                raise Refusal(
                    HTTPStatus.CONFLICT, f"run {row.id} is being carried out; stop it first"
                )
            shutil.rmtree(self._settings.runs / row.id, ignore_errors=True)
            self._store.remove(row.id)

    def _in(self, row: RunRow, *states: RunState) -> Live:
        live = self.live(row.id)
        if live is None or live.state not in states:
            state = row.state if live is None else live.state.value
            wanted = " or ".join(sorted(s.value for s in states))
            raise Refusal(
                HTTPStatus.CONFLICT, f"run {row.id} is {state}; this needs it to be {wanted}"
            )
        return live

    def _unqueue(self, row: RunRow) -> bool:
        cause = "stopped before it began"
        self._planned.pop(row.id, None)
        moved = self._store.move(
            row.id, RunState.QUEUED, RunState.INTERRUPTED, cause=cause, ended=datetime.now(UTC)
        )
        if moved:
            self._tell_state(row.id, RunState.INTERRUPTED, cause)
        return moved

    def _enter(self, live: Live, state: RunState, **values: Any) -> None:
        live.state, live.cause = state, values.get("cause")
        self._store.change(live.id, state=state, **values)
        self._tell_state(live.id, state, live.cause)

    def _tell_state(self, run: str, state: RunState, cause: str | None) -> None:
        self._hub.publish(run, "state", {"state": state.value, "cause": cause})

    # The thread

    def _work(self) -> None:
        for run in self._unsaved:
            salvage(self._settings.runs / run)
        while not self._ends:
            self._wake.clear()
            try:
                row = self._store.next_queued()
                if row is not None:
                    with self._turn:
                        self._take(row)
            except Exception:
                # A database that is away for a while must not end the service.
                _logger.exception("the queue could not be read or a run not be noted")
                self._wake.wait(NOTE_EVERY_S)
                continue
            if row is None and not self._ends:
                self._wake.wait()

    def _take(self, row: RunRow) -> None:
        started = datetime.now(UTC)
        try:
            planned = self._admitted(row)
        except (ValueError, CosimError) as error:
            state, values = refused(error)
            if self._store.move(
                row.id, RunState.QUEUED, state, started=started, ended=datetime.now(UTC), **values
            ):
                self._tell_state(row.id, state, values["cause"])
            return
        plan = planned.plan
        live = Live(row.id, plan, Tail(RunLayout(Path(plan.run_dir))))
        with self._lock:
            if self._ends or not self._store.move(
                row.id, RunState.QUEUED, RunState.BUILDING, started=started, cause=None
            ):
                return
            self._live = live
        self._tell_state(row.id, RunState.BUILDING, None)
        try:
            state, values = self._run(live, planned)
            noted = self._insist(live, state=state, ended=datetime.now(UTC), **values)
        finally:
            with self._lock:
                self._live = None
        if noted:
            self._tell_state(row.id, state, values.get("cause"))

    def _admitted(self, row: RunRow) -> Planned:
        """Returns the plan of a run whose turn has come, if it still may run."""
        settings, launcher = self._settings, self._launcher
        with self._lock:
            planned = self._planned.pop(row.id, None)
        if planned is None:
            experiment = Experiment.model_validate(row.experiment)
            return admission.admit(experiment, row.id, settings, launcher)
        with admission.folders_hidden(settings):
            # While it waited, the disk may have filled or an earlier run been deleted.
            checks.admit(planned, is_here=launcher.is_here)
        return planned

    def _insist(self, live: Live, **values: Any) -> bool:
        """Notes how a run ended as soon as the database takes it, e.g. when its disk has space.

        If the server ends before, the next one finds out by itself.
        """
        while not self._note(live.id, **values):
            with self._lock:
                live.state, live.cause = RunState.FINISHING, values.get("cause")
            if self._ends:
                return False
            self._wake.wait(RETRY_S)
            self._wake.clear()
        return True

    def _note(self, run: str, **values: Any) -> bool:
        """Notes something of a run that goes on; tells whether the database took it."""
        try:
            self._store.change(run, **values)
        except Exception:
            # A full disk or a database that is away must not end a run, nor the service.
            _logger.exception("run %s could not be noted", run)
            return False
        return True

    def _run(self, live: Live, planned: Planned) -> tuple[RunState, dict[str, Any]]:
        """Carries out a run; returns how it ended and what is to be remembered."""
        try:
            with admission.folders_hidden(self._settings):
                finished = self._carry_out(
                    planned,
                    command=["cosim", "serve"],
                    launcher=self._launcher,
                    observe=_Observer(self, self._hub, live),
                    control=live.control,
                    tell=lambda text: self._say(live.id, "info", text),
                )
        except ExperimentError as error:
            return refused(error)
        except CosimError as error:
            return RunState.FAILED, {"cause": str(error), "windows": live.windows}
        except Exception as error:
            # Whatever one run does to this program, the next one gets its turn.
            _logger.exception("run %s could not be carried out", live.id)
            cause = f"the server made a mistake, its log tells more: {type(error).__name__}"
            return RunState.FAILED, {"cause": cause, "windows": live.windows}
        known = remembered(Provenance.find(finished.root))
        values = {"windows": live.windows, **known, "digest": finished.digest}
        return RunState(finished.outcome.kind), {"cause": finished.outcome.cause or None, **values}

    def begin(self, live: Live) -> None:
        """Takes note that windows are being computed."""
        with self._lock:
            if live.state is RunState.BUILDING:
                self._arrive(live, RunState.RUNNING)

    def finishing(self, live: Live, cause: str | None) -> None:
        """Takes note that all windows have been computed, and results are being made."""
        with self._lock:
            self._arrive(live, RunState.FINISHING, cause=cause)

    def progressed(self, live: Live) -> None:
        """Takes note of the windows done."""
        self._note(live.id, windows=live.windows)

    def _arrive(self, live: Live, state: RunState, cause: str | None = None) -> None:
        """Enters a state that the run has reached by itself, whether it can be noted or not."""
        live.state, live.cause = state, cause
        self._note(live.id, state=state, cause=cause, windows=live.windows)
        self._tell_state(live.id, state, cause)

    def _say(self, run: str, level: str, message: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = {"time": now, "level": level, "participant": "orchestrator", "message": message}
        self._hub.publish(run, "log", entry)


class _Observer:
    """Sees a run twenty times a second, and passes on a part of it."""

    def __init__(self, queue: RunQueue, hub: Hub, live: Live) -> None:
        self._queue = queue
        self._hub = hub
        self._live = live
        self._speedometer = Speedometer(live.plan)
        self._told_s = self._noted_s = 0.0

    def __call__(self, coordinator: Coordinator) -> None:
        live, now_s = self._live, time.monotonic()
        if coordinator.is_running and live.records is None:
            self._begin(coordinator)
        if now_s - self._told_s < LOOK_EVERY_S and coordinator.outcome is None:
            return
        self._told_s = now_s
        live.windows = coordinator.windows
        if live.state is RunState.PAUSED:
            self._speedometer.pause()
        if live.records is not None:
            self._hub.publish(live.id, "progress", progress(coordinator, self._speedometer))
        outcome = coordinator.outcome
        if outcome is not None and outcome.kind != "refused":
            self._queue.finishing(live, outcome.cause or None)
            return
        if now_s - self._noted_s > NOTE_EVERY_S:
            self._noted_s = now_s
            self._queue.progressed(live)

    def _begin(self, coordinator: Coordinator) -> None:
        live, plan = self._live, coordinator.plan
        live.records = RunRecords(RunLayout(Path(plan.run_dir)), plan, coordinator.built())
        self._queue.begin(live)
