"""Runs: create, list, show, command, delete; and checking experiments."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from tvb_nest_cosim.cosim_core.client.responses import FaultAnswer, Problem
from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.model.experiment.lines import lines_of
from tvb_nest_cosim.orchestrator.planning.plan import Planned
from tvb_nest_cosim.orchestrator.run import validation
from tvb_nest_cosim.orchestrator.server.plan_report import PlanReport
from tvb_nest_cosim.orchestrator.server.problems import Refusal
from tvb_nest_cosim.orchestrator.server.schemas import (
    PREFIX,
    ExperimentBody,
    NewRunBody,
    RunAnswer,
    RunPage,
    StepBody,
    ValidateBody,
    Verdict,
)
from tvb_nest_cosim.orchestrator.server.security import admission
from tvb_nest_cosim.orchestrator.server.service import Row, Served, Service
from tvb_nest_cosim.orchestrator.store import NewRun, RunRow, RunState

CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "The run is not in a state for this."}
}

router = APIRouter(prefix=PREFIX)


def new_id(now: datetime) -> str:
    """Returns an identity that sorts by time and cannot be guessed to exist."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


@router.post(
    "/runs",
    status_code=HTTPStatus.CREATED,
    tags=["runs"],
    responses={503: {"model": Problem, "description": "Too many runs wait."}},
)
def create_run(body: NewRunBody, service: Served, response: Response) -> RunAnswer:
    """Queue a run. All faults of an experiment that cannot be run are reported at once."""
    if service.store.counts()[RunState.QUEUED] >= service.settings.max_queued:
        raise Refusal(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"{service.settings.max_queued} runs wait already; try again later",
        )
    run = new_id(datetime.now(UTC))
    with lines_of(body.yaml or "", body.overrides):
        experiment = _read(body, service)
        planned = admission.admit(experiment, run, service.settings, service.launcher)
    row = service.queue.add(
        NewRun(
            id=run,
            label=body.label,
            name=experiment.name,
            windows_total=planned.plan.grid.window_count,
            duration_ms=experiment.duration_ms,
            experiment=admission.plain(experiment),
        ),
        planned,
    )
    answer = service.answer(row)
    response.headers["Location"] = answer.links["self"]
    return answer


@router.post("/validate", tags=["experiments"], responses=CONFLICT)
def validate(body: ValidateBody, service: Served) -> Verdict:
    """Check an experiment and plan it; runs nothing."""
    verdict = Verdict(valid=False, faults=[], warnings=[], plan=None)
    try:
        with lines_of(body.yaml or "", body.overrides):
            experiment = _read(body, service)
            verdict.experiment = admission.plain(experiment)
            planned = admission.admit(experiment, "validated", service.settings, service.launcher)
            verdict.plan = PlanReport.of(planned)
            verdict.warnings = verdict.plan.warnings
            if body.build:
                verdict.warnings = _built(service, planned)
            verdict.valid = True
    except ExperimentError as error:
        verdict.plan, verdict.warnings = None, []
        verdict.faults = [FaultAnswer.of(fault) for fault in error.faults]
    return verdict


def _read(body: ExperimentBody, service: Service) -> Experiment:
    ranks = service.settings.nest_ranks
    return admission.read(body.source, body.overrides, nest_ranks=ranks)


def _built(service: Service, planned: Planned) -> list[str]:
    """Lets the simulators build their sides; returns their warnings."""
    with service.queue.idle(), admission.folders_hidden(service.settings):
        # Agents share the folder of runs, not that of temporary files.
        folder = service.settings.runs
        return validation.validate(planned, launcher=service.launcher, below=folder)


@router.get("/runs", tags=["runs"])
def list_runs(
    service: Served,
    state: RunState | None = None,
    search: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
) -> RunPage:
    """List runs, the newest first; ``search`` looks into identity, name and label."""
    total, rows = service.store.page(state, search, limit, offset)
    return RunPage(total=total, items=[service.answer(row) for row in rows])


@router.get("/runs/{run}", tags=["runs"])
def show_run(row: Row, service: Served) -> RunAnswer:
    """Show a run."""
    return service.answer(row)


@router.delete("/runs/{run}", status_code=HTTPStatus.NO_CONTENT, tags=["runs"], responses=CONFLICT)
def delete_run(row: Row, service: Served) -> None:
    """Forget a run and remove its results; not while it is being carried out."""
    service.queue.delete(row)


@router.post("/runs/{run}/pause", tags=["commands"], responses=CONFLICT)
def pause_run(row: Row, service: Served) -> RunAnswer:
    """Halt every participant at one window."""
    service.queue.pause(row)
    return _again(row, service)


@router.post("/runs/{run}/resume", tags=["commands"], responses=CONFLICT)
def resume_run(row: Row, service: Served) -> RunAnswer:
    """Go on after a pause."""
    service.queue.resume(row)
    return _again(row, service)


@router.post("/runs/{run}/step", tags=["commands"], responses=CONFLICT)
def step_run(row: Row, service: Served, body: StepBody) -> RunAnswer:
    """Let a paused run do some windows more."""
    service.queue.step(row, body.windows)
    return _again(row, service)


@router.post("/runs/{run}/stop", tags=["commands"], responses=CONFLICT)
def stop_run(row: Row, service: Served) -> RunAnswer:
    """End a run at a window boundary and keep what was computed, or take it out of the queue."""
    service.queue.stop(row)
    return _again(row, service)


@router.post("/runs/{run}/abort", tags=["commands"], responses=CONFLICT)
def abort_run(row: Row, service: Served) -> RunAnswer:
    """End a run now; complete windows are kept."""
    service.queue.abort(row)
    return _again(row, service)


def _again(row: RunRow, service: Service) -> RunAnswer:
    return service.answer(service.row(row.id))
