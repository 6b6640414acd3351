"""The parts of a running server, as its routes get them."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from fastapi import Path as InPath

from tvb_nest_cosim.cosim_core.model.experiment import Experiment, RunJournal
from tvb_nest_cosim.orchestrator.launchers.base import Launcher
from tvb_nest_cosim.orchestrator.server.live.hub import Hub
from tvb_nest_cosim.orchestrator.server.problems import Refusal
from tvb_nest_cosim.orchestrator.server.run_queue import RunQueue
from tvb_nest_cosim.orchestrator.server.schemas import RUN_ID, RunAnswer
from tvb_nest_cosim.orchestrator.server.settings import Settings
from tvb_nest_cosim.orchestrator.store import Database, RunRow, RunStore


@dataclass(frozen=True)
class Service:
    """Everything that routes need.

    Attributes:
        settings: Settings of the server.
        database: The database.
        store: The runs in it.
        hub: Live events.
        queue: Carries out runs.
        launcher: Where their processes come from.
    """

    settings: Settings
    database: Database
    store: RunStore
    hub: Hub
    queue: RunQueue
    launcher: Launcher

    def find(self, run: str) -> RunRow | None:
        """Returns a run, if there is such a one; the present one whatever the database does."""
        live = self.queue.live(run)
        return self.store.get(run) if live is None else live.row

    def row(self, run: str) -> RunRow:
        """Returns a run.

        Raises:
            Refusal: If there is none of that name.
        """
        row = self.find(run)
        if row is None:
            raise Refusal(HTTPStatus.NOT_FOUND, f"there is no run '{run}'")
        return row

    def root(self, row: RunRow) -> Path:
        """Returns the directory of a run, which may not exist yet."""
        return self.settings.runs / row.id

    def answer(self, row: RunRow) -> RunAnswer:
        """Describes a run as it is now."""
        return RunAnswer.of(row, self.queue.live(row.id))

    def base_dir(self, experiment: Experiment) -> Path:
        """Returns the folder in which an experiment's names are looked up."""
        return self.settings.base_dir(isinstance(experiment.stand_in, RunJournal))


def _service(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


Served = Annotated[Service, Depends(_service)]

RunId = Annotated[str, InPath(pattern=RUN_ID, description="Identity of a run.")]


def _row(run: RunId, service: Served) -> RunRow:
    return service.row(run)


Row = Annotated[RunRow, Depends(_row)]
