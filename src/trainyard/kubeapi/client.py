"""Requests to an API server and its answers, as JSON dicts; every failure is one of ``errors``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp
import orjson

from trainyard.kubeapi.access import Access
from trainyard.kubeapi.errors import ApiError, Gone, Unavailable, error_of
from trainyard.kubeapi.kinds import Kind
from trainyard.kubeapi.limiter import Limiter
from trainyard.ports.clock import Clock

Object = dict[str, Any]
MERGE = "application/merge-patch+json"
_TIMEOUT = 60.0  # seconds for one answer
_CONNECTIONS = 64


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
        self._access, self._user_agent, self._timeout, self._answered = access, user_agent, timeout, answered
        self._limiter = Limiter(qps, burst, clock.boottime)
        self._open: aiohttp.ClientSession | None = None

    @property
    def namespace(self) -> str:
        """The namespace that the access is for."""
        return self._access.namespace

    async def __aenter__(self) -> Self:
        connector: aiohttp.BaseConnector
        if self._access.socket is not None:
            connector = aiohttp.UnixConnector(path=self._access.socket, limit=_CONNECTIONS)
        else:
            connector = aiohttp.TCPConnector(ssl=self._access.tls or True, limit=_CONNECTIONS)
        self._open = aiohttp.ClientSession(
            connector=connector, headers={"User-Agent": self._user_agent, "Accept": "application/json"},
            auto_decompress=True,
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._open is not None:
            await self._open.close()

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Object:
        """One object. Raises NotFound."""
        return await self._ask("GET", kind.path(namespace, name))

    async def list_page(
        self, kind: Kind, namespace: str | None = None, *, limit: int, token: str | None = None, labels: str = ""
    ) -> Object:
        """One page as the server's list object. Raises Gone when the token is too old."""
        query = {"limit": str(limit)}
        if token:
            query["continue"] = token
        if labels:
            query["labelSelector"] = labels
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
        body = {"preconditions": {"uid": uid}} if uid else {}
        await self._ask("DELETE", kind.path(namespace, name), body=body)

    async def version(self) -> Object:
        """The server's version: whether it can be reached at all."""
        return await self._ask("GET", "/version")

    @asynccontextmanager
    async def watch(
        self, kind: Kind, namespace: str | None, *, since: str, labels: str = "", lasting: float, silence: float
    ) -> AsyncIterator[AsyncIterator[Object]]:
        """Events after revision `since`, bookmarks among them, until the server ends the watch.

        lasting : seconds that the server is asked to keep it. silence: seconds without a byte after which it is dead.
        Raises Gone when the revision is too old, Unavailable when the connection breaks or falls silent.
        """
        query = {
            "watch": "true", "allowWatchBookmarks": "true", "resourceVersion": since,
            "timeoutSeconds": str(int(lasting)),
        }  # fmt: skip
        if labels:
            query["labelSelector"] = labels
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout, sock_read=silence)
        async with self._request("GET", kind.path(namespace), query=query, timeout=timeout) as response:
            yield _events(response)

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        timeout = aiohttp.ClientTimeout(total=self._timeout)
        async with self._request(
            method, path, query=query, body=body, content_type=content_type, timeout=timeout
        ) as response:
            found = _decoded(await response.read(), response.status)
        if not isinstance(found, dict):
            raise Unavailable("The API server answered with something that is no object.", status=response.status)
        return found

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        *,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the parts of a request have limits of their own
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        assert self._open is not None, "use the client as an async context"  # noqa: S101 - a mistake of the caller
        await self._limiter.take()
        headers = dict(await self._access.credentials.headers())
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            async with self._open.request(
                method, f"{self._access.server}{path}", params=query, data=None if body is None else orjson.dumps(body),
                headers=headers, timeout=timeout, allow_redirects=False, server_hostname=self._access.server_name,
            ) as response:  # fmt: skip
                self._answered(method, response.status)
                if response.status >= 300:
                    raise await self._refusal(response)
                yield response
        except (aiohttp.ClientError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            self._answered(method, 0)
            what = "does not answer in time" if isinstance(error, TimeoutError) else f"cannot be reached: {error}"
            raise Unavailable(f"The API server at {self._where} {what}.") from error

    async def _refusal(self, response: aiohttp.ClientResponse) -> ApiError:
        if response.status == 401:
            self._access.credentials.rejected()
        try:
            told = orjson.loads(await response.read())
        except ValueError:
            told = None
        return error_of(response.status, told, response.headers.get("Retry-After"))

    @property
    def _where(self) -> str:
        return self._access.socket or self._access.server


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[Object]:
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n") if rest else chunk.split(b"\n")
        for line in lines:
            if line.strip():
                yield _event(line)


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
