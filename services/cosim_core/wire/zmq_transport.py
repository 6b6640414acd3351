"""Channels over ZeroMQ: a ROUTER where a channel is bound, a DEALER where it connects.

One place sets the options of every socket. With keys, TCP is encrypted and both sides prove who
they are (CURVE): what is bound lets in those whose public keys it has, by ZAP, before a single
frame of theirs is seen. Without keys nothing is bound or connected beyond this host.
"""

from __future__ import annotations

from collections.abc import Sequence

import zmq
from zmq.auth.thread import ThreadAuthenticator

from tvb_nest_cosim.cosim_core.errors import ParticipantLost, SecurityError
from tvb_nest_cosim.cosim_core.wire.codec import MAX_BLOCK_BYTES
from tvb_nest_cosim.cosim_core.wire.keys import Keys
from tvb_nest_cosim.cosim_core.wire.protocol import Frame, Frames
from tvb_nest_cosim.cosim_core.wire.transport import Channel, Received

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

# As plain numbers: pyzmq's enumerations take longer to combine than a frame to send.
_NOW = int(zmq.NOBLOCK)
_NOW_AND_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)


class ZmqTransport:
    """ZeroMQ channels of one process.

    Args:
        keys: Keys of this process; without them only this host can be reached.
    """

    def __init__(self, keys: Keys | None = None) -> None:
        self._context = zmq.Context()
        self._channels: list[ZmqChannel] = []
        self._polled: list[Channel] = []
        self._poller = zmq.Poller()
        self._channel_of: dict[object, Channel] = {}
        self._keys = keys
        self._authenticator: ThreadAuthenticator | None = None

    def bind(self, endpoint: str) -> Channel:
        """Binds a ROUTER.

        Args:
            endpoint: ``ipc://PATH`` or ``tcp://ADDRESS:PORT``; port ``*`` lets the system choose.

        Raises:
            ParticipantLost: If the address cannot be bound, or no further socket be made.
            SecurityError: If it lies beyond this host and there are no keys.
        """
        socket = self._socket(zmq.ROUTER, endpoint)
        if self._keys is not None and endpoint.startswith("tcp:"):
            self._start_authenticator(self._keys)
            socket.curve_publickey, socket.curve_secretkey = self._keys.public, self._keys.secret
            socket.curve_server = True
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            socket.close(linger=0)
            raise ParticipantLost(f"cannot bind {endpoint}: {error}") from error
        return self._keep(ZmqChannel(socket, socket.getsockopt_string(zmq.LAST_ENDPOINT), None))

    def connect(self, endpoint: str, name: str, server: str = "orchestrator") -> Channel:
        """Connects a DEALER; succeeds even if nobody is bound there yet.

        Raises:
            ParticipantLost: If the endpoint is not a valid address, or no further socket be made.
            SecurityError: If it lies beyond this host and there are no keys.
        """
        socket = self._socket(zmq.DEALER, endpoint)
        if self._keys is not None and endpoint.startswith("tcp:"):
            socket.curve_publickey, socket.curve_secretkey = self._keys.public, self._keys.secret
            socket.curve_serverkey = self._keys.known[server]
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

    def wait(self, channels: Sequence[Channel], timeout_s: float) -> list[Channel]:
        """Polls the channels and their connections; see :meth:`Transport.wait`."""
        waiting = list(channels)
        if waiting != self._polled:
            self._poll_for(waiting)
        found = self._poller.poll(max(0, int(timeout_s * 1000)))
        # A channel may be found twice, by a message and by the loss of its connection.
        return list(dict.fromkeys(self._channel_of[socket] for socket, _ in found))

    def _poll_for(self, channels: list[Channel]) -> None:
        self._polled, self._poller, self._channel_of = channels, zmq.Poller(), {}
        for channel in channels:
            if isinstance(channel, ZmqChannel):
                for socket in channel.sockets():
                    self._poller.register(socket, zmq.POLLIN)
                    self._channel_of[socket] = channel

    def close(self) -> None:
        """Closes every channel and waits at most ``LINGER_MS`` for what is on its way."""
        for channel in self._channels:
            channel.close()
        self._channels.clear()
        if self._authenticator is not None:
            self._authenticator.stop()
            self._authenticator = None
        self._context.term()

    def _start_authenticator(self, keys: Keys) -> None:
        """Lets in those whose public keys are known, and nobody else."""
        if self._authenticator is None:
            self._authenticator = ThreadAuthenticator(self._context)
            self._authenticator.start()
            self._authenticator.configure_curve_callback(credentials_provider=_KnownKeys(keys))

    def _socket(self, kind: int, endpoint: str) -> zmq.Socket[bytes]:
        if self._keys is None and endpoint.startswith("tcp:") and not is_local(endpoint):
            raise SecurityError(
                f"{endpoint} lies beyond this host, where sockets need keys; make them with 'cosim "
                "keys new FOLDER' and name the folder in COSIM_KEYS"
            )
        try:
            socket = self._context.socket(kind)
        except zmq.ZMQError as error:
            raise ParticipantLost(
                f"no socket can be made for {endpoint}: {error}; raise the limit of open files "
                "(ulimit -n)"
            ) from error
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


def is_local(endpoint: str) -> bool:
    """Tells whether an endpoint can be reached from this host alone."""
    scheme, _, address = endpoint.partition("://")
    return scheme in ("ipc", "inproc") or address.startswith(("127.", "localhost:", "[::1]"))


class _KnownKeys:
    """The list of those who may connect, as pyzmq's authenticator asks for it."""

    def __init__(self, keys: Keys) -> None:
        self._known = frozenset(keys.known.values())

    def callback(self, domain: str, key: bytes) -> bool:
        """Tells whether a public key, in Z85, is known."""
        return key in self._known


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
            for part in parts[:-1]:
                self._socket.send(part, _NOW_AND_MORE)
            self._socket.send(parts[-1], _NOW, copy=len(parts[-1]) < _COPY_BELOW_BYTES)
        except zmq.ZMQError as error:
            raise ParticipantLost(
                f"cannot send to {peer or self.endpoint}: {error}; it has left or never arrived"
            ) from error

    def receive(self) -> Received | None:
        """Returns the next message; a lost connection is reported after the messages before it."""
        parts = self._take()
        if parts is None and self._monitor is not None and self._monitor.poll(0):
            # What arrived before the break is in the queue by now.
            parts = self._take()
            if parts is None:
                raise ParticipantLost(f"the connection to {self.endpoint} broke")
        if parts is None:
            return None
        if not self._routes:
            return "", list(parts)
        return parts[0].decode(errors="backslashreplace"), list(parts[1:])

    def _take(self) -> list[bytes] | None:
        try:
            return self._socket.recv_multipart(_NOW)
        except zmq.Again:
            return None

    def close(self) -> None:
        """Closes the socket; messages on their way out get ``LINGER_MS``."""
        if self._monitor is not None:
            self._socket.disable_monitor()
            self._monitor.close()
            self._monitor = None
        self._socket.close()
