"""Holds for every test: one that leaves a process, a thread or a socket behind fails."""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq
from hypothesis import settings
from zmq.utils import garbage

pytest_plugins = ["pytester"]

# A busy machine must not fail a test: examples have no time limit of their own.
settings.register_profile("suite", deadline=None, max_examples=60)
settings.load_profile("suite")

GRACE_S = 2.0
"""How long things may take to end after a test."""

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
"""Data beside the repository that a developer may or may not have."""

COSIM = [sys.executable, "-P", "-m", "tvb_nest_cosim.orchestrator"]
"""The command line, as a process of its own."""

EXAMPLES = Path(__file__).parents[1] / "examples"

EXPERIMENTS = sorted(
    path for path in EXAMPLES.rglob("*.yaml") if not path.name.startswith("sweep_")
)
"""Every shipped experiment; a sweep is none."""

_contexts: weakref.WeakSet[zmq.Context[zmq.Socket[bytes]]] = weakref.WeakSet()


@pytest.fixture(scope="session", autouse=True)
def _know_every_context() -> Iterator[None]:
    """Takes note of every ZeroMQ context that is made; pyzmq keeps no list of them."""
    original = zmq.Context.__init__

    def noting(self: zmq.Context[zmq.Socket[bytes]], *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        _contexts.add(self)

    patch = pytest.MonkeyPatch()
    patch.setattr(zmq.Context, "__init__", noting)
    yield
    patch.undo()


def _processes() -> dict[object, str]:
    """Every descendant of this process, but the helper that multiprocessing itself keeps."""
    found = {}
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            command, state = _command(child)
            if "multiprocessing.resource_tracker" not in command:
                found[child.pid, child.create_time()] = f"process {child.pid} ({state}): {command}"
    return found


def _command(process: psutil.Process) -> tuple[str, str]:
    try:
        return " ".join(process.cmdline()), process.status()
    except psutil.ZombieProcess:
        return process.name(), "ended, but nobody waited for it"


def _threads() -> dict[object, str]:
    running = (thread for thread in threading.enumerate() if not thread.daemon)
    return {thread: f"thread {thread.name}" for thread in running}


def _sockets() -> dict[object, str]:
    """Every open context, but the one by which pyzmq learns that sent memory may be freed."""
    found = {}
    for context in list(_contexts):
        if not context.closed and context is not garbage.gc._context:
            sockets = [socket for socket in list(context._sockets or ()) if not socket.closed]
            kinds = ", ".join(socket.type.name for socket in sockets) or "no socket"
            found[id(context)] = f"ZeroMQ context with {kinds}"
    return found


def _all() -> dict[object, str]:
    kinds: tuple[Callable[[], dict[object, str]], ...] = (_processes, _threads, _sockets)
    return {(look.__name__, key): text for look in kinds for key, text in look().items()}


def _since(before: Set[object]) -> dict[object, str]:
    """What is new, but the children of a process that a wider fixture keeps, such as a browser."""
    known = before | _kept(before)
    return {key: text for key, text in _all().items() if key not in known}


def _kept(before: Set[object]) -> set[object]:
    found: set[object] = set()
    for child in psutil.Process().children():
        if ("_processes", (child.pid, child.create_time())) in before:
            with suppress(psutil.NoSuchProcess):
                grandchildren = child.children(recursive=True)
                found.update(("_processes", (g.pid, g.create_time())) for g in grandchildren)
    return found


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    before = _all().keys()
    yield
    give_up_at = time.monotonic() + GRACE_S
    while left := _since(before):
        if time.monotonic() > give_up_at:
            pytest.fail(f"left behind: {'; '.join(left.values())}")
        time.sleep(0.02)


@pytest.fixture
def shared_data() -> Path:
    """Returns the folder of data beside the repository, or skips the test."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"there is no folder of shared data at {SHARED_DATA}")
    return SHARED_DATA
