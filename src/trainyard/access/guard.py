"""The gate before an ASGI application: who asks is known, and no request is larger or slower than allowed.

(Request lines and headers are timed by `punctual`, below the application.)

On loopback the peer must be our own user (or root), the Host header must name this machine (a web page that was
rebound to 127.0.0.1 names another), and there is no Origin (browsers have no business here). Beyond loopback a bearer
token says who asks, and holds so many connections at once and no more. The caller stands in `scope["caller"]`
afterwards, and `scope["welcome"]` tells a stream whether it still is one. Nothing that a request says is logged.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trainyard.access import peers
from trainyard.access.callers import OWNER, Caller
from trainyard.access.tokens import Tokens
from trainyard.model.errors import TrainyardError

LARGEST_HEADERS = 64 * 1024  # bytes, all together
MOST_HEADERS = 100
CONNECTION = "connection"
"""Where `scope["state"]` has a dict that all requests of one connection share, if the protocol made one."""


WHOLE = "whole"
"""What stands true in `scope["state"]` as soon as a request's whole body is here, if the protocol says so."""


class Denied(Exception):  # noqa: N818 - an answer, not a fault
    """A request that does not get through: status code, the API's word for it, a sentence, more headers."""

    def __init__(self, code: int, reason: str, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may be: bytes of body, seconds until the body is here; how many of one token at once."""

    body: int = 3 * 1024 * 1024
    seconds: float = 60.0
    at_once: int = 200


Judge = Callable[[Scope], Caller]
Render = Callable[[Denied], bytes]


@dataclass(frozen=True, slots=True)
class Loopback:
    """The judge of a loopback listener. `uids`: whose processes may connect."""

    uids: frozenset[int] = field(default_factory=lambda: frozenset({os.geteuid(), 0}))
    owner_of: Callable[[peers.Address, peers.Address], int | None] = peers.owner_of

    def __call__(self, scope: Scope) -> Caller:
        """The owner. Raises Denied."""
        if _host_name(_header(scope, b"host") or "") not in peers.LOCAL_NAMES:
            raise Denied(403, "Forbidden", "this server answers to localhost, 127.0.0.1 and [::1] alone")
        if _header(scope, b"origin") is not None:
            raise Denied(403, "Forbidden", "this server does not answer web pages")
        if self._owner(scope) not in self.uids:
            raise Denied(403, "Forbidden", "this server answers the user who started it alone")
        return OWNER

    def _owner(self, scope: Scope) -> int | None:
        """Whose connection it is: asked once, for a socket stays its maker's, whoever else is given it."""
        known = scope.get("state", {}).get(CONNECTION, {})
        if "owner" not in known:
            client, server = scope.get("client"), scope.get("server")
            known["owner"] = self.owner_of(tuple(client), tuple(server)) if client and server else None
        owner: int | None = known["owner"]
        return owner


@dataclass(frozen=True, slots=True)
class Bearer:
    """The judge of a listener beyond loopback: tokens, read anew whenever `load` does."""

    load: Callable[[], Tokens]

    def __call__(self, scope: Scope) -> Caller:
        """Whose token it is. Raises Denied."""
        scheme, _, token = (_header(scope, b"authorization") or "").partition(" ")
        try:
            caller = self.load().caller(token.strip()) if scheme.lower() == "bearer" else None
        except TrainyardError as error:  # its text names a file of ours, which is nobody's business out there
            _LOG.error("nobody is let in: %s", error)
            raise Denied(503, "ServiceUnavailable", "the server cannot read its tokens", _SOON) from error
        if caller is None:
            raise Denied(401, "Unauthorized", "Unauthorized", ((b"www-authenticate", b"Bearer"),))
        return caller


def nobody_else(_scope: Scope) -> Caller:
    """The judge of a unix socket: the file's mode has judged already."""
    return OWNER


def require_safe(host: str, *, certificate: Path | None, key: Path | None, tokens: Tokens) -> None:
    """Raises TrainyardError for an address beyond loopback without TLS or without tokens."""
    if peers.is_loopback(host):
        return
    if certificate is None or key is None:
        raise TrainyardError(
            f"{host} can be reached from other machines: name a certificate and its key (--tls-cert, --tls-key), or "
            "listen on 127.0.0.1."
        )
    if not tokens.callers:
        raise TrainyardError(
            f"{host} can be reached from other machines, and no token is known: make one with "
            "`trainyard kubeconfig --user NAME --role ROLE`, or listen on 127.0.0.1."
        )


_LOG = logging.getLogger(__name__)
_SOON = ((b"retry-after", b"1"),)


def _plain(denied: Denied) -> bytes:
    return json.dumps({"code": denied.code, "reason": denied.reason, "message": denied.message}).encode()


_LIMITS = Limits()


class Guard:
    """The middleware."""

    def __init__(self, app: ASGIApp, judge: Judge, limits: Limits = _LIMITS, render: Render = _plain) -> None:
        self._app = app
        self._judge = judge
        self._limits = limits
        self._render = render
        self._present: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            self._refuse_large(scope)
            caller = self._judge(scope)
            self._make_room_for(caller)
        except Denied as denied:
            await self._answer(denied, send)
            return
        try:
            welcome = partial(self._is_welcome, scope, caller)
            await self._through({**scope, "caller": caller, "welcome": welcome}, receive, send)
        finally:
            self._present[caller.name] -= 1
            if not self._present[caller.name]:
                del self._present[caller.name]

    def _make_room_for(self, caller: Caller) -> None:
        """One token's requests leave room for the others'. Raises Denied."""
        present = self._present.get(caller.name, 0)
        if caller is not OWNER and present >= self._limits.at_once:
            raise Denied(429, "TooManyRequests", f"{self._limits.at_once} requests of this token are open", _SOON)
        self._present[caller.name] = present + 1

    def _is_welcome(self, scope: Scope, caller: Caller) -> bool:
        """Whether the caller would be let in now as it was then: a token may have been taken back meanwhile."""
        try:
            return self._judge(scope) == caller
        except Denied:
            return False

    async def _through(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(receive, self._limits, scope.get("state", {}))
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, body.receive, noting)
        except Denied as denied:
            if not started:
                await self._answer(denied, send)

    def _refuse_large(self, scope: Scope) -> None:
        headers = scope["headers"]
        if len(headers) > MOST_HEADERS or sum(map(len, chain.from_iterable(headers))) > LARGEST_HEADERS:
            raise Denied(431, "RequestHeaderFieldsTooLarge", "the request has too many headers")
        length = _header(scope, b"content-length") or "0"
        if not length.isdigit() or len(length) > 15 or int(length) > self._limits.body:
            raise _too_large(self._limits)

    async def _answer(self, denied: Denied, send: Send) -> None:
        body = self._render(denied)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *denied.headers,
        ]
        await send({"type": "http.response.start", "status": denied.code, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class _Body:
    """A request's body as it arrives: bounded in bytes and in time. What follows the body is not."""

    def __init__(self, receive: Receive, limits: Limits, state: Mapping[str, Any]) -> None:
        self._receive = receive
        self._limits = limits
        self._state = state
        self._deadline = asyncio.get_running_loop().time() + limits.seconds
        self._size = 0
        self._whole = False

    async def receive(self) -> Message:
        """The next message. Raises Denied."""
        if self._whole:
            return await self._receive()
        message = await (self._receive() if WHOLE in self._state else self._arriving())
        self._size += len(message.get("body", b""))
        if self._size > self._limits.body:
            raise _too_large(self._limits)
        self._whole = not message.get("more_body", False)
        return message

    async def _arriving(self) -> Message:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError as error:
            raise Denied(408, "Timeout", "the request's body did not arrive in time") from error


def _too_large(limits: Limits) -> Denied:
    return Denied(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limits.body}")


def _header(scope: Scope, name: bytes) -> str | None:
    """A header's value; two of one name count as a wrong one. Names are in lower case, as ASGI has them."""
    values = [value for key, value in scope["headers"] if key == name]
    if not values:
        return None
    return values[0].decode("latin-1") if len(values) == 1 else "\0"


def _host_name(host: str) -> str:
    """The Host header without its port: names, IPv4, [IPv6]."""
    name = host.lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0]
