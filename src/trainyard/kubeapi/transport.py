"""HTTP/1.1 to one server, over connections that are kept open.

llhttp (through httptools) reads the bytes; here stands which connection carries what, and when one is given up. That
is a third of the processor time of a client for the whole web (docs/decisions/0016-http-for-one-server.md): redirects,
cookies, proxies and compression are none of an API server's.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import httptools

from trainyard.kubeapi.access import Access
from trainyard.model.errors import TrainyardError

MOST_WAITING = 1 << 20  # bytes that are read before anybody takes them; then the server has to wait
_IDLE = 15.0  # seconds after which an unused connection is not trusted any more
_CLOSING = 1.0  # seconds that connections have to end


class Dropped(ConnectionError):  # noqa: N818 - it names what happened
    """The server ended the connection before it had answered, or sent something that is no HTTP."""


@dataclass(frozen=True, slots=True)
class Head:
    """What an answer begins with; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the server listens."""

    host: str
    port: int
    socket: str | None = None
    tls: ssl.SSLContext | None = None
    server_name: str | None = None

    @classmethod
    def of(cls, access: Access) -> Self:
        """The endpoint of an access. Raises TrainyardError where its address is none."""
        try:
            parts = urlsplit(access.server)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise TrainyardError(f"{access.server!r} is no address of a server: {error}.") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TrainyardError(f"{access.server!r} is no address of a server: write https://host:port.")
        tls = (access.tls or ssl.create_default_context()) if parts.scheme == "https" else None
        return cls(parts.hostname, port, access.socket, tls, access.server_name)

    async def connect(self) -> Connection:
        """A fresh connection. Raises OSError."""
        loop = asyncio.get_running_loop()
        if self.socket is not None:
            _, connection = await loop.create_unix_connection(Connection, self.socket)
            return connection
        name = (self.server_name or self.host) if self.tls else None
        _, connection = await loop.create_connection(
            Connection, self.host, self.port, ssl=self.tls, server_hostname=name
        )
        return connection


class Connection(asyncio.Protocol):
    """One connection: one request at a time, and its answer as it comes."""

    def __init__(self) -> None:
        self.gone = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._trouble: Exception | None = None
        self._paused = self._asked = False
        self._begin()

    def _begin(self) -> None:
        self._head: Head | None = None
        self._headers: dict[str, str] = {}
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._complete = False

    @property
    def usable(self) -> bool:
        """Whether another request may follow."""
        return not self._asked and self._trouble is None and not self._transport.is_closing()

    def abort(self) -> None:
        """Give the connection up, whatever it carries."""
        self._transport.abort()

    async def ask(self, request: bytes) -> Head:
        """Send a request and wait for the head of its answer. Raises Dropped."""
        self._begin()
        self._asked = True
        self._transport.write(request)
        while self._head is None:
            await self._more()
        return self._head

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes, to its end. Raises Dropped."""
        while True:
            while self._chunks:
                yield self._taken()
            if self._complete:
                self._asked = False
                return
            await self._more()

    async def body(self) -> bytes:
        """The whole body. Raises Dropped."""
        while not self._complete and not self._paused:
            await self._more()
        return b"".join([chunk async for chunk in self.chunks()])

    async def _more(self) -> None:
        if self._trouble is not None:
            raise self._trouble
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _taken(self) -> bytes:
        chunk = self._chunks.popleft()
        self._waiting -= len(chunk)
        if self._paused and self._waiting < MOST_WAITING // 2:
            self._paused = False
            self._transport.resume_reading()
        return chunk

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, why: str) -> None:
        self._trouble = self._trouble or Dropped(why)
        self._wake()

    # asyncio's words

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - both kinds of socket have it
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        try:
            if not self._asked:
                raise httptools.HttpParserError("an answer to nothing")  # noqa: TRY301 - one way out for all of them
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, ValueError) as error:
            self._fail(f"the server does not speak HTTP: {error}")
            self._transport.abort()
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        """It ended."""
        self._fail(f"the server ended the connection{f': {error}' if error else ''}")
        if not self.gone.done():
            self.gone.set_result(None)

    # httptools' words

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The head is whole; one below 200 only announces another."""
        status = self._parser.get_status_code()
        if status >= 200:
            self._head = Head(status, self._headers)

    def on_body(self, chunk: bytes) -> None:
        """A piece of the body."""
        self._chunks.append(chunk)
        self._waiting += len(chunk)
        if self._waiting > MOST_WAITING and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._head is None:
            self._headers = {}
            return
        self._complete = True
        if not self._parser.should_keep_alive():
            self._transport.close()


class Pool:
    """Connections to one endpoint: at most `limit` for requests, and one of its own for every stream."""

    def __init__(self, endpoint: Endpoint, *, limit: int) -> None:
        self._endpoint = endpoint
        self._slots = asyncio.Semaphore(limit)
        self._idle: deque[tuple[float, Connection]] = deque()
        self._open: set[Connection] = set()

    async def ask(self, request: bytes, *, repeatable: bool) -> tuple[Head, bytes]:
        """One request and its whole answer. Raises OSError.

        repeatable : where a connection that was kept turns out to be dead, the request may be sent once more.
        """
        async with self._slots:
            kept = self._kept()
            if kept is not None:
                try:
                    return await self._exchange(kept, request)
                except Dropped:
                    if not repeatable:
                        raise
            return await self._exchange(await self._fresh(), request)

    @asynccontextmanager
    async def alone(self, *, connect_within: float) -> AsyncIterator[Connection]:
        """A connection for one request, whose answer the caller reads as it comes. Raises OSError."""
        async with asyncio.timeout(connect_within):
            connection = await self._fresh()
        try:
            yield connection
        finally:
            self._give_up(connection)

    def forget(self) -> None:
        """Begin anew with every connection: the credentials are others now."""
        while self._idle:
            self._give_up(self._idle.popleft()[1])

    async def close(self) -> None:
        """End all connections."""
        ending = list(self._open)
        for connection in ending:
            self._give_up(connection)
        if ending:
            await asyncio.wait([connection.gone for connection in ending], timeout=_CLOSING)

    async def _exchange(self, connection: Connection, request: bytes) -> tuple[Head, bytes]:
        try:
            head = await connection.ask(request)
            body = await connection.body()
        except BaseException:
            self._give_up(connection)
            raise
        if connection.usable:
            self._idle.append((asyncio.get_running_loop().time(), connection))
        else:
            self._give_up(connection)
        return head, body

    def _kept(self) -> Connection | None:
        """The connection that was used last, where it can still be trusted."""
        while self._idle:
            since, connection = self._idle.pop()
            if connection.usable and asyncio.get_running_loop().time() - since < _IDLE:
                return connection
            self._give_up(connection)
        return None

    async def _fresh(self) -> Connection:
        connection = await self._endpoint.connect()
        self._open.add(connection)
        return connection

    def _give_up(self, connection: Connection) -> None:
        self._open.discard(connection)
        connection.abort()
