"""What the server sees of the run that it carries out."""

from __future__ import annotations

import time
from pathlib import Path

from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.records import RunRecords
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.server.live.hub import Hub
from tvb_nest_cosim.orchestrator.server.live.live_run import Live, Speedometer, progress
from tvb_nest_cosim.orchestrator.server.states import RunStates
from tvb_nest_cosim.orchestrator.store import RunState

LOOK_EVERY_S = 0.25
"""Time between two events of progress."""

NOTE_EVERY_S = 5.0
"""Time between two notes of the windows done in the database."""


class RunObserver:
    """Sees a run twenty times a second, and passes on a part of it.

    Args:
        states: Take note of what the run has reached by itself.
        hub: Gets an event of progress now and then.
        live: The run.
    """

    def __init__(self, states: RunStates, hub: Hub, live: Live) -> None:
        self._states = states
        self._hub = hub
        self._live = live
        self._speedometer = Speedometer(live.plan)
        self._told_s = self._noted_s = 0.0

    def __call__(self, coordinator: Coordinator) -> None:
        """Takes one look."""
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
            with self._states.lock:
                cause = outcome.cause or None
                self._states.enter(live, RunState.FINISHING, cause, windows=live.windows)
            return
        if now_s - self._noted_s > NOTE_EVERY_S:
            self._noted_s = now_s
            self._states.notes.put(live.id, windows=live.windows)

    def _begin(self, coordinator: Coordinator) -> None:
        live, plan = self._live, coordinator.plan
        live.records = RunRecords(RunLayout(Path(plan.run_dir)), plan, coordinator.built())
        with self._states.lock:
            if live.state is RunState.BUILDING:
                self._states.enter(live, RunState.RUNNING)
