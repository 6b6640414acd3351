"""Connections that say nothing, or too little."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import pytest

from api.conftest import Served
from api.fake_ensemble import TINY, FakeEnsemble, Gate
from tvb_nest_cosim.orchestrator.server.settings import Settings

HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /api/v1/validate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"


@pytest.fixture
def quick(settings: Settings, start: Any, ensemble: FakeEnsemble) -> Iterator[Served]:
    """A server that waits for a request half a second, and takes twenty connections."""
    few = settings.model_copy(update={"request_s": 0.5, "max_connections": 20})
    with start(few, ensemble) as served:
        yield served


def opened(served: Served, first: bytes) -> socket.socket:
    """Opens a connection and sends the beginning of a request."""
    url = httpx.URL(served.address)
    found = socket.create_connection((url.host, url.port), timeout=10)
    found.sendall(first)
    return found


def is_closed(connection: socket.socket, within_s: float) -> bool:
    connection.settimeout(within_s)
    try:
        return not connection.recv(1000)
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


@pytest.mark.parametrize("first", [b"", HEAD, POST], ids=["nothing", "head", "body"])
def test_a_request_that_does_not_arrive_ends_its_connection(quick: Served, first: bytes) -> None:
    with ExitStack() as stack:
        half_open = [stack.enter_context(opened(quick, first)) for _ in range(30)]
        began_s = time.monotonic()
        for connection in half_open:
            answer = connection if first != POST else _answered(connection)
            assert is_closed(answer, 5.0)
        assert time.monotonic() - began_s < 4.0
        assert quick.client.runs().total == 0


def _answered(connection: socket.socket) -> socket.socket:
    """Reads what a server says that does not wait for the body, since there is no token."""
    connection.settimeout(5.0)
    try:
        while connection.recv(1000):
            pass
    except (ConnectionResetError, TimeoutError):
        pass
    return connection


def test_drops_of_a_request_do_not_keep_a_connection(quick: Served) -> None:
    with opened(quick, HEAD) as connection:
        give_up_at = time.monotonic() + 5.0
        while not is_closed(connection, 0.1):
            assert time.monotonic() < give_up_at
            _drop(connection)


def _drop(connection: socket.socket) -> None:
    with suppress(OSError):  # it was closed just now
        connection.sendall(b"X-More: 1\r\n")


def test_streams_and_idle_clients_are_not_ended(quick: Served) -> None:
    gate = quick.ensemble.ends["tiny"] = Gate()
    run = quick.client.create(TINY).id
    assert gate.reached.wait(30)
    with quick.client._http.stream("GET", f"/api/v1/runs/{run}/events") as response:
        time.sleep(1.0)  # longer than a request may take
        gate.open()
        lines = list(response.iter_lines())
    assert "id: end" in lines
    time.sleep(1.0)
    assert quick.client.run(run).state == "finished"


def test_too_many_connections_are_told_to_come_back(quick: Served) -> None:
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(opened(quick, HEAD))
        with quick.http as http:
            assert http.get("/healthz").status_code == 503
    time.sleep(0.2)
    with quick.http as http:
        assert http.get("/healthz").status_code == 200
