"""The same conversations over every transport: in memory, over a local socket, over TCP."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import zmq

from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.errors import ParticipantLost
from tvb_nest_cosim.cosim_core.model.signals import Block
from tvb_nest_cosim.cosim_core.wire.codec import decode_block, encode_block
from tvb_nest_cosim.cosim_core.wire.transport import Channel, MemoryTransport, Transport
from tvb_nest_cosim.cosim_core.wire.zmq_transport import ZmqTransport

TIMEOUT_S = 20.0


class Place:
    """Where a conversation takes place; every party has a transport, as every process has."""

    def __init__(self, endpoint: str, make: Callable[[], Transport]) -> None:
        self.endpoint = endpoint
        self._make = make
        self._transports = []

    def transport(self) -> Transport:
        transport = self._make()
        self._transports.append(transport)
        return transport

    def close(self) -> None:
        for transport in self._transports:
            transport.close()


@pytest.fixture(params=["memory", "ipc", "tcp"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    # Paths of local sockets are limited to about 100 bytes; those of pytest may be longer.
    folder = tempfile.mkdtemp(prefix="cosim-")
    shared = MemoryTransport()
    places = {
        "memory": ("memory://hub", lambda: shared),
        "ipc": (f"ipc://{folder}/hub", ZmqTransport),
        "tcp": ("tcp://127.0.0.1:*", ZmqTransport),
    }
    found = Place(*places[request.param])
    yield found
    found.close()
    shutil.rmtree(folder)


def receive(transport: Transport, channel: Channel) -> tuple[str, list[bytes]]:
    deadline = Deadline.after(TIMEOUT_S)
    while (received := channel.receive()) is None:
        assert not deadline.passed(), "nothing came"
        transport.wait([channel], deadline.sooner(0.1))
    peer, frames = received
    return peer, [bytes(frame) for frame in frames]


def lost(transport: Transport, channel: Channel) -> str:
    deadline = Deadline.after(TIMEOUT_S)
    while not deadline.passed():
        try:
            assert channel.receive() is None
        except ParticipantLost as error:
            return str(error)
        transport.wait([channel], deadline.sooner(0.1))
    pytest.fail("the loss was not noticed")


def met(place: Place, *names: str) -> tuple[Transport, Channel, list[tuple[Transport, Channel]]]:
    """Returns a hub and its connected peers, who have greeted and were answered."""
    transport = place.transport()
    hub = transport.bind(place.endpoint)
    peers = []
    for name in names:
        own = place.transport()
        channel = own.connect(hub.endpoint, name)
        channel.send([b"hello"])
        assert receive(transport, hub) == (name, [b"hello"])
        hub.send([b"welcome"], name)
        assert receive(own, channel) == ("", [b"welcome"])
        peers.append((own, channel))
    return transport, hub, peers


def test_frames_go_to_whom_they_are_sent(place: Place) -> None:
    transport, hub, ((a_side, a), (b_side, b)) = met(place, "nest-0", "nest-1")
    hub.send([b"for a", b"", b"\x00\xff"], "nest-0")
    hub.send([b"for b"], "nest-1")
    assert receive(a_side, a) == ("", [b"for a", b"", b"\x00\xff"])
    assert receive(b_side, b) == ("", [b"for b"])
    assert a.receive() is None
    b.send([b"from b"])
    assert receive(transport, hub) == ("nest-1", [b"from b"])
    assert hub.receive() is None


def test_messages_of_a_peer_stay_in_order(place: Place) -> None:
    transport, hub, ((_, peer),) = met(place, "tvb-0")
    for number in range(500):
        peer.send([str(number).encode()])
    got = [int(receive(transport, hub)[1][0]) for _ in range(500)]
    assert got == list(range(500))


def test_large_blocks_arrive_whole(place: Place) -> None:
    transport, hub, ((_, peer),) = met(place, "tvb-0")
    values = np.arange(300_000.0)
    peer.send(encode_block(Block("tvb>translator", 0, 0, {"coupling/r": values}), "run"))
    _, frames = receive(transport, hub)
    got = decode_block(frames, "run", "tvb-0").arrays["coupling/r"]
    np.testing.assert_array_equal(got, values)


def test_an_unknown_peer_cannot_be_sent_to(place: Place) -> None:
    _, hub, _ = met(place, "tvb-0")
    with pytest.raises(ParticipantLost, match="nest-7"):
        hub.send([b"anybody?"], "nest-7")


def test_a_peer_that_left_cannot_be_sent_to(place: Place) -> None:
    _, hub, ((_, peer),) = met(place, "tvb-0")
    peer.close()
    deadline = Deadline.after(TIMEOUT_S)

    def insist() -> None:
        while not deadline.passed():
            hub.send([b"still there?"], "tvb-0")
            time.sleep(0.01)

    with pytest.raises(ParticipantLost, match="tvb-0"):
        insist()


def test_a_hub_that_left_is_noticed(place: Place) -> None:
    _, hub, ((side, peer),) = met(place, "tvb-0")
    hub.close()
    assert hub.endpoint in lost(side, peer)


def test_what_was_sent_before_leaving_is_received_before_the_loss(place: Place) -> None:
    _, hub, ((side, peer),) = met(place, "tvb-0")
    for number in range(20):
        hub.send([bytes([number])], "tvb-0")
    hub.close()
    assert [receive(side, peer)[1] for _ in range(20)] == [[bytes([n])] for n in range(20)]
    lost(side, peer)


def test_waiting_ends_when_a_message_comes(place: Place) -> None:
    transport, hub, ((_, peer),) = met(place, "tvb-0")
    sender = threading.Timer(0.05, peer.send, args=([b"now"],))
    sender.start()
    transport.wait([hub], TIMEOUT_S)
    sender.join()
    assert hub.receive() is not None


def test_waiting_ends_when_the_hub_is_gone(place: Place) -> None:
    _, hub, ((side, peer),) = met(place, "tvb-0")
    hub.close()
    deadline = Deadline.after(TIMEOUT_S)
    side.wait([peer], TIMEOUT_S)
    assert not deadline.passed()


def test_waiting_ends_at_its_time(place: Place) -> None:
    transport, hub, _ = met(place, "tvb-0")
    transport.wait([hub], 0.01)
    transport.wait([hub], 0.0)
    assert hub.receive() is None


def test_closing_twice_is_harmless(place: Place) -> None:
    transport, hub, ((side, peer),) = met(place, "tvb-0")
    peer.close()
    peer.close()
    hub.close()
    hub.close()
    side.close()
    transport.close()
    transport.close()


@pytest.mark.parametrize("place", ["memory", "tcp"], indirect=True)
def test_a_taken_endpoint_is_refused(place: Place) -> None:
    transport = place.transport()
    hub = transport.bind(place.endpoint)
    with pytest.raises(ParticipantLost, match=r"bind|bound"):
        transport.bind(hub.endpoint)


def test_ports_are_resolved(place: Place) -> None:
    hub = place.transport().bind(place.endpoint)
    assert "*" not in hub.endpoint


@pytest.mark.parametrize("place", ["ipc"], indirect=True)
def test_who_comes_first_waits(place: Place) -> None:
    side, transport = place.transport(), place.transport()
    peer = side.connect(place.endpoint, "tvb-0")
    peer.send([b"early"])
    hub = transport.bind(place.endpoint)
    assert receive(transport, hub) == ("tvb-0", [b"early"])


def test_memory_knows_who_is_bound() -> None:
    with pytest.raises(ParticipantLost, match="nobody is bound to memory://none"):
        MemoryTransport().connect("memory://none", "tvb-0")


@pytest.mark.parametrize(
    "endpoint", ["nonsense", "ipc://", "tcp://127.0.0.1:nowhere", "smoke://signal"]
)
def test_bad_endpoints_are_refused(endpoint: str) -> None:
    transport = ZmqTransport()
    with pytest.raises(ParticipantLost, match="cannot bind"):
        transport.bind(endpoint)
    if endpoint not in ("ipc://",):
        with pytest.raises(ParticipantLost, match="cannot connect"):
            transport.connect(endpoint, "tvb-0")
    transport.close()


def test_more_sockets_than_there_may_be_are_told_in_a_sentence() -> None:
    transport = ZmqTransport()
    transport._context.set(zmq.MAX_SOCKETS, 1)
    try:
        with pytest.raises(ParticipantLost, match=r"no socket can be made for tcp:.*ulimit -n"):
            list(map(transport.bind, ["tcp://127.0.0.1:*"] * 3))
    finally:
        transport.close()
