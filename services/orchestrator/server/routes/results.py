"""Results of a run: files, figures, curves, the connectome."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Response
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse

from tvb_nest_cosim.cosim_core.client.responses import FileAnswer, FileList
from tvb_nest_cosim.cosim_core.errors import CosimError, RunDirectoryError
from tvb_nest_cosim.cosim_core.model.connectome import load_connectome
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.model.experiment.load import dump_yaml
from tvb_nest_cosim.cosim_core.model.plan import Built
from tvb_nest_cosim.cosim_core.results import open_run
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.records import RunRecords
from tvb_nest_cosim.orchestrator.planning.datasets import connectome_path
from tvb_nest_cosim.orchestrator.server import files
from tvb_nest_cosim.orchestrator.server.live import curves
from tvb_nest_cosim.orchestrator.server.live.sources import FileSource, JournalSource, Source
from tvb_nest_cosim.orchestrator.server.problems import Refusal
from tvb_nest_cosim.orchestrator.server.schemas import PREFIX, ConnectomeAnswer
from tvb_nest_cosim.orchestrator.server.security.guard import DOCUMENT_POLICY
from tvb_nest_cosim.orchestrator.server.service import Row, RunId, Served, Service
from tvb_nest_cosim.orchestrator.store import FINAL, RunRow

_logger = logging.getLogger(__name__)


def _damage_told(run: RunId) -> Iterator[None]:
    """Turns whatever the folder of a run may raise into a sentence.

    Raises:
        RunDirectoryError: If a call failed for a reason that it has no sentence for.
    """
    try:
        yield
    except (CosimError, Refusal, HTTPException):
        raise
    except Exception as error:
        _logger.exception("the results of run %s cannot be read", run)
        raise RunDirectoryError(
            f"the results of run {run} are damaged and cannot be read: "
            f"{type(error).__name__}: {error}"
        ) from error


router = APIRouter(prefix=PREFIX, tags=["results"], dependencies=[Depends(_damage_told)])

Points = Annotated[int, Query(ge=2, le=20_000, description="Most points per curve.")]

_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "The file."}
}


@router.get("/runs/{run}/files")
def list_files(row: Row, service: Served) -> FileList:
    """List the files of a run."""
    return _listed(row, "files", files.result_files(service.root(row)))


@router.get("/runs/{run}/files/{name}", response_class=FileResponse, responses=_FILE)
def get_file(row: Row, service: Served, name: str) -> FileResponse:
    """Fetch a file of a run."""
    root = service.root(row)
    return _file(root, files.result_files(root), name)


@router.get("/runs/{run}/figures")
def list_figures(row: Row, service: Served) -> FileList:
    """List the figures of a run."""
    return _listed(row, "figures", files.figure_files(service.root(row)))


@router.get("/runs/{run}/figures/{name}", response_class=FileResponse, responses=_FILE)
def get_figure(row: Row, service: Served, name: str) -> FileResponse:
    """Fetch a figure of a run."""
    root = service.root(row)
    return _file(root, files.figure_files(root), name)


@router.get("/runs/{run}/report.html", response_class=FileResponse, responses=_FILE)
def get_report(row: Row, service: Served) -> FileResponse:
    """Open the report of a run."""
    root = service.root(row)
    return _file(root, files.result_files(root), "report.html")


@router.get("/runs/{run}/archive.zip", response_class=StreamingResponse, responses=_FILE)
def get_archive(row: Row, service: Served) -> StreamingResponse:
    """Fetch files, figures and inputs of a run; journals stay on the server."""
    root = service.root(row)
    if not files.result_files(root):
        raise Refusal(HTTPStatus.NOT_FOUND, f"run {row.id} has no files yet")
    size, pieces = files.make_archive(root, service.settings.home / "tmp")
    headers = {
        "content-length": str(size),
        "content-disposition": f'attachment; filename="{row.id}.zip"',
    }
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


@router.get("/runs/{run}/experiment", response_class=PlainTextResponse)
def get_experiment(row: Row, accept: Annotated[str, Header()] = "") -> Response:
    """Show the experiment of a run, every default written out, as YAML or as JSON (``Accept``)."""
    experiment = _experiment(row)
    if "application/json" in accept:
        return JSONResponse(experiment.model_dump(mode="json"))
    return PlainTextResponse(dump_yaml(experiment))


@router.get("/runs/{run}/series")
def get_series(
    row: Row,
    service: Served,
    kind: curves.Kind = "rates",
    max_points: Points = 2000,
    regions: Annotated[
        str | None, Query(max_length=20_000, description="Separated by commas.")
    ] = None,
) -> dict[str, Any]:
    """Get curves, averaged down to ``max_points``, in the form of ``data`` events."""
    wanted = None if regions is None else [name for name in regions.split(",") if name]
    return _answer(
        row,
        service,
        ("series", kind, max_points, regions),
        lambda source: curves.series(source, kind, max_points, wanted),
    )


@router.get("/runs/{run}/raster")
def get_raster(
    row: Row,
    service: Served,
    from_ms: Annotated[float, Query(ge=0, le=1e12)] = 0.0,
    to_ms: Annotated[float, Query(ge=0, le=1e12)] = 1e12,
    max_points: Points = 5000,
) -> dict[str, Any]:
    """Get single spikes in (from_ms, to_ms], at most ``max_points`` per region."""
    return _answer(
        row,
        service,
        ("raster", from_ms, to_ms, max_points),
        lambda source: curves.raster(source, from_ms, to_ms, max_points),
    )


@router.get("/runs/{run}/timing")
def get_timing(row: Row, service: Served, max_points: Points = 500) -> dict[str, Any]:
    """Get mean seconds per window and phase of every participant."""
    root, live = service.root(row), service.queue.live(row.id)
    if live is not None:
        records = RunRecords(RunLayout(root), live.plan, Built())
        return live.cache.get(("timing", max_points), lambda: curves.phases(records, max_points))
    _begun(row, service)
    return curves.phases(RunRecords.open(root), max_points)


@router.get("/runs/{run}/connectome")
def get_connectome(row: Row, service: Served) -> ConnectomeAnswer:
    """Get the connectome of a run, scaled as its experiment says."""
    experiment = _experiment(row)
    choice = experiment.connectome
    connectome = load_connectome(
        connectome_path(choice.source, service.base_dir(experiment)), choice
    )
    return ConnectomeAnswer(
        labels=list(connectome.labels),
        centres=connectome.centres.tolist(),
        weights=connectome.weights.tolist(),
        spiking=[connectome.index(name) for name, _, _ in experiment.spiking_regions()],
    )


def _experiment(row: RunRow) -> Experiment:
    return Experiment.model_validate(row.experiment)


def _answer(
    row: RunRow,
    service: Service,
    question: Hashable,
    make: Callable[[Source], dict[str, Any]],
) -> dict[str, Any]:
    """Makes an answer from the journals of a run that goes on, or from the files of an ended one.

    Raises:
        RunDirectoryError: If there are no results yet.
    """
    live = service.queue.live(row.id)
    if live is not None and (records := live.records) is not None:
        return live.cache.get(question, lambda: make(JournalSource.newest(records)))
    _begun(row, service)
    with open_run(service.root(row)) as run:
        return make(FileSource(run))


def _begun(row: RunRow, service: Service) -> None:
    """Refuses to read results of a run that has none."""
    state = service.answer(row).state
    if state not in FINAL:
        raise RunDirectoryError(f"run {row.id} is {state.value} and has no results yet")
    if not service.root(row).is_dir():
        raise RunDirectoryError(f"run {row.id} is {state.value} and has no results")


def _listed(row: RunRow, kind: str, found: dict[str, Path]) -> FileList:
    return FileList(
        items=[
            FileAnswer(
                name=name,
                bytes=path.stat().st_size,
                media_type=files.media_type(path),
                href=f"{PREFIX}/runs/{row.id}/{kind}/{name}",
            )
            for name, path in found.items()
        ]
    )


def _file(root: Path, found: dict[str, Path], name: str) -> FileResponse:
    """Sends a file if it is one of those offered and whole; a path is never made of a name."""
    if name not in found:
        raise Refusal(HTTPStatus.NOT_FOUND, f"there is no file '{name}', or not yet")
    path = found[name]
    files.check(root, [path])
    headers = {"content-security-policy": DOCUMENT_POLICY}
    return FileResponse(path, media_type=files.media_type(path), headers=headers)
