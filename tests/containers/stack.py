"""The ensemble in containers, as tests use it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tvb_nest_cosim.cosim_core.client import FINAL, Client, ServerRefusal

ROOT = Path(__file__).parents[2]
AGENTS = ("nest", "tvb", "translator")
WAIT_S = 240.0
"""Longest wait for anything; what has to be quick is asserted by the tests."""

SMALL = ["adex.neurons=100", "duration_ms=50"]
"""Overrides of the quickstart that make it a matter of seconds."""


def docker(*arguments: str, environment: dict[str, str] | None = None) -> str:
    """Calls docker and returns what it printed."""
    done = subprocess.run(
        ["docker", *arguments],
        capture_output=True, text=True, timeout=3600, cwd=ROOT, check=False,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def why_no_engine() -> str:
    """Says why containers cannot be tested here; empty if they can."""
    if os.environ.get("COSIM_TEST_CONTAINERS") != "1":
        return "container tests take minutes; 'make test-containers' runs them"
    if shutil.which("docker") is None:
        return "there is no docker in PATH"
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            return f"'{' '.join(command)}' fails: {done.stderr.strip()}"
    return ""


@dataclass
class Stack:
    """The ensemble in containers.

    Attributes:
        project: Name of the compose project.
        environment: What the compose file is told.
        port: Published port.
    """

    project: str
    environment: dict[str, str]
    port: int

    def compose(self, *arguments: str, profile: str | None = None) -> str:
        profiles = ["--profile", profile] if profile else []
        return docker(
            "compose", "--project-name", self.project, *profiles, *arguments,
            environment=self.environment,
        )  # fmt: skip

    def container(self, service: str) -> str:
        return f"{self.project}-{service}-1"

    def inspect(self, service: str) -> dict[str, Any]:
        return dict(json.loads(docker("inspect", self.container(service)))[0])

    def inside(self, service: str, *command: str) -> str:
        return docker("exec", self.container(service), *command)

    def client(self) -> Client:
        token = self.inside("orchestrator", "cat", "/data/token")
        return Client(f"http://127.0.0.1:{self.port}", token)

    def agents(self) -> list[dict[str, Any]]:
        """Returns the agents that the orchestrator hears."""
        with self.client() as client:
            answer = client._http.get("/api/v1/ensemble").raise_for_status().json()
        return list(answer["agents"])

    def await_ready(self) -> None:
        """Waits until every container is healthy and every agent is free."""
        until(lambda: all(self._health(s) == "healthy" for s in ("orchestrator", *AGENTS)))
        until(lambda: {a["role"] for a in self.agents() if not a["busy"]} == set(AGENTS))

    def start_run(self, *overrides: str, example: str = "quickstart.yaml") -> str:
        """Queues a shipped experiment with changes; returns the identity of the run."""
        text = (ROOT / "examples" / example).read_text()
        with self.client() as client:
            return str(client.create(text, overrides).id)

    def look_at(self, run: str) -> dict[str, Any]:
        with self.client() as client:
            return client.run(run).model_dump()

    def finish(self, run: str) -> dict[str, Any]:
        """Waits until a run has ended, however."""
        until(lambda: self.look_at(run)["state"] in FINAL)
        return self.look_at(run)

    def await_windows(self, run: str) -> None:
        """Waits until a run has done some windows."""

        def is_under_way() -> bool:
            seen = self.look_at(run)
            assert seen["state"] not in FINAL, seen
            return seen["state"] == "running" and seen["windows"] >= 5

        until(is_under_way)

    def _health(self, service: str) -> str:
        return str(self.inspect(service)["State"]["Health"]["Status"])


def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition; a server that is just starting counts as no."""
    give_up_at = time.monotonic() + WAIT_S
    last = "it never held"
    while time.monotonic() < give_up_at:
        try:
            if condition():
                return
        except (httpx.TransportError, ServerRefusal) as error:
            last = str(error)
        time.sleep(0.2)
    raise AssertionError(f"waited {WAIT_S:.0f} s in vain: {last}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
