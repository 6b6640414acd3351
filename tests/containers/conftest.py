"""A compose project of the tests' own: built, started, used, removed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest

from conftest import COSIM
from containers.stack import AGENTS, ROOT, WAIT_S, Stack, free_port, why_no_engine


@pytest.fixture(scope="session")
def engine() -> None:
    """Skips a test where there is no Docker engine with compose, and says what is missing."""
    if reason := why_no_engine():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def stack(engine: None) -> Iterator[Stack]:
    """Builds the images as `make images` does, one after another, and starts the ensemble."""
    port = free_port()
    made = Stack(f"cosim-test-{os.getpid()}", {"COSIM_PORT": str(port)}, port)
    for service in ("orchestrator", *AGENTS):
        made.compose("build", "--quiet", service)
    try:
        made.compose("up", "--detach", "--wait")
        made.await_ready()
        yield made
        print(made.compose("logs", "--no-color", "--tail", "50"))
    finally:
        made.compose("down", "--volumes", "--timeout", "5", profile="postgres")


@pytest.fixture(scope="session")
def local_digest(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs the quickstart with changes on this machine, without containers."""
    folder = tmp_path_factory.mktemp("local")
    count = iter(range(100))

    def run(*overrides: str) -> str:
        out = str(folder / str(next(count)))
        options = [word for override in overrides for word in ("--set", override)]
        for command in (
            ["run", "examples/quickstart.yaml", *options, "--out", out],
            ["digest", out],
        ):
            done = subprocess.run(
                [*COSIM, *command],
                capture_output=True, text=True, timeout=WAIT_S, cwd=ROOT, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run
