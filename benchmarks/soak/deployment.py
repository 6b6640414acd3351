"""A server and its agents with keys, as processes that may be killed and are started again."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import httpx
import psutil

from benchmarks.servers import until
from tvb_nest_cosim.cosim_core.client import Client, ServerRefusal, options
from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.processes.commands import module_command, tied_to_parent
from tvb_nest_cosim.cosim_core.wire.keys import new_keys
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES

SERVER = "server"
READY_S = 90.0
"""Longest time until a server is ready or an agent is there again."""

END_S = 40.0
_ADDRESS = re.compile(r"http://\S+\?token=\S+")

Answer = TypeVar("Answer")


class Deployment:
    """A server, three agents, and a client.

    Args:
        home: Folder of the server.
        scratch: Folder of keys, logs and temporary files.
        environment: Further variables of the processes.
    """

    def __init__(self, home: Path, scratch: Path, environment: Mapping[str, str]) -> None:
        self.home, self.logs, self.temporary = home, scratch / "logs", scratch / "tmp"
        for folder in (self.logs, self.temporary):
            folder.mkdir()
        new_keys(scratch / "keys")
        self._agents_at, self._port = f"tcp://127.0.0.1:{_free_port()}", _free_port()
        self._environment = {
            **os.environ,
            "COSIM_ADVERTISE": "127.0.0.1",
            "COSIM_KEYS": str(scratch / "keys"),
            "TMPDIR": str(self.temporary),
            **environment,
        }
        self.processes: dict[str, psutil.Popen] = {}
        self.address = ""

    def start(self, name: str) -> None:
        """Starts the server or the agent of a role."""
        with (self.logs / name).open("ab") as log:
            command = tied_to_parent(self._command(name))
            self.processes[name] = psutil.Popen(
                command, stdout=log, stderr=log, env=self._environment
            )

    def restore(self) -> list[str]:
        """Starts what is not there, and waits until all are ready; returns what was started."""
        started = [name for name in (SERVER, *MODULES) if not self.is_alive(name)]
        for name in started:
            self.start(name)
        until(self.is_ready, "the server is ready", timeout_s=READY_S)
        return started

    def is_alive(self, name: str) -> bool:
        """Tells whether the server or an agent runs."""
        return name in self.processes and self.processes[name].poll() is None

    def is_ready(self) -> bool:
        """Tells whether the server answers that it is ready, with every agent there."""
        told = _ADDRESS.findall((self.logs / SERVER).read_text(errors="replace"))
        if not told:
            return False
        self.address = told[-1]
        try:
            with httpx.Client(**options(self.address, None)) as http:
                there = http.get("/api/v1/ensemble").raise_for_status().json()["agents"]
                return len(there) == len(MODULES) and http.get("/readyz").is_success
        except httpx.HTTPError:
            return False

    def ask(self, question: Callable[[Client], Answer]) -> Answer:
        """Asks the server by the client, again while it cannot be reached.

        Raises:
            ServerRefusal: If it refuses, or cannot be reached for long.
        """
        deadline = Deadline.after(READY_S)
        while True:
            try:
                with Client(self.address) as client:
                    return question(client)
            except ServerRefusal as refusal:
                if refusal.status or deadline.passed():
                    raise
            time.sleep(0.2)

    def get(self, path: str) -> httpx.Response:
        """Asks for a path below ``/api/v1`` and returns the answer, whatever it is."""
        with httpx.Client(**options(self.address, None)) as http:
            return http.get(f"/api/v1{path}")

    def workers(self) -> list[psutil.Process]:
        """Returns what the agents have started, those that wait for a run among it."""
        agents = [self.processes[role] for role in MODULES if self.is_alive(role)]
        found: list[psutil.Process] = []
        for agent in agents:
            with suppress(psutil.NoSuchProcess):
                found += agent.children()
        return found

    def end(self) -> None:
        """Ends all in good order, and by force what does not end."""
        for process in self.processes.values():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(END_S)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(END_S)

    def _command(self, name: str) -> list[str]:
        if name == SERVER:
            where = ("--port", str(self._port), "--data", str(self.home))
            return module_command(
                "benchmarks.soak.some_undrawn", "serve", *where, "--agents", self._agents_at
            )
        module = next(module for role, module in MODULES.items() if role == name)
        return module_command(module, "agent", "--orchestrator", self._agents_at)


def left_behind(grace_s: float = 10.0) -> list[str]:
    """Returns the descendants of this process that are there after a while, as text, and ends them.

    Orphans are among them if this process adopts such.
    """
    deadline = Deadline.after(grace_s)
    while (left := _descendants()) and not deadline.passed():
        time.sleep(0.1)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return [str(process) for process in left]


def _descendants() -> list[psutil.Process]:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return psutil.Process().children(recursive=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_cosim(*arguments: str | Path) -> None:
    """Calls the command line on this machine, without a server.

    Raises:
        RuntimeError: If it fails.
    """
    command = module_command("tvb_nest_cosim.orchestrator", *map(str, arguments))
    done = subprocess.run(command, capture_output=True, text=True, timeout=READY_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
