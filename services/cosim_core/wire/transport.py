"""How frames travel: one interface, and an implementation inside one process.

The ZeroMQ implementation is in :mod:`cosim_core.wire.zmq_transport`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from tvb_nest_cosim.cosim_core.errors import ParticipantLost
from tvb_nest_cosim.cosim_core.wire.protocol import Frame, Frames

Received = tuple[str, list[Frame]]
"""Name of the peer that sent, and its frames."""


class Channel(Protocol):
    """Multipart messages to and from one peer (connected) or many (bound)."""

    endpoint: str
    """Where it is connected or bound, ports resolved."""

    def send(self, frames: Frames, peer: str = "") -> None:
        """Sends without blocking.

        Args:
            frames: The message; its memory must not change afterwards.
            peer: Name of the receiver; only for a bound channel.

        Raises:
            ParticipantLost: If the peer is not there.
        """

    def receive(self) -> Received | None:
        """Returns the next message, or None if there is none yet.

        Raises:
            ParticipantLost: If this channel is connected and its peer went away.
        """

    def close(self) -> None:
        """Closes the channel; may be called again."""


class Transport(Protocol):
    """Makes channels and waits for them."""

    def bind(self, endpoint: str) -> Channel:
        """Makes a channel that many peers connect to."""

    def connect(self, endpoint: str, name: str, server: str = "orchestrator") -> Channel:
        """Makes a channel to a bound one.

        Args:
            endpoint: Where it is bound.
            name: Name of this end, unique there.
            server: Who is bound there; whose public key it must prove to have.
        """

    def wait(self, channels: Sequence[Channel], timeout_s: float) -> list[Channel]:
        """Waits until a channel has a message or lost its peer, at most so long.

        Returns:
            The channels of which ``receive`` has something to say.
        """

    def close(self) -> None:
        """Closes every channel; may be called again."""


class MemoryTransport:
    """Channels between threads of one process; for tests and for looking closely."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._bound: dict[str, MemoryChannel] = {}

    def bind(self, endpoint: str) -> Channel:
        """Makes the channel that others connect to.

        Raises:
            ParticipantLost: If the endpoint is taken.
        """
        with self._arrived:
            if endpoint in self._bound:
                raise ParticipantLost(f"{endpoint} is bound already")
            channel = MemoryChannel(self._arrived, endpoint)
            self._bound[endpoint] = channel
            return channel

    def connect(self, endpoint: str, name: str, server: str = "orchestrator") -> Channel:
        """Connects to a channel that is bound already.

        Raises:
            ParticipantLost: If nobody is bound there.
        """
        with self._arrived:
            if endpoint not in self._bound:
                raise ParticipantLost(f"nobody is bound to {endpoint}")
            hub = self._bound[endpoint]
            channel = MemoryChannel(self._arrived, endpoint, name)
            channel.peers[""] = hub
            hub.peers[name] = channel
            return channel

    def wait(self, channels: Sequence[Channel], timeout_s: float) -> list[Channel]:
        """See :meth:`Transport.wait`."""
        own = [channel for channel in channels if isinstance(channel, MemoryChannel)]
        with self._arrived:
            self._arrived.wait_for(lambda: any(channel.has_news() for channel in own), timeout_s)
            return [channel for channel in own if channel.has_news()]

    def close(self) -> None:
        """Forgets every channel."""
        with self._arrived:
            self._bound.clear()


class MemoryChannel:
    """One end of an in-memory connection."""

    def __init__(self, arrived: threading.Condition, endpoint: str, name: str = "") -> None:
        self.endpoint = endpoint
        self.peers: dict[str, MemoryChannel] = {}
        self.inbox: deque[Received] = deque()
        self._arrived = arrived
        self._name = name

    def send(self, frames: Frames, peer: str = "") -> None:
        """Puts a copy of the frames into the peer's inbox."""
        with self._arrived:
            if peer not in self.peers:
                raise ParticipantLost(f"{peer or self.endpoint} is not connected")
            self.peers[peer].inbox.append((self._name, [bytes(frame) for frame in frames]))
            self._arrived.notify_all()

    def receive(self) -> Received | None:
        """Returns the next message, or None."""
        with self._arrived:
            if self.inbox:
                return self.inbox.popleft()
            if self._lost():
                raise ParticipantLost(f"the connection to {self.endpoint} was closed")
            return None

    def has_news(self) -> bool:
        """Tells whether ``receive`` has something to say; the caller holds the lock."""
        return bool(self.inbox) or self._lost()

    def _lost(self) -> bool:
        return self._name != "" and "" not in self.peers

    def close(self) -> None:
        """Disconnects."""
        with self._arrived:
            for peer in self.peers.values():
                peer.peers.pop(self._name, None)
            self.peers.clear()
            self._arrived.notify_all()
