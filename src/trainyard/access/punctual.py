"""HTTP connections that keep to bounds below any application: of time, and of bytes that nothing comes of.

llhttp (through httptools and uvicorn's own protocol) reads the bytes, at a third of the processor time of h11
(docs/decisions/0016-http-for-one-server.md). It bounds neither: a client that sends one byte of a header now and then
would keep its connection for ever, and one that sends a header without an end would fill the memory.
"""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from trainyard.access.gathering import Gathering
from trainyard.access.guard import CONNECTION, LARGEST_HEADERS, WHOLE

HEADERS_WITHIN = 20.0  # seconds
LONGEST_BARREN = LARGEST_HEADERS  # bytes of a head, a trailer or a chunk's extensions that are not whole


class PunctualProtocol(HttpToolsProtocol):
    """uvicorn's own protocol with bounds; give it to `uvicorn.Config(http=…)`.

    A request's line and headers are whole within `headers_within` seconds, or its connection is closed without a word.
    Of what is sent, LONGEST_BARREN bytes (and what one reading of the socket brings) may pass without a whole head, a
    piece of body or a request's end. Trailing headers are none of an application's.
    """

    headers_within = HEADERS_WITHIN
    _late: asyncio.TimerHandle | None = None
    _barren = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is here: its first request is awaited."""
        super().connection_made(cast("asyncio.Transport", Gathering(transport, self.loop)))
        self.app_state = {**self.app_state, CONNECTION: {}}
        self._keep_time()

    def data_received(self, data: bytes) -> None:
        """More has come."""
        self._barren += len(data)
        super().data_received(data)
        if self._barren > LONGEST_BARREN and not self.transport.is_closing():
            self._refuse_endless()
        self._keep_time()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A request's head is whole."""
        self._in_head, self._barren = False, 0
        super().on_headers_complete()
        self.headers = []  # what comes behind a body is none of the request's

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._barren = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._barren = 0
        self.scope["state"][WHOLE] = True
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._stop_clock()
        super().connection_lost(exc)

    def _refuse_endless(self) -> None:
        head = STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n"
        if getattr(self.cycle, "response_complete", True):  # there is none before the first request
            self.transport.write(head)
        self.transport.close()

    def _keep_time(self) -> None:
        """The clock runs while a request's head has begun and is not whole, and before the first one."""
        if not self._in_head:
            self._stop_clock()
        elif self._late is None and not self.transport.is_closing():
            self._late = self.loop.call_later(self.headers_within, self.transport.abort)

    def _stop_clock(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
