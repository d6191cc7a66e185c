"""Requests to an API server and its answers, as JSON dicts; every failure is one of ``errors``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode, urlsplit

import orjson

from trainyard.kubeapi.access import Access
from trainyard.kubeapi.errors import ApiError, Gone, Unavailable, error_of
from trainyard.kubeapi.kinds import Kind
from trainyard.kubeapi.limiter import Limiter
from trainyard.kubeapi.transport import Connection, Endpoint, Head, Pool
from trainyard.model.errors import TrainyardError
from trainyard.ports.clock import Clock

Object = dict[str, Any]
MERGE = "application/merge-patch+json"
_TIMEOUT = 60.0  # seconds for one answer
_CONNECTIONS = 64


class Selection(NamedTuple):
    """Which objects of a kind: a label selector and a field selector, "" for all."""

    labels: str = ""
    fields: str = ""


EVERYTHING = Selection()


class Client:
    """One server. Use it as an async context: it keeps connections open."""

    def __init__(
        self,
        access: Access,
        clock: Clock,
        *,
        user_agent: str = "trainyard",
        qps: float = 0.0,
        burst: int = 100,
        timeout: float = _TIMEOUT,
        answered: Callable[[str, int], None] = lambda _method, _status: None,
    ) -> None:
        self._access, self._timeout, self._answered = access, timeout, answered
        self._limiter = Limiter(qps, burst, clock.boottime)
        self._pool = Pool(Endpoint.of(access), limit=_CONNECTIONS)
        parts = urlsplit(access.server)
        self._prefix = parts.path.rstrip("/")
        self._standing = f"Host: {parts.netloc}\r\nUser-Agent: {user_agent}\r\nAccept: application/json\r\n"

    @property
    def namespace(self) -> str:
        """The namespace that the access is for."""
        return self._access.namespace

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Object:
        """One object. Raises NotFound."""
        return await self._ask("GET", kind.path(namespace, name))

    async def list_page(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        limit: int,
        token: str | None = None,
        labels: str = "",
        fields: str = "",
    ) -> Object:
        """One page as the server's list object. Raises Gone when the token is too old."""
        query = {"limit": str(limit)}
        if token:
            query["continue"] = token
        query |= _selected(labels, fields)
        return await self._ask("GET", kind.path(namespace), query=query)

    async def create(self, kind: Kind, namespace: str | None, body: Object) -> Object:
        """Create an object. Raises AlreadyExists, Invalid."""
        return await self._ask("POST", kind.path(namespace), body=body)

    async def replace(self, kind: Kind, namespace: str | None, name: str, body: Object) -> Object:
        """Replace an object at the revision that the body names. Raises Conflict."""
        return await self._ask("PUT", kind.path(namespace, name), body=body)

    async def patch(
        self, kind: Kind, namespace: str | None, name: str, body: Mapping[str, Any], *, subresource: str | None = None
    ) -> Object:
        """Apply a JSON merge patch; with `metadata.resourceVersion` in it, only at that revision. Raises Conflict."""
        return await self._ask("PATCH", kind.path(namespace, name, subresource), body=body, content_type=MERGE)

    async def delete(self, kind: Kind, namespace: str | None, name: str, *, uid: str | None = None) -> None:
        """Delete an object; with `uid`, only that one. Raises NotFound, Conflict."""
        body: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if uid:
            body["preconditions"] = {"uid": uid}
        await self._ask("DELETE", kind.path(namespace, name), body=body)

    async def version(self) -> Object:
        """The server's version: whether it can be reached at all."""
        return await self._ask("GET", "/version")

    @asynccontextmanager
    async def watch(
        self,
        kind: Kind,
        namespace: str | None,
        *,
        since: str,
        labels: str = "",
        fields: str = "",
        lasting: float,
        silence: float,
    ) -> AsyncIterator[AsyncIterator[Object]]:
        """Events after revision `since`, bookmarks among them, until the server ends the watch.

        lasting : seconds that the server is asked to keep it. silence: seconds without a byte after which it is dead.
        Raises Gone when the revision is too old, Unavailable when the connection breaks or falls silent.
        """
        query = {
            "watch": "true", "allowWatchBookmarks": "true", "resourceVersion": since,
            "timeoutSeconds": str(int(lasting)),
        }  # fmt: skip
        query |= _selected(labels, fields)
        request = await self._request("GET", kind.path(namespace), query, None, "")
        with self._told("GET"):
            async with self._pool.alone(connect_within=self._timeout) as connection:
                async with asyncio.timeout(silence):
                    head = await connection.ask(request)
                self._answered("GET", head.status)
                if head.status >= 300:
                    async with asyncio.timeout(silence):
                        raise self._refusal(head, await connection.body())
                yield _events(_heard(connection, silence))

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        request = await self._request(method, path, query, body, content_type)
        with self._told(method):
            async with asyncio.timeout(self._timeout):
                head, content = await self._pool.ask(request, repeatable=method == "GET")
        self._answered(method, head.status)
        if head.status >= 300:
            raise self._refusal(head, content)
        found = _decoded(content, head.status)
        if not isinstance(found, dict):
            raise Unavailable("The API server answered with something that is no object.", status=head.status)
        return found

    async def _request(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Mapping[str, Any] | None, content_type: str
    ) -> bytes:
        """A request as it goes over the wire."""
        await self._limiter.take()
        headers = "".join(
            f"{name}: {_one_line(value)}\r\n" for name, value in (await self._access.credentials.headers()).items()
        )
        target = f"{self._prefix}{path}?{urlencode(query)}" if query else f"{self._prefix}{path}"
        content = b"" if body is None else orjson.dumps(body)
        if body is not None:
            headers += f"Content-Type: {content_type}\r\nContent-Length: {len(content)}\r\n"
        return f"{method} {target} HTTP/1.1\r\n{self._standing}{headers}\r\n".encode("latin-1") + content

    @contextmanager
    def _told(self, method: str) -> Iterator[None]:
        """What happens to a connection, as Unavailable."""
        try:
            yield
        except (OSError, TimeoutError) as error:
            self._answered(method, 0)
            what = "does not answer in time" if isinstance(error, TimeoutError) else f"cannot be reached: {error}"
            raise Unavailable(f"The API server at {self._where} {what}.") from error

    def _refusal(self, head: Head, content: bytes) -> ApiError:
        if head.status == 401:
            self._access.credentials.rejected()
            self._pool.forget()
        try:
            told = orjson.loads(content)
        except ValueError:
            told = None
        return error_of(head.status, told, head.headers.get("retry-after"))

    @property
    def _where(self) -> str:
        return self._access.socket or self._access.server


async def _heard(connection: Connection, silence: float) -> AsyncIterator[bytes]:
    """A watch's bytes; raises TimeoutError once it was silent for so many seconds."""
    chunks = connection.chunks()
    while True:
        async with asyncio.timeout(silence):
            chunk = await anext(chunks, None)
        if chunk is None:
            return
        yield chunk


async def _events(chunks: AsyncIterator[bytes]) -> AsyncIterator[Object]:
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n") if rest else chunk.split(b"\n")
        for line in lines:
            if line.strip():
                yield _event(line)


def _selected(labels: str, fields: str) -> dict[str, str]:
    given = {"labelSelector": labels, "fieldSelector": fields}
    return {name: text for name, text in given.items() if text}


def _one_line(value: str) -> str:
    if "\n" in value or "\r" in value:
        raise TrainyardError("A credential for the API server has more than one line.")
    return value


def _event(line: bytes) -> Object:
    event = _decoded(line, 200)
    if not isinstance(event, dict):
        raise Unavailable("The watch sent something that is no event.")
    if event.get("type") == "ERROR":
        told = event.get("object") or {}
        status = int(told.get("code") or 0)
        raise error_of(status, told, None) if status else Gone(str(told.get("message") or "the watch failed"))
    return event


def _decoded(content: bytes, status: int) -> Any:
    try:
        return orjson.loads(content)
    except ValueError as error:
        raise Unavailable("The API server answered with something that is no JSON.", status=status) from error
