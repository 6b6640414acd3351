"""Servers for tests: real sockets, a thread of this process, and simulators made of cardboard."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.fake_ensemble import TINY, FakeEnsemble
from tvb_nest_cosim.cosim_core.client import Client, RunAnswer
from tvb_nest_cosim.orchestrator.run import runner
from tvb_nest_cosim.orchestrator.server import process as serving
from tvb_nest_cosim.orchestrator.server.app import build_service
from tvb_nest_cosim.orchestrator.server.security.access import Access, load_or_make
from tvb_nest_cosim.orchestrator.server.service import Service
from tvb_nest_cosim.orchestrator.server.settings import Settings

EXAMPLES = Path(__file__).parents[2] / "examples"
WAIT_S = 60.0


@dataclass
class Served:
    """A server that listens."""

    address: str
    access: Access
    service: Service
    ensemble: FakeEnsemble
    client: Client

    @property
    def http(self) -> httpx.Client:
        """A plain client without token; close it."""
        return httpx.Client(base_url=self.address, timeout=30)

    def until(self, run: str, *states: str) -> RunAnswer:
        """Waits until a run is in one of the states."""
        give_up_at = time.monotonic() + WAIT_S
        while (found := self.client.run(run)).state not in states:
            assert time.monotonic() < give_up_at, f"{found.state}: {found.cause}"
            time.sleep(0.01)
        return found


@contextmanager
def running(settings: Settings, ensemble: FakeEnsemble) -> Iterator[Served]:
    """Runs a server in a thread."""
    settings.home.mkdir(parents=True, exist_ok=True)
    access = load_or_make(settings.token_file)
    with serving._listening(settings) as listening:
        carry_out = ensemble.run if isinstance(ensemble, FakeEnsemble) else runner.run
        service = build_service(settings, ensemble, carry_out)
        server = serving._Server(serving._config(settings, service, access), service)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            with Client(address, access.token) as client:
                while not server.started:
                    assert thread.is_alive(), "the server did not start"
                    time.sleep(0.005)
                yield Served(address, access, service, ensemble, client)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", port=0, examples=EXAMPLES, grace_s=5)


@pytest.fixture
def ensemble() -> FakeEnsemble:
    return FakeEnsemble()


@pytest.fixture
def served(settings: Settings, ensemble: FakeEnsemble) -> Iterator[Served]:
    with running(settings, ensemble) as server:
        yield server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server for tests that leave it as it was, or nearly so."""
    home = tmp_path_factory.mktemp("shared")
    with running(
        Settings(home=home, port=0, examples=EXAMPLES, grace_s=5), FakeEnsemble()
    ) as server:
        yield server


@pytest.fixture(scope="module")
def finished(shared: Served) -> str:
    """A run of the shared server that has finished."""
    run: str = shared.client.create(TINY).id
    shared.client.wait(run)
    return run


@pytest.fixture
def start() -> Callable[..., Any]:
    """Runs a server with settings of the test's choice."""
    return running
