"""The process of a server: folder, lock, port, token, and its end by signals."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn

from tvb_nest_cosim.cosim_core.errors import CosimError
from tvb_nest_cosim.cosim_core.run_dir.logs import JsonLines
from tvb_nest_cosim.orchestrator.launchers.agents import AgentsLauncher
from tvb_nest_cosim.orchestrator.launchers.base import Launcher
from tvb_nest_cosim.orchestrator.launchers.local import LOCAL
from tvb_nest_cosim.orchestrator.server.app import build_app, build_service
from tvb_nest_cosim.orchestrator.server.security.access import Access, load_or_make, make_new
from tvb_nest_cosim.orchestrator.server.security.bounded_http import bounded_http
from tvb_nest_cosim.orchestrator.server.service import Service
from tvb_nest_cosim.orchestrator.server.settings import Settings

_CLOSE_STREAMS_S = 5
_PRIVATE = 0o700
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound


class ServerError(CosimError):
    """A server that cannot start."""


def serve(settings: Settings, *, new_token: bool, tell: Callable[[str], None]) -> None:
    """Runs a server until SIGINT or SIGTERM.

    Args:
        settings: Its settings.
        new_token: Make a new token first.
        tell: Called with the address, which holds the token.

    Raises:
        ServerError: If it cannot start.
        TokenError: If the token cannot be read or made.
        StoreError: If the database cannot be used.
    """
    _log_to_stderr()
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
    except OSError as error:
        raise ServerError(f"cannot make the folder {settings.home}: {error}") from error
    with _alone(settings.home), _listening(settings) as listening:
        access = (make_new if new_token else load_or_make)(settings.token_file)
        service = build_service(settings, _launcher(settings))
        server = _Server(_config(settings, service, access), service)
        tell(_address(settings, listening, access))
        _ignore_ending_signals()
        server.run([listening])


def _launcher(settings: Settings) -> Launcher:
    if settings.agents is None:
        return LOCAL
    return AgentsLauncher(settings.agents, settings.keys)


def _config(settings: Settings, service: Service, access: Access) -> uvicorn.Config:
    return uvicorn.Config(
        build_app(service, access),
        http=bounded_http(settings.request_s),
        limit_concurrency=settings.max_connections,
        access_log=False,
        log_config=None,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=_CLOSE_STREAMS_S,
    )


class _Server(uvicorn.Server):
    """Ends its event streams before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends the server."""
        self._service.hub.close()
        await super().shutdown(sockets)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Makes sure that no other server uses the folder: they would take each other's runs."""
    path = home / "lock"
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ServerError(
                f"another server uses {home}; end it, or give this one a folder of its own (--data)"
            ) from error
        yield


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """Opens the port before anything else is done."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    with listening:
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((settings.host, settings.port))
        except OSError as error:
            raise ServerError(
                f"cannot listen on {settings.host}, port {settings.port}: "
                f"{error.strerror or error}; --port chooses another"
            ) from error
        yield listening


def _address(settings: Settings, listening: socket.socket, access: Access) -> str:
    host = "127.0.0.1" if settings.host in _EVERYWHERE else settings.host
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}/?token={access.token}"


def _ignore_ending_signals() -> None:
    """Lets the process end as it should after uvicorn has ended.

    Uvicorn raises the signal that ended it once more when all is done.
    """

    def done(number: int, frame: FrameType | None) -> None:
        logging.getLogger(__name__).info("ended by %s", signal.Signals(number).name)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, done)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines("orchestrator", f"server-{os.getpid()}"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("alembic").setLevel(logging.WARNING)
