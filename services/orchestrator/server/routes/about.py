"""The server itself: health, ensemble, shipped experiments, schema, metrics."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi import Path as InPath
from fastapi.responses import PlainTextResponse

from tvb_nest_cosim.cosim_core.client.responses import Problem
from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.model.experiment import experiment_schema, load_experiment
from tvb_nest_cosim.orchestrator.server.metrics import exposition
from tvb_nest_cosim.orchestrator.server.problems import Refusal
from tvb_nest_cosim.orchestrator.server.schemas import (
    PREFIX,
    AgentAnswer,
    EnsembleAnswer,
    ExampleAnswer,
    ExampleList,
)
from tvb_nest_cosim.orchestrator.server.service import Served, Service

SWEEPS = "sweep_"
"""How the names of shipped sweeps begin; a sweep is not an experiment."""

_SHOWN = {"agents": "attach"}
"""Names of launchers where clients know them by another; the interface keeps its words."""

router = APIRouter()

ExampleName = Annotated[str, InPath(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]


@router.get("/healthz", tags=["server"], response_class=PlainTextResponse)
def healthz() -> str:
    """Tell that the server answers; needs no token."""
    return "ok\n"


@router.get(
    "/readyz",
    tags=["server"],
    response_class=PlainTextResponse,
    responses={503: {"model": Problem, "description": "Runs cannot be taken."}},
)
def readyz(service: Served) -> str:
    """Tell that runs can be taken: the database answers, the queue is worked on; no token."""
    service.database.ping()
    if not service.queue.is_alive:
        raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the queue is not being worked on")
    return "ready\n"


@router.get("/metrics", tags=["server"], response_class=PlainTextResponse)
def metrics(service: Served) -> Response:
    """Get numbers for Prometheus."""
    content, media_type = exposition(service)
    return Response(content, media_type=media_type)


@router.get(f"{PREFIX}/ensemble", tags=["server"])
def ensemble(service: Served) -> EnsembleAnswer:
    """Tell who carries out runs."""
    launcher, is_busy = service.launcher, service.queue.live() is not None
    return EnsembleAnswer(
        launcher=_SHOWN.get(launcher.name, launcher.name),
        agents=[
            AgentAnswer(**asdict(host), busy=busy) for host, busy in launcher.hosts(is_busy=is_busy)
        ],
    )


@router.get(f"{PREFIX}/schema", tags=["experiments"])
def schema() -> dict[str, Any]:
    """Get the JSON schema of experiments."""
    return experiment_schema()


@router.get(f"{PREFIX}/experiments", tags=["experiments"])
def list_experiments(service: Served) -> ExampleList:
    """List the shipped experiments."""
    items = []
    for name, path in _examples(service).items():
        try:
            description = load_experiment(path).description
        except ExperimentError as error:
            description = f"cannot be used: {error}"
        items.append(ExampleAnswer(name=name, description=description.strip()))
    return ExampleList(items=items)


@router.get(
    f"{PREFIX}/experiments/{{name}}", tags=["experiments"], response_class=PlainTextResponse
)
def get_experiment(name: ExampleName, service: Served) -> PlainTextResponse:
    """Get a shipped experiment as YAML, with its comments."""
    path = _examples(service).get(name)
    if path is None:
        raise Refusal(HTTPStatus.NOT_FOUND, f"there is no shipped experiment '{name}'")
    return PlainTextResponse(path.read_text(encoding="utf-8"))


def _examples(service: Service) -> dict[str, Path]:
    folder = service.settings.examples
    found = sorted(folder.glob("*.yaml")) if folder is not None else []
    return {path.stem: path for path in found if not path.name.startswith(SWEEPS)}
