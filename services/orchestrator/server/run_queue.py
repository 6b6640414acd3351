"""The queue of runs: its life, and what clients ask of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from tvb_nest_cosim.orchestrator.launchers.base import Launcher
from tvb_nest_cosim.orchestrator.planning.plan import Planned
from tvb_nest_cosim.orchestrator.run import runner
from tvb_nest_cosim.orchestrator.run.control import RunControl
from tvb_nest_cosim.orchestrator.server.adoption import adopt_unknown
from tvb_nest_cosim.orchestrator.server.live.hub import Hub
from tvb_nest_cosim.orchestrator.server.live.live_run import Live
from tvb_nest_cosim.orchestrator.server.notes import Notes
from tvb_nest_cosim.orchestrator.server.problems import Refusal
from tvb_nest_cosim.orchestrator.server.salvage import Salvage
from tvb_nest_cosim.orchestrator.server.settings import Settings
from tvb_nest_cosim.orchestrator.server.states import RunStates
from tvb_nest_cosim.orchestrator.server.waiting import WaitingRuns
from tvb_nest_cosim.orchestrator.server.worker import SERVER_ENDS, CarryOut, QueueWorker
from tvb_nest_cosim.orchestrator.store import SIMULATING, NewRun, RunRow, RunState, RunStore

STOPPED = "stopped by the user"


class RunQueue:
    """Runs that wait, the one that is carried out, and the commands of clients to them.

    A command to the present run reaches it at once, and is noted in the database when that can be.

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
        self._settings = settings
        self._states = states = RunStates(Notes(store), hub)
        self._waiting = waiting = WaitingRuns(store, states)
        self._worker = QueueWorker(store, waiting, states, hub, settings, launcher, carry_out)
        self._salvage = Salvage(settings.runs, states)

    # Life

    def start(self) -> None:
        """Takes up what an earlier server left, and begins."""
        unfinished = [row.id for row in self._store.active()]
        for run in unfinished:
            # Until its results are complete, nobody may take it for ended.
            self._store.change(run, state=RunState.FINISHING)
        self._salvage.start([*unfinished, *adopt_unknown(self._settings.runs, self._store)])
        self._states.notes.start()
        self._worker.start()

    def close(self) -> None:
        """Ends the present run in good order, or at once after the grace; leaves the queue."""
        self._worker.end()
        for decide in (RunControl.stop, RunControl.abort):
            live = self._states.present
            if live is not None:
                decide(live.control, SERVER_ENDS)
            self._worker.join(self._settings.grace_s)
        self._worker.join()
        self._salvage.close(self._settings.grace_s)
        self._states.notes.close()

    @property
    def is_alive(self) -> bool:
        """Whether runs are taken."""
        return self._worker.is_alive

    # What clients want

    def add(self, run: NewRun, planned: Planned) -> RunRow:
        """Queues a run and keeps its plan until its turn comes."""
        row = self._waiting.add(run, planned)
        self._worker.wake()
        return row

    def live(self, run: str | None = None) -> Live | None:
        """Returns the run that is being carried out, if it is this one (or any)."""
        return self._states.live(run)

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Keeps runs from beginning meanwhile.

        Raises:
            Refusal: If a run goes on.
        """
        turn = self._worker.turn
        if not turn.acquire(blocking=False):
            raise Refusal(HTTPStatus.CONFLICT, "a run goes on; try again when it has ended")
        try:
            yield
        finally:
            turn.release()

    def pause(self, row: RunRow) -> None:
        """Halts everybody at one window.

        Raises:
            Refusal: If the run is not running, as for all commands.
        """
        with self._states.lock:
            live = self._in(row, RunState.RUNNING)
            live.control.pause()
            self._states.enter(live, RunState.PAUSED)

    def resume(self, row: RunRow) -> None:
        """Goes on after a pause."""
        with self._states.lock:
            live = self._in(row, RunState.PAUSED)
            live.control.resume()
            self._states.enter(live, RunState.RUNNING)

    def step(self, row: RunRow, windows: int) -> None:
        """Lets a paused run do some windows more."""
        with self._states.lock:
            self._in(row, RunState.PAUSED).control.step(windows)

    def stop(self, row: RunRow) -> None:
        """Ends a run in good order, or takes it out of the queue."""
        if self._withdrawn(row):
            return
        with self._states.lock:
            live = self._in(row, RunState.BUILDING, RunState.RUNNING, RunState.PAUSED)
            live.control.stop(STOPPED)
            self._states.enter(live, RunState.STOPPING, STOPPED)

    def abort(self, row: RunRow) -> None:
        """Ends a run now."""
        if self._withdrawn(row):
            return
        with self._states.lock:
            live = self._in(row, *SIMULATING)
            live.control.abort(STOPPED)
            self._states.enter(live, RunState.STOPPING, STOPPED)

    def delete(self, row: RunRow) -> None:
        """Forgets a run and removes its directory."""
        self._withdrawn(row)
        if self.live(row.id) is not None:
            raise Refusal(HTTPStatus.CONFLICT, f"run {row.id} is being carried out; stop it first")
        if not self._salvage.drop(row.id):
            raise Refusal(
                HTTPStatus.CONFLICT,
                f"the results of run {row.id} are being completed; try again when that is done",
            )
        try:
            shutil.rmtree(self._settings.runs / row.id)
        except FileNotFoundError:
            pass  # it was refused, or never began
        except OSError as error:
            # A row without its folder is harmless; a folder without row would be adopted again.
            raise Refusal(
                HTTPStatus.CONFLICT,
                f"the files of run {row.id} cannot be removed: {error.strerror or error}; "
                "see who owns the folder of runs, and delete the run again",
            ) from error
        self._store.remove(row.id)

    def _withdrawn(self, row: RunRow) -> bool:
        """Takes a run out of the queue; the database is not asked about the present run."""
        return self.live(row.id) is None and self._waiting.withdraw(row.id)

    def _in(self, row: RunRow, *states: RunState) -> Live:
        live = self.live(row.id)
        if live is None or live.state not in states:
            state = row.state if live is None else live.state.value
            wanted = " or ".join(sorted(s.value for s in states))
            raise Refusal(
                HTTPStatus.CONFLICT, f"run {row.id} is {state}; this needs it to be {wanted}"
            )
        return live
