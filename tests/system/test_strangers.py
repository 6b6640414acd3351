"""Beyond one host: whoever has no listed key learns nothing and disturbs nobody."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from system.agent_ensemble import Ensemble, nothing
from tvb_nest_cosim.cosim_core.errors import ParticipantLost
from tvb_nest_cosim.cosim_core.results import digest
from tvb_nest_cosim.cosim_core.wire.keys import load_keys, new_keys
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES
from tvb_nest_cosim.cosim_core.wire.zmq_transport import ZmqTransport

GARBAGE = b"\xff" + b"COSIM garbage " * 500
WHISPER = b"what nobody else shall read " * 10
WAIT_S = 10.0


class Wiretap:
    """Stands between two processes on TCP, passes everything on and keeps a copy."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.heard = bytearray()
        self._threads = [threading.Thread(target=self._tap)]
        self._threads[0].start()

    def _tap(self) -> None:
        near, _ = self._listening.accept()
        far = socket.create_connection(("127.0.0.1", self._port))
        self._threads += [
            threading.Thread(target=self._pass_on, args=ends) for ends in ((near, far), (far, near))
        ]
        for thread in self._threads[1:]:
            thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with source, suppress(OSError):
            while data := source.recv(65536):
                self.heard += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for thread in self._threads:
            thread.join(WAIT_S)
        self._listening.close()


@pytest.mark.parametrize("guarded", [True, False], ids=["with keys", "in the clear"])
def test_an_eavesdropper_reads_nothing(tmp_path: Path, guarded: bool) -> None:
    """Without keys, which is for one host alone, the same ear hears every word."""
    keys: dict[str, Any] = {"orchestrator": None, "nest": None}
    if guarded:
        new_keys(tmp_path / "keys")
        keys = {name: load_keys(tmp_path / "keys", name) for name in keys}
    near, far = ZmqTransport(keys["nest"]), ZmqTransport(keys["orchestrator"])
    hub = far.bind("tcp://127.0.0.1:*")
    ear = Wiretap(int(hub.endpoint.rsplit(":", 1)[1]))
    try:
        channel = near.connect(f"tcp://127.0.0.1:{ear.port}", "nest-0")
        channel.send([WHISPER])
        far.wait([hub], WAIT_S)
        assert hub.receive() == ("nest-0", [WHISPER])
        hub.send([WHISPER], "nest-0")
        near.wait([channel], WAIT_S)
        assert channel.receive() == ("", [WHISPER])
    finally:
        near.close()
        far.close()
        ear.close()
    assert (WHISPER in ear.heard) is not guarded
    assert (b"nest-0" in ear.heard) is not guarded


def test_a_server_with_another_key_is_not_talked_to(tmp_path: Path) -> None:
    """Who pretends to be the orchestrator cannot even say hello."""
    for name in ("real", "false"):
        new_keys(tmp_path / name)
    near = ZmqTransport(load_keys(tmp_path / "real", "nest"))
    far = ZmqTransport(load_keys(tmp_path / "false", "orchestrator"))
    try:
        hub = far.bind("tcp://127.0.0.1:*")
        channel = near.connect(hub.endpoint, "nest-0")
        channel.send([WHISPER])
        far.wait([hub], 0.5)
        assert hub.receive() is None
        with pytest.raises(ParticipantLost):
            _receive(near, channel)
    finally:
        near.close()
        far.close()


def _receive(transport: ZmqTransport, channel: Any) -> object:
    give_up_at = time.monotonic() + WAIT_S
    while time.monotonic() < give_up_at:
        if (received := channel.receive()) is not None:
            return received
        transport.wait([channel], 0.1)
    return None


def listening_ports() -> set[int]:
    """Every TCP port at which this process or a descendant listens."""
    me = psutil.Process()
    ports = set()
    for process in (me, *me.children(recursive=True)):
        with suppress(psutil.Error):
            ports |= {
                found.laddr.port
                for found in process.net_connections(kind="tcp")
                if found.status == psutil.CONN_LISTEN
            }
    return ports


class Strangers:
    """Three kinds of strangers who shout at every port of a run.

    Attributes:
        reached: Ports that were shouted at.
        answers: What they were told, which should be nothing.
    """

    def __init__(self, server_key: bytes) -> None:
        self._server_key = server_key
        self.reached: set[int] = set()
        self.answers: list[bytes] = []
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._shout)

    @contextmanager
    def shouting(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._enough.set()
            self._thread.join()

    def _shout(self) -> None:
        context = zmq.Context()
        sockets: list[zmq.Socket[bytes]] = []
        while not self._enough.wait(0.05):
            for port in listening_ports():
                if port not in self.reached:
                    sockets += self._visit(context, port)
                    self.reached.add(port)
                shout_raw(port)
            for stranger in sockets:
                # Whoever is turned away at the door soon has nowhere to send to.
                with suppress(zmq.Again):
                    for _ in range(50):
                        stranger.send_multipart([b"COSIM", GARBAGE], zmq.NOBLOCK)
                with suppress(zmq.Again):
                    self.answers.append(stranger.recv(zmq.NOBLOCK))
        context.destroy(linger=0)

    def _visit(self, context: zmq.Context[zmq.Socket[bytes]], port: int) -> list[Any]:
        plain, unlisted = (context.socket(zmq.DEALER) for _ in range(2))
        unlisted.curve_publickey, unlisted.curve_secretkey = zmq.curve_keypair()
        unlisted.curve_serverkey = self._server_key
        for stranger in (plain, unlisted):
            # The name of a real participant must not help.
            stranger.setsockopt(zmq.IDENTITY, b"nest-0")
            stranger.connect(f"tcp://127.0.0.1:{port}")
        return [plain, unlisted]


def shout_raw(port: int) -> None:
    """Sends bytes that are not even ZeroMQ's protocol."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0) as stranger:
        stranger.settimeout(1.0)
        stranger.sendall(GARBAGE)


def test_a_flood_of_garbage_does_not_disturb_a_run(
    guarded: Ensemble, tiny: dict[str, Any], tmp_path: Path, finished_here: Callable[..., Any]
) -> None:
    """At the door of the agents, at the control plane and at the data plane."""
    tiny["duration_ms"] = 20.0
    expected = finished_here(tiny).digest
    guarded.await_free(*MODULES)
    before = {agent.name for agent in guarded.hub.agents()}
    assert guarded.keys is not None
    strangers = Strangers(guarded.keys.public)
    with strangers.shouting():
        outcome = guarded.run(tiny, tmp_path / "guarded", nothing)
    assert outcome.kind == "finished", outcome
    assert digest(tmp_path / "guarded") == expected
    assert {agent.name for agent in guarded.hub.agents()} == before
    assert len(strangers.reached) >= 3
    assert not strangers.answers
