"""Blocks that have arrived and wait to be used: each exactly once, none late, none lost."""

from __future__ import annotations

from collections.abc import Mapping

from tvb_nest_cosim.cosim_core.errors import ProtocolError
from tvb_nest_cosim.cosim_core.model.signals import Block, sender_of

MAX_AHEAD = 1024
"""Windows that a sender may be ahead of its reader; the lookahead is 2, so more is an error."""


class Inbox:
    """Waiting blocks of one participant.

    Args:
        ranks: For every incoming edge, the number of processes that each send one block a window.
    """

    def __init__(self, ranks: Mapping[str, int]) -> None:
        self._ranks = dict(ranks)
        self._waiting: dict[tuple[str, int], dict[int, Block]] = {}
        self._next = dict.fromkeys(ranks, 0)

    def put(self, block: Block, sender: str) -> None:
        """Keeps a block that has arrived.

        Args:
            block: The block.
            sender: Who sent it, for error messages.

        Raises:
            ProtocolError: If nobody expects it: unknown edge or rank, window used already, or
                sent twice.
        """
        where = f"block from {sender}, edge {block.edge}, window {block.window}, rank {block.rank}"
        if block.edge not in self._ranks:
            known = ", ".join(self._ranks) or "none"
            raise ProtocolError(f"{where}: no such edge comes in here; expected {known}")
        if block.rank >= self._ranks[block.edge]:
            raise ProtocolError(f"{where}: this edge has {self._ranks[block.edge]} ranks")
        due = self._next[block.edge]
        if not due <= block.window < due + MAX_AHEAD:
            raise ProtocolError(f"{where}: window {due} is due; a block came late, twice or early")
        ranks = self._waiting.setdefault((block.edge, block.window), {})
        if block.rank in ranks:
            raise ProtocolError(f"{where}: sent twice")
        ranks[block.rank] = block

    def has(self, edge: str, window: int) -> bool:
        """Tells whether every rank's block of a window is here."""
        return len(self._waiting.get((edge, window), ())) == self._ranks[edge]

    def take(self, edge: str, window: int) -> list[Block]:
        """Removes and returns the blocks of a window, by rank. Windows are taken in order.

        Raises:
            ProtocolError: If a block is missing or the window is not the next one.
        """
        if window != self._next[edge] or not self.has(edge, window):
            raise ProtocolError(f"window {window} of {edge} cannot be taken: {self.lacks(edge)}")
        self._next[edge] = window + 1
        blocks = self._waiting.pop((edge, window))
        return [blocks[rank] for rank in sorted(blocks)]

    def lacks(self, edge: str) -> str:
        """Says in words what is missing from the next window of an edge."""
        window = self._next[edge]
        here = self._waiting.get((edge, window), {})
        missing = [rank for rank in range(self._ranks[edge]) if rank not in here]
        sender = sender_of(edge)
        if self._ranks[edge] == 1:
            return f"window {window} of {edge} from {sender}"
        return f"window {window} of {edge} from {sender} rank {', '.join(map(str, missing))}"
