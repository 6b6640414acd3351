"""Errors as problem JSON (RFC 9457): what went wrong, in one clear sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tvb_nest_cosim.cosim_core.client.responses import FaultAnswer
from tvb_nest_cosim.cosim_core.errors import CosimError, ExperimentError, Fault, RunDirectoryError
from tvb_nest_cosim.orchestrator.store import StoreError

MEDIA_TYPE = "application/problem+json"


RETRY_AFTER_S = 5
"""When to ask again for what the database is needed for."""


class Refusal(Exception):
    """A request that cannot be granted as things are.

    Attributes:
        status: HTTP status.
        detail: Why, and what to do, in a sentence.
    """

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def problem(
    status: int,
    detail: str,
    faults: Iterable[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Makes the answer for an error.

    Args:
        status: HTTP status.
        detail: What went wrong, in a sentence.
        faults: What is wrong with an experiment or request.
        headers: Further headers.
    """
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    listed = [FaultAnswer.of(fault).model_dump() for fault in faults]
    if listed:
        content["faults"] = listed
    return JSONResponse(content, status, headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Tells an app how to answer errors."""
    app.exception_handler(Refusal)(_refusal)
    app.exception_handler(ExperimentError)(_experiment)
    app.exception_handler(RequestValidationError)(_request)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(RunDirectoryError)(_run_directory)
    app.exception_handler(StoreError)(_unavailable)
    app.exception_handler(Exception)(_unexpected)


async def _refusal(request: Request, error: Refusal) -> JSONResponse:
    return problem(error.status, error.detail)


async def _experiment(request: Request, error: ExperimentError) -> JSONResponse:
    count = len(error.faults)
    detail = f"the experiment has {count} fault{'s' * (count > 1)}"
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, error.faults)


async def _request(request: Request, error: RequestValidationError) -> JSONResponse:
    faults = [
        Fault(".".join(str(part) for part in entry["loc"]), str(entry["msg"]))
        for entry in error.errors()
    ]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "the request is not as documented", faults)


async def _http(request: Request, error: HTTPException) -> JSONResponse:
    return problem(error.status_code, str(error.detail), headers=error.headers)


async def _run_directory(request: Request, error: CosimError) -> JSONResponse:
    return problem(HTTPStatus.NOT_FOUND, str(error))


async def _unavailable(request: Request, error: CosimError) -> JSONResponse:
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers=headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    # The server logs it with its traceback.
    detail = "the server made a mistake; its log tells more"
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail)
