"""HTTP servers of a process: how each is run, and which application a path belongs to."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from trainyard.access.punctual import PunctualProtocol
from trainyard.kit.clock import SystemClock
from trainyard.kit.signals import set_within
from trainyard.model.errors import TrainyardError

_MOST = 4000  # connections of one listener; a token has far fewer of them (access.guard)
_OTHERS = 256  # open files that are none of them
RENEWAL_LOOK = 10.0  # seconds between looks whether a certificate was renewed
_LOG = logging.getLogger(__name__)
_GONE_AFTER = 60_000  # milliseconds that a peer may leave what was sent unacknowledged: longer, and it is no more


class ByPath:
    """Requests whose path begins so go to the one application, all others to the other."""

    def __init__(self, prefix: str, here: ASGIApp, elsewhere: ASGIApp) -> None:
        self._prefix, self._here, self._elsewhere = prefix, here, elsewhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        ours = str(scope.get("path", "")).startswith(self._prefix)
        await (self._here if ours else self._elsewhere)(scope, receive, send)


@asynccontextmanager
async def answering(
    app: ASGIApp,
    listener: socket.socket,
    *,
    grace: float,
    certificate: Path | None = None,
    key: Path | None = None,
    renewal: float = RENEWAL_LOOK,
) -> AsyncIterator[None]:
    """The application on a socket for as long as the block lasts; then its requests have `grace` seconds to end.

    A certificate that is renewed in its files, which is looked for every `renewal` seconds, counts for the connections
    after that. Raises TrainyardError for one that is none.
    """
    tls: dict[str, Any] = {} if certificate is None else {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
    if listener.family != socket.AF_UNIX:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GONE_AFTER)  # its connections inherit it
    config = uvicorn.Config(
        app, http=PunctualProtocol, ws="none", log_level="warning", lifespan="off", access_log=False,
        proxy_headers=False,  # whose connection it is says the kernel, and nobody's header (access.peers)
        server_header=False, timeout_graceful_shutdown=int(grace), limit_concurrency=_most(), **tls,
    )  # fmt: skip
    try:
        config.load()
    except (ssl.SSLError, OSError) as error:
        raise TrainyardError(f"{certificate} and {key} are no certificate and its key in PEM form: {error}.") from error
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    opened = asyncio.create_task(server.opened.wait())
    await asyncio.wait({serving, opened}, return_when=asyncio.FIRST_COMPLETED)
    renewing = None
    if config.ssl is not None and certificate is not None and key is not None:
        renewing = asyncio.create_task(_renewed(config.ssl, certificate, key, renewal))
    try:
        if server.opened.is_set():
            yield
    finally:
        if renewing is not None:
            renewing.cancel()
        opened.cancel()
        server.leave()
        await serving


async def _renewed(context: ssl.SSLContext, certificate: Path, key: Path, every: float) -> None:
    """Load a certificate and its key anew whenever their files have changed, for ever.

    While the two do not belong together, for one of them is yet to be written, the last ones stay in use.
    """
    loaded = _stamps(certificate, key)
    while True:
        await asyncio.sleep(every)
        found = _stamps(certificate, key)
        if found in (loaded, None):
            continue
        loaded = found
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
            context.load_cert_chain(certificate, key)
        except (ssl.SSLError, OSError) as error:
            _LOG.warning("%s and %s have changed and are not used: %s", certificate, key, error)
        else:
            _LOG.info("%s is used in its new form", certificate)


def _stamps(*paths: Path) -> list[tuple[int, int, int]] | None:
    """What changes whenever a file does; None while one of them is missing."""
    try:
        return [(found.st_ino, found.st_size, found.st_mtime_ns) for found in (path.stat() for path in paths)]
    except OSError:
        return None


def _most() -> int:
    """How many connections a listener takes: no more than files may be open, so that who comes too much is told so."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if soft == resource.RLIM_INFINITY else max(_OTHERS, min(_MOST, soft - _OTHERS))


class _Server(uvicorn.Server):
    """One of several in a process: signals are the process's, and it says when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.opened, self._leaving = asyncio.Event(), asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None are ours."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        self.opened.set()

    async def main_loop(self) -> None:
        """Be there until told to leave. uvicorn's own looks ten times a second whether it was."""
        while not await set_within(self._leaving, _until_next_second()):
            await self.on_tick(0)  # what it writes anew is the date of the answers

    def leave(self) -> None:
        """End, once the requests in flight have ended."""
        self.should_exit = True
        self._leaving.set()


def _until_next_second() -> float:
    """Servers of one process look at the time together: each waking costs."""
    return 1.0 - SystemClock().now() % 1.0
