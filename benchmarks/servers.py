"""``cosim serve`` as users have it, with agents that wait."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO

import httpx
import psutil

from benchmarks.framework import Setting
from tvb_nest_cosim.cosim_core.client import PREFIX, Client, ServerRefusal, options
from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES

EXAMPLES = Path(__file__).parents[1] / "examples"
WAIT_S = 120.0
QUIET_S = 1.0
_ADDRESS = re.compile(r"http://\S+\?token=\S+")


@dataclass(frozen=True)
class Served:
    """A server, and what serves it.

    Attributes:
        address: Address with the token.
        client: A client of it.
        server: Its process.
        agents: Processes of the agents.
    """

    address: str
    client: Client
    server: psutil.Popen
    agents: tuple[psutil.Popen, ...]

    def settle(self) -> None:
        """Waits until every agent is free and neither it nor what it started works."""
        until(self._are_free, "three agents are free")
        used = -1.0
        while (now := sum(map(_cpu_s, self.agents))) - used > QUIET_S / 50:
            used = now
            time.sleep(QUIET_S)

    def end(self, run: str) -> None:
        """Ends a run now, unless it ends by itself already."""
        try:
            self.client.abort(run)
        except ServerRefusal as refusal:
            if refusal.status != HTTPStatus.CONFLICT:
                raise
        self.client.wait(run)

    def _are_free(self) -> bool:
        with suppress(httpx.TransportError):
            with httpx.Client(**options(self.address, None)) as http:
                there = http.get(f"{PREFIX}/ensemble").json()["agents"]
            return len(there) == len(MODULES) and not any(agent["busy"] for agent in there)
        return False


def until(
    condition: Callable[[], bool], what: str, *, every_s: float = 0.05, timeout_s: float = WAIT_S
) -> None:
    """Waits until a condition holds.

    Args:
        condition: The condition.
        what: What is waited for, for the message.
        every_s: Time between two looks.
        timeout_s: Longest time.

    Raises:
        TimeoutError: If it does not in time.
    """
    deadline = Deadline.after(timeout_s)
    while not condition():
        if deadline.passed():
            raise TimeoutError(f"not within {timeout_s:g} s: {what}")
        time.sleep(every_s)


@contextmanager
def served() -> Iterator[Served]:
    """Starts a server with an empty folder, and three agents; ends all of them."""
    agents_at = f"tcp://127.0.0.1:{_free_port()}"
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        serve = ["serve", "--port", "0", "--data", str(home), "--agents", agents_at]
        log = stack.enter_context((home / "log").open("wb"))
        server = stack.enter_context(_process("tvb_nest_cosim.orchestrator", *serve, log=log))
        agents = tuple(
            stack.enter_context(_process(module, "agent", "--orchestrator", agents_at, log=log))
            for module in MODULES.values()
        )
        address = _told_address(server)
        client = stack.enter_context(Client(address))
        found = Served(address, client, server, agents)
        found.settle()
        yield found


@contextmanager
def _process(module: str, *arguments: str, log: IO[bytes]) -> Iterator[psutil.Popen]:
    command = [sys.executable, "-P", "-m", module, *arguments]
    process = psutil.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(WAIT_S)
        process.stdout.close()


def _told_address(server: psutil.Popen) -> str:
    for line in server.stdout:
        if found := _ADDRESS.search(line):
            return found[0]
    raise RuntimeError("cosim serve ended before it told its address")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _cpu_s(process: psutil.Popen) -> float:
    found = 0.0
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            found += times.user + times.system
    return found


def experiment(name: str, setting: Setting) -> tuple[str, list[str]]:
    """Returns a shipped experiment, and what makes it tiny if it is to be so."""
    small = ["adex.neurons=100", "adex.K_ext=100", "duration_ms=40"] if setting.is_tiny else []
    return (EXAMPLES / f"{name}.yaml").read_text(), small
