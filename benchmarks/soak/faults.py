"""The faults: each breaks one thing, waits, and takes back what only it can take back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass

import psutil

from benchmarks.soak import damage
from benchmarks.soak.deployment import SERVER
from benchmarks.soak.sandbox import loopback_down
from benchmarks.soak.scene import Scene, killed, stopped
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES

GIVE_UP_S = 40.0
"""When a process that was stopped for good is ended by the soak, since nobody else has."""

_PIECES_BYTES = (2**20, 4096, 1)


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        name: Its name.
        inject: Carries it out and takes it back; processes that are gone are started by the caller.
        survives: Whether a run that goes on has to finish all the same.
        ends: Processes that may end with it: ``server``, or roles of agents.
        needs: ``namespaces`` or ``clock``, if it needs one.
    """

    name: str
    inject: Callable[[Scene], None]
    survives: bool = False
    ends: tuple[str, ...] = ()
    needs: str = ""


def _nothing(scene: Scene) -> None:
    scene.wait(0, 1)


def _kill_worker(scene: Scene) -> None:
    killed(scene.worker())


def _stop_worker_for_a_while(scene: Scene) -> None:
    with stopped(scene.worker()):
        scene.wait(0.5, 3)


def _stop_worker_for_good(scene: Scene) -> None:
    worker = scene.worker()
    with suppress(psutil.NoSuchProcess):
        worker.suspend()
        try:
            worker.wait(GIVE_UP_S)
        except psutil.TimeoutExpired:
            # It was the worker of no run, and no run has needed it since.
            killed(worker)


def _kill_agent(scene: Scene) -> None:
    killed(scene.agent())
    scene.wait(0, 2)


def _stop_agent(scene: Scene) -> None:
    with stopped(scene.agent()):
        scene.wait(1, 8)


def _kill_server(scene: Scene) -> None:
    killed(scene.server)
    scene.wait(0, 2)


def _end_server(scene: Scene) -> None:
    scene.server.terminate()
    scene.server.wait(60)


def _stop_server(scene: Scene) -> None:
    with stopped(scene.server):
        scene.wait(0.5, 4)


def _fill_disk(scene: Scene) -> None:
    path = scene.deployment.home / "filler"
    try:
        with path.open("wb", buffering=0) as file:
            for size in _PIECES_BYTES:
                with suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass
        scene.wait(1, 5)
    finally:
        path.unlink(missing_ok=True)


def _cut_network(scene: Scene) -> None:
    with loopback_down():
        scene.wait(0.3, 2)


def _cut_network_for_long(scene: Scene) -> None:
    with loopback_down():
        scene.wait(7, 12)


def _lock_database(scene: Scene) -> None:
    file = scene.deployment.home / "cosim.db"
    with closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        scene.wait(1, 13)


def _jump_clock(scene: Scene) -> None:
    for offset_s in (scene.chance.choice([-86_400, -3_600, -5, 5, 3_600, 86_400]), 0):
        scene.clock.set(offset_s)
        scene.wait(0.5, 3)


NOTHING = Fault("nothing", _nothing, survives=True)

FAULTS: tuple[Fault, ...] = (
    NOTHING,
    Fault("worker killed", _kill_worker),
    Fault("worker stopped for up to 3 s", _stop_worker_for_a_while, survives=True),
    Fault("worker stopped for good", _stop_worker_for_good),
    Fault("agent killed", _kill_agent, ends=tuple(MODULES)),
    Fault("agent stopped for up to 8 s", _stop_agent),
    Fault("server stopped for up to 4 s", _stop_server, survives=True),
    Fault("server killed", _kill_server, ends=(SERVER,)),
    Fault("server told to end", _end_server, ends=(SERVER,)),
    Fault("disk full for up to 5 s", _fill_disk, needs="namespaces"),
    Fault("network cut for up to 2 s", _cut_network, survives=True, needs="namespaces"),
    Fault("network cut for 7 to 12 s", _cut_network_for_long, needs="namespaces"),
    Fault("database locked for up to 13 s", _lock_database, survives=True),
    Fault("clock jumps by up to a day", _jump_clock, survives=True, needs="clock"),
    Fault("files of an ended run damaged", damage.damage_and_read, survives=True),
)
