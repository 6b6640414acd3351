"""Puts the parts of a server together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from tvb_nest_cosim.cosim_core.client.responses import Problem
from tvb_nest_cosim.orchestrator.launchers.base import Launcher
from tvb_nest_cosim.orchestrator.run import runner
from tvb_nest_cosim.orchestrator.server import problems
from tvb_nest_cosim.orchestrator.server.live.hub import Hub
from tvb_nest_cosim.orchestrator.server.routes import about, events, results, runs
from tvb_nest_cosim.orchestrator.server.run_queue import RunQueue
from tvb_nest_cosim.orchestrator.server.schemas import PREFIX
from tvb_nest_cosim.orchestrator.server.security.access import Access
from tvb_nest_cosim.orchestrator.server.security.guard import Guard
from tvb_nest_cosim.orchestrator.server.service import Service
from tvb_nest_cosim.orchestrator.server.settings import Settings
from tvb_nest_cosim.orchestrator.server.worker import CarryOut
from tvb_nest_cosim.orchestrator.store import Database, RunStore

WEB = Path(__file__).parents[1] / "web"

_TAGS = [
    {"name": "runs", "description": "Create, list, show and delete runs."},
    {"name": "commands", "description": "Pause, resume, step, stop."},
    {"name": "live", "description": "Watch a run."},
    {"name": "results", "description": "Files, figures and curves."},
    {"name": "experiments", "description": "Shipped experiments, their schema, checking one."},
    {"name": "server", "description": "Health, ensemble, metrics."},
]


def build_service(
    settings: Settings, launcher: Launcher, carry_out: CarryOut = runner.run
) -> Service:
    """Opens the database and makes the parts of a server; nothing runs yet.

    Args:
        settings: Settings of the server.
        launcher: Where the processes of runs come from; closed with the app.
        carry_out: Carries out a plan.

    Raises:
        StoreError: If the database cannot be used.
    """
    settings.runs.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url, settings.database_wait_s)
    store, hub = RunStore(database), Hub()
    queue = RunQueue(store, hub, settings, launcher, carry_out)
    return Service(settings, database, store, hub, queue, launcher)


def build_app(service: Service, access: Access) -> FastAPI:
    """Makes the app of a server.

    Args:
        service: Its parts; started and closed with the app.
        access: Knows the token.
    """

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        service.queue.start()
        try:
            yield
        finally:
            service.hub.close()
            service.queue.close()
            service.launcher.close()
            service.database.close()

    app = FastAPI(
        title="TVB-NEST co-simulation",
        version=metadata.version("tvb-nest-cosim"),
        lifespan=life,
        openapi_url=f"{PREFIX}/openapi.json",
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        openapi_tags=_TAGS,
        responses={
            code: {"model": Problem, "content": {problems.MEDIA_TYPE: {}}, "description": text}
            for code, text in _PROBLEMS.items()
        },
    )
    app.state.service = service
    problems.install(app)
    for routes in (runs, events, results, about):
        app.include_router(routes.router)
    if WEB.is_dir():
        app.mount("/", StaticFiles(directory=WEB, html=True), name="page")
    app.add_middleware(Guard, access=access, settings=service.settings)
    return app


_PROBLEMS = {
    401: "The token is missing or wrong.",
    404: "There is no such thing.",
    413: "The request is too large.",
    422: "The request or the experiment has faults.",
    503: "The database cannot be used at present.",
}
