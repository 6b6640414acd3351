"""Channels over ZeroMQ: a ROUTER where a channel is bound, a DEALER where it connects.

The only module that imports zmq. One place sets the options of every socket.
"""

from __future__ import annotations

from collections.abc import Sequence

import zmq

from cosim_core.codec import MAX_BLOCK_BYTES
from cosim_core.errors import ParticipantLost
from cosim_core.protocol import Frame, Frames
from cosim_core.transport import Channel, Received

LINGER_MS = 2000
"""How long closing waits for messages that are still on their way out."""

HEARTBEAT_MS = 2000
HEARTBEAT_TIMEOUT_MS = 10_000
"""libzmq's I/O thread answers heartbeats, so a simulator that computes for minutes stays alive.
Within a machine there are none: the system tells at once when a process ends, and one that the
user has stopped for a while (Ctrl-Z) is not lost."""

HIGH_WATER_MARK = 100_000
"""Messages; far above what a lookahead of two windows can put on its way."""

_COPY_BELOW_BYTES = 65_536


class ZmqTransport:
    """ZeroMQ channels of one process."""

    def __init__(self) -> None:
        self._context = zmq.Context()
        self._channels: list[ZmqChannel] = []

    def bind(self, endpoint: str) -> Channel:
        """Binds a ROUTER.

        Args:
            endpoint: ``ipc://PATH`` or ``tcp://ADDRESS:PORT``; port ``*`` lets the system choose.

        Raises:
            ParticipantLost: If the address cannot be bound.
        """
        socket = self._socket(zmq.ROUTER, endpoint)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            socket.close(linger=0)
            raise ParticipantLost(f"cannot bind {endpoint}: {error}") from error
        return self._keep(ZmqChannel(socket, socket.getsockopt_string(zmq.LAST_ENDPOINT), None))

    def connect(self, endpoint: str, name: str) -> Channel:
        """Connects a DEALER; succeeds even if nobody is bound there yet.

        Raises:
            ParticipantLost: If the endpoint is no valid address.
        """
        socket = self._socket(zmq.DEALER, endpoint)
        socket.setsockopt_string(zmq.IDENTITY, name)
        monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        try:
            socket.connect(endpoint)
        except zmq.ZMQError as error:
            socket.disable_monitor()
            monitor.close()
            socket.close(linger=0)
            raise ParticipantLost(f"cannot connect to {endpoint}: {error}") from error
        return self._keep(ZmqChannel(socket, endpoint, monitor))

    def wait(self, channels: Sequence[Channel], timeout_s: float) -> None:
        """Polls the channels and their connections."""
        poller = zmq.Poller()
        for channel in channels:
            if isinstance(channel, ZmqChannel):
                for socket in channel.sockets():
                    poller.register(socket, zmq.POLLIN)
        poller.poll(max(0, int(timeout_s * 1000)))

    def close(self) -> None:
        """Closes every channel and waits at most ``LINGER_MS`` for what is on its way."""
        for channel in self._channels:
            channel.close()
        self._channels.clear()
        self._context.term()

    def _socket(self, kind: int, endpoint: str) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, LINGER_MS)
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
        if not endpoint.startswith("ipc:"):
            socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
            socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_BLOCK_BYTES)
        return socket

    def _keep(self, channel: ZmqChannel) -> ZmqChannel:
        self._channels.append(channel)
        return channel


class ZmqChannel:
    """A socket, and for a DEALER the monitor that tells when its connection broke."""

    def __init__(
        self, socket: zmq.Socket[bytes], endpoint: str, monitor: zmq.Socket[bytes] | None
    ) -> None:
        self.endpoint = endpoint
        self._socket = socket
        self._monitor = monitor
        self._routes = monitor is None

    def sockets(self) -> list[zmq.Socket[bytes]]:
        """Returns what has to be polled."""
        return [self._socket] if self._monitor is None else [self._socket, self._monitor]

    def send(self, frames: Frames, peer: str = "") -> None:
        """Hands the frames to libzmq, which sends them in its own thread."""
        parts: list[Frame] = [peer.encode(), *frames] if self._routes else list(frames)
        try:
            self._socket.send_multipart(
                parts, flags=zmq.NOBLOCK, copy=all(len(part) < _COPY_BELOW_BYTES for part in parts)
            )
        except zmq.ZMQError as error:
            raise ParticipantLost(
                f"cannot send to {peer or self.endpoint}: {error}; it has left or never arrived"
            ) from error

    def receive(self) -> Received | None:
        """Returns the next message; a lost connection is told after the messages before it."""
        # Looked at before the messages: what arrived before the break is then in the queue.
        broke = self._monitor is not None and self._monitor.poll(0)
        try:
            parts = self._socket.recv_multipart(flags=zmq.NOBLOCK)
        except zmq.Again:
            if broke:
                raise ParticipantLost(f"the connection to {self.endpoint} broke") from None
            return None
        if not self._routes:
            return "", list(parts)
        return parts[0].decode(errors="backslashreplace"), list(parts[1:])

    def close(self) -> None:
        """Closes the socket; messages on their way out get ``LINGER_MS``."""
        if self._monitor is not None:
            self._socket.disable_monitor()
            self._monitor.close()
            self._monitor = None
        self._socket.close()
