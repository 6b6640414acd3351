"""HTTP connections whose requests have to arrive within a time."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_PARTIAL = (h11.IDLE, h11.SEND_BODY)
"""States of a client that has not sent a whole request."""


def bounded_http(request_s: float) -> type[H11Protocol]:
    """Makes uvicorn's protocol one that closes a connection whose request does not arrive in time.

    Uvicorn limits only the pause between two requests. Without a limit for the first one, whoever
    opens connections and says nothing, or little, keeps them all.

    Args:
        request_s: How long a request may take from its first byte, or the opening of the
            connection, to its last byte.
    """

    class BoundedHttp(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._limit()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._limit()

        def connection_lost(self, exc: Exception | None) -> None:
            self._unlimit()
            super().connection_lost(exc)

        def _limit(self) -> None:
            if self.conn.their_state not in _PARTIAL:
                self._unlimit()
            elif self._deadline is None:
                self._deadline = self.loop.call_later(request_s, self.transport.abort)

        def _unlimit(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return BoundedHttp
