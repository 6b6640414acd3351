"""The data plane of one participant: whom it hears, what has arrived, and what it sends."""

from __future__ import annotations

import logging

from tvb_nest_cosim.cosim_core.errors import ParticipantLost, ProtocolError
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.model.signals import receiver_of, sender_of
from tvb_nest_cosim.cosim_core.participant.inbox import Inbox
from tvb_nest_cosim.cosim_core.wire.bounded_log import BoundedLog
from tvb_nest_cosim.cosim_core.wire.codec import decode_block
from tvb_nest_cosim.cosim_core.wire.protocol import Frame, Frames, Role, peer_name
from tvb_nest_cosim.cosim_core.wire.transport import Channel, Transport

_logger = logging.getLogger(__name__)

OPEN = b"OPEN"
"""First frame of a connected participant: from now on it can be sent to."""


class DataPlane:
    """See the module. The translator binds it, everybody else connects.

    Args:
        transport: Makes the channel.
        name: Name of this process.
        run: Identity of the run; blocks of others are refused.

    Attributes:
        inbox: Blocks that have arrived.
        lost: Why nothing comes any more, once that is so.
    """

    def __init__(self, transport: Transport, name: str, run: str) -> None:
        self._transport, self._name, self._run = transport, name, run
        self._channel: Channel | None = None
        self._peers: set[str] = set()
        self._open_peers: set[str] = set()
        self._log = BoundedLog(_logger)
        self.inbox = Inbox({})
        self.lost: ParticipantLost | None = None

    def expect(self, plan: RunPlan, role: Role) -> None:
        """Learns from the plan who sends what to this role."""
        incoming = [edge for edge in plan.edges if receiver_of(edge) == role]
        self.inbox = Inbox({edge: plan.participants[sender_of(edge)] for edge in incoming})
        self._peers = {
            peer_name(other, rank)
            for other, ranks in plan.participants.items()
            for rank in range(ranks)
            if other != role
        }

    def bind(self, endpoint: str) -> str:
        """Binds it (translator) and returns where it really is."""
        self._channel = self._transport.bind(endpoint)
        return self._channel.endpoint

    def connect(self, endpoint: str) -> None:
        """Connects to the translator; without effect where this process has bound it."""
        if self._channel is None:
            self._channel = self._transport.connect(endpoint, self._name, server="translator")
            self._channel.send([OPEN])

    def absent(self) -> list[str]:
        """Returns who has not connected yet."""
        return sorted(self._peers - self._open_peers)

    def channels(self) -> list[Channel]:
        """Returns where something may still come from."""
        return [] if self._channel is None or self.lost is not None else [self._channel]

    def send(self, frames: Frames, peer: str = "") -> None:
        """Sends the frames of a block; ``peer`` only from the translator.

        Raises:
            ParticipantLost: If the receiver is not there.
            ProtocolError: If this ensemble has no data plane.
        """
        if self._channel is None:
            raise ProtocolError(f"{self._name} has no data plane in this ensemble")
        self._channel.send(frames, peer)

    def take(self, channel: Channel) -> None:
        """Takes one message; that the other end left matters only to who waits for it.

        The loss is reported when nothing is left to receive.

        Raises:
            ProtocolError: If what arrived is not due.
        """
        try:
            received = channel.receive()
        except ParticipantLost as lost:
            self.lost = lost
            return
        if received is not None:
            self._keep(*received)

    def flush(self) -> None:
        """Logs what is still to be said of strangers."""
        self._log.flush()

    def _keep(self, peer: str, frames: list[Frame]) -> None:
        if peer and peer not in self._peers:
            self._log.warning(f"ignored {len(frames)} frames from a stranger, {peer!r}")
            return
        if len(frames) == 1 and bytes(frames[0]) == OPEN:
            self._open_peers.add(peer)
            return
        sender = peer or "translator"
        block = decode_block(frames, self._run, sender)
        if peer and peer != peer_name(sender_of(block.edge), block.rank):
            raise ProtocolError(
                f"{peer} sent a block in the name of {sender_of(block.edge)} rank {block.rank}"
            )
        self.inbox.put(block, sender)
