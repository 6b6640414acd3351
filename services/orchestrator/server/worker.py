"""The thread that carries out queued runs, one after another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tvb_nest_cosim.cosim_core.errors import CosimError, ExperimentError
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance
from tvb_nest_cosim.orchestrator.launchers.base import Launcher
from tvb_nest_cosim.orchestrator.planning import checks
from tvb_nest_cosim.orchestrator.planning.plan import Planned
from tvb_nest_cosim.orchestrator.run import runner
from tvb_nest_cosim.orchestrator.server.live.hub import Hub
from tvb_nest_cosim.orchestrator.server.live.live_run import Live
from tvb_nest_cosim.orchestrator.server.live.tail import Tail
from tvb_nest_cosim.orchestrator.server.observer import RunObserver
from tvb_nest_cosim.orchestrator.server.recovery import refused, remembered
from tvb_nest_cosim.orchestrator.server.security import admission
from tvb_nest_cosim.orchestrator.server.settings import Settings
from tvb_nest_cosim.orchestrator.server.states import NOTE_S, RunStates
from tvb_nest_cosim.orchestrator.server.waiting import WaitingRuns
from tvb_nest_cosim.orchestrator.store import RunRow, RunState, RunStore, StoreError

RETRY_S = 5.0
"""Time between two tries to read the queue."""

SERVER_ENDS = "the server was told to end"

CarryOut = Callable[..., runner.Finished]
"""Carries out a plan, as :func:`~tvb_nest_cosim.orchestrator.run.runner.run` does."""

_logger = logging.getLogger(__name__)


class QueueWorker:
    """One thread that takes queued runs in the order of their arrival.

    Attributes:
        turn: Held while a run is carried out.

    Args:
        store: Remembers the runs.
        waiting: The runs that wait.
        states: The present run, and the news of it.
        hub: Gets an event for whatever happens.
        settings: Settings of the server.
        launcher: Where the processes of runs come from.
        carry_out: Carries out a plan.
    """

    def __init__(
        self,
        store: RunStore,
        waiting: WaitingRuns,
        states: RunStates,
        hub: Hub,
        settings: Settings,
        launcher: Launcher,
        carry_out: CarryOut,
    ) -> None:
        self.turn = threading.Lock()
        self._store = store
        self._waiting = waiting
        self._states = states
        self._hub = hub
        self._settings = settings
        self._launcher = launcher
        self._carry_out = carry_out
        self._wake = threading.Event()
        self._ends = False
        self._thread = threading.Thread(target=self._work, name="queue")

    @property
    def is_alive(self) -> bool:
        """Whether runs are taken."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def wake(self) -> None:
        """Tells that the queue has changed."""
        self._wake.set()

    def end(self) -> None:
        """Takes no further run; the present one goes on."""
        self._ends = True
        self._wake.set()

    def join(self, timeout_s: float | None = None) -> None:
        """Waits for the end of the present run, after :meth:`end`."""
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while not self._ends:
            self._wake.clear()
            try:
                row = self._store.next_queued()
                if row is not None:
                    with self.turn:
                        self._take(row)
            except Exception as error:
                # A database that is away for a while must not end the service.
                trace = None if isinstance(error, StoreError) else error
                _logger.error("the queue cannot be worked on: %s", error, exc_info=trace)
                self._wake.wait(RETRY_S)
                continue
            if row is None and not self._ends:
                self._wake.wait()

    def _take(self, row: RunRow) -> None:
        row.started = datetime.now(UTC)
        planned = self._planned_or_left(row)
        if planned is None:
            return
        live = Live(row, planned.plan, Tail(RunLayout(Path(planned.plan.run_dir))))
        if self._ends or not self._waiting.begin(live):
            return
        if self._ends:  # since: nobody else has seen this run
            live.control.stop(SERVER_ENDS)
        try:
            values = self._run(live, planned)
            is_noted = self._end(live, values)
        finally:
            with self._states.lock:
                self._states.present = None
        if is_noted:
            self._states.tell(live.id, values["state"], values.get("cause"))

    def _planned_or_left(self, row: RunRow) -> Planned | None:
        """Plans a run, or moves one that cannot be carried out any more out of the queue."""
        try:
            return self._admitted(row)
        except (ValueError, CosimError) as error:
            values = refused(error)
        except Exception as error:
            # Such as what it finds in the folder of the run that it stands on.
            values = _mistake(row.id, error)
        state = values.pop("state")
        self._waiting.leave(row.id, state, started=row.started, ended=datetime.now(UTC), **values)
        return None

    def _admitted(self, row: RunRow) -> Planned:
        """Returns the plan of a run whose turn has come, if it still may run."""
        settings, launcher = self._settings, self._launcher
        planned = self._waiting.planned(row.id)
        if planned is None:
            experiment = Experiment.model_validate(row.experiment)
            return admission.admit(experiment, row.id, settings, launcher)
        with admission.folders_hidden(settings):
            # While it waited, the disk may have filled or an earlier run been deleted.
            checks.admit(planned, is_here=launcher.is_here)
        return planned

    def _end(self, live: Live, values: dict[str, Any]) -> bool:
        """Notes how a run ended; until that is possible, it is shown as finishing.

        If the server ends before, the next one finds out by itself.
        """
        notes = self._states.notes
        notes.put(live.id, ended=datetime.now(UTC), **values)
        if notes.is_written(live.id, NOTE_S):
            return True
        with self._states.lock:
            live.state, live.cause = RunState.FINISHING, values.get("cause")
        return notes.insist(live.id, lambda: self._ends)

    def _run(self, live: Live, planned: Planned) -> dict[str, Any]:
        """Carries out a run; returns its columns, ``state`` and ``cause`` among them."""
        try:
            with admission.folders_hidden(self._settings):
                finished = self._carry_out(
                    planned,
                    command=["cosim", "serve"],
                    launcher=self._launcher,
                    observe=RunObserver(self._states, self._hub, live),
                    control=live.control,
                    tell=lambda text: self._say(live.id, "info", text),
                )
        except ExperimentError as error:
            return refused(error)
        except CosimError as error:
            return {"state": RunState.FAILED, "cause": str(error), "windows": live.windows}
        except Exception as error:
            return {**_mistake(live.id, error), "windows": live.windows}
        known = remembered(Provenance.find(finished.root))
        return {
            "state": RunState(finished.outcome.kind),
            "cause": finished.outcome.cause or None,
            "windows": live.windows,
            **known,
            "digest": finished.digest,
        }

    def _say(self, run: str, level: str, message: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = {"time": now, "level": level, "participant": "orchestrator", "message": message}
        self._hub.publish(run, "log", entry)


def _mistake(run: str, error: Exception) -> dict[str, Any]:
    """Returns the columns of a run that met a mistake; the next one gets its turn."""
    _logger.error("run %s could not be carried out", run, exc_info=error)
    cause = f"the server made a mistake, its log tells more: {type(error).__name__}"
    return {"state": RunState.FAILED, "cause": cause}
