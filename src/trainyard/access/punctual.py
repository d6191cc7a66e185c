"""HTTP connections whose request lines and headers arrive in time, or that are closed.

uvicorn limits how long a connection may be idle between requests, not how long a request may take to begin: a client
that sends one byte of a header now and then would keep its connection for ever.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from trainyard.access.guard import CONNECTION

HEADERS_WITHIN = 20.0  # seconds


class PunctualProtocol(H11Protocol):
    """uvicorn's own protocol with a clock for the headers; give it to `uvicorn.Config(http=…)`."""

    headers_within = HEADERS_WITHIN
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is here: its first request is awaited."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, CONNECTION: {}}
        self._late = self.loop.call_later(self.headers_within, transport.abort)

    def data_received(self, data: bytes) -> None:
        """More has come."""
        super().data_received(data)
        self._keep_time()

    def on_response_complete(self) -> None:
        """A request is answered; the next may have begun already."""
        super().on_response_complete()
        self._keep_time()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._stop_clock()
        super().connection_lost(exc)

    def _keep_time(self) -> None:
        """The clock runs while a request has begun and its headers are not whole."""
        awaited = self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]
        if not awaited:
            self._stop_clock()
        elif self._late is None:
            self._late = self.loop.call_later(self.headers_within, self.transport.abort)

    def _stop_clock(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
