"""The ASGI application: a request to its verb, a verb's outcome to bytes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from trainyard.doors.kube.bodies import media_type, object_body, parsed_json, raw_body
from trainyard.doors.kube.builtin import AT_START, NAMESPACE
from trainyard.doors.kube.errors import (
    Refused,
    bad_request,
    internal,
    method_not_allowed,
    no_such_place,
    unavailable,
    unsupported_media_type,
)
from trainyard.doors.kube.kinds import Kind
from trainyard.doors.kube.negotiating import JSON
from trainyard.doors.kube.options import WriteOptions, delete_options, list_options, write_options
from trainyard.doors.kube.paths import Target, target_of
from trainyard.doors.kube.reading import Reading
from trainyard.doors.kube.watching import Watching
from trainyard.doors.kube.world import World
from trainyard.doors.kube.writing import Outcome, Writing
from trainyard.model.errors import TrainyardError, Transient
from trainyard.ports.resources import Body

SEND_TIMEOUT = 30.0  # seconds that a client may leave a watch unread before it is closed
MERGE = "application/merge-patch+json"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response. `warnings` go into Warning headers."""

    body: Body
    code: int = 200
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """A response of JSON lines that goes on until its time (seconds) or its reader is gone."""

    lines: AsyncGenerator[bytes]
    timeout: float | None


class KubeDoor:
    """A Kubernetes API over one world. `running` keeps its background work going."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reading = Reading(world)
        self._writing = Writing(world)
        self._watching = Watching(world)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Make what every cluster has, and follow the definitions, for as long as the block lasts."""
        await self._begin()
        following = asyncio.create_task(self._world.registry.follow())
        try:
            yield
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    async def _begin(self) -> None:
        await self._world.registry.refresh()
        for name in AT_START:
            with suppress(Refused):
                await self._writing.create(NAMESPACE, "", {"metadata": {"name": name}}, WriteOptions())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            answer = await self._answer(request)
        except ClientDisconnect:
            return
        except Refused as refused:
            answer = Answer(refused.status(), refused.code)
        except Transient as error:
            answer = _failed(unavailable(str(error), error.after))
        except TrainyardError as error:
            answer = _failed(Refused(500, "InternalError", f"Internal error occurred: {error}"))
        except Exception:  # noqa: BLE001 - a bug answers 500, and the log has it
            _log.exception("%s %s", request.method, request.url.path)
            answer = _failed(internal())
        await (_send_stream(answer, receive, send) if isinstance(answer, Stream) else _send(answer, send))

    async def _answer(self, request: Request) -> Answer | Stream:
        target = target_of(request.url.path)
        if target is None:
            raise no_such_place()
        kind = self._world.registry.find(target.group, target.version, target.plural)
        if kind is None or (target.subresource and not (target.subresource == "status" and kind.status)):
            raise no_such_place()
        if kind.namespaced != bool(target.namespace) and (target.name or not kind.namespaced):
            raise no_such_place()
        return await (self._one(request, kind, target) if target.name else self._all(request, kind, target))

    async def _all(self, request: Request, kind: Kind, target: Target) -> Answer | Stream:
        query = request.query_params
        match request.method:
            case "GET":
                options = list_options(query)
                if options.watch:
                    lines = self._watching.lines(kind, target.namespace, options, lambda body: body)
                    return Stream(lines, options.timeout)
                listed = await self._reading.list(kind, target.namespace, options)
                return Answer(
                    {
                        "kind": kind.list_kind or f"{kind.kind}List",
                        "apiVersion": kind.api_version,
                        "metadata": listed.metadata,
                        "items": listed.items,
                    }
                )
            case "POST" if kind.namespaced == bool(target.namespace):
                outcome = await self._writing.create(
                    kind, target.namespace, await _required_body(request), write_options(query)
                )
                return _answered(outcome)
        raise method_not_allowed(kind)

    async def _one(self, request: Request, kind: Kind, target: Target) -> Answer | Stream:
        query, namespace, name = request.query_params, target.namespace, target.name
        match request.method:
            case "GET":
                return Answer(await self._reading.get(kind, namespace, name))
            case "PUT":
                body, options = await _required_body(request), write_options(query)
                return _answered(
                    await self._writing.replace(kind, namespace, name, body, options, subresource=target.subresource)
                )
            case "PATCH":
                return await self._patch(request, kind, target)
            case "DELETE" if not target.subresource:
                deletion = delete_options(query, await object_body(request))
                return _answered(await self._writing.delete(kind, namespace, name, deletion))
        raise method_not_allowed(kind)

    async def _patch(self, request: Request, kind: Kind, target: Target) -> Answer:
        if media_type(request) != MERGE:
            raise unsupported_media_type((MERGE,))
        patch = parsed_json(await raw_body(request))
        outcome = await self._writing.change(
            kind, target.namespace, target.name, lambda body: merged(body, patch), write_options(request.query_params),
            subresource=target.subresource,
        )  # fmt: skip
        return _answered(outcome)


def merged(value: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for name, change in patch.items():
        if change is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), change)
    return result


async def _required_body(request: Request) -> Any:
    body = await object_body(request)
    if body is None:
        raise bad_request("the request has no body")
    return body


def _answered(outcome: Outcome) -> Answer:
    return Answer(outcome.body, outcome.code, outcome.warnings)


def _failed(refused: Refused) -> Answer:
    return Answer(refused.status(), refused.code)


async def _send(answer: Answer, send: Send) -> None:
    body = orjson.dumps(answer.body)
    headers = [(b"content-type", JSON.encode()), (b"content-length", str(len(body)).encode())]
    headers += [(b"warning", f'299 - "{_quoted(text)}"'.encode()) for text in answer.warnings]
    await send({"type": "http.response.start", "status": answer.code, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _quoted(text: str) -> str:
    """As a quoted string of a header: one line, ASCII."""
    plain = " ".join(text.split()).encode("ascii", "replace").decode()
    return plain.replace("\\", "\\\\").replace('"', '\\"')


async def _send_stream(stream: Stream, receive: Receive, send: Send) -> None:
    """Send until the stream's time is over, the client is gone, or it has stopped reading."""
    sending = asyncio.create_task(_send_lines(stream, send))
    leaving = asyncio.create_task(_disconnected(receive))
    _, pending = await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    if sending.done() and not sending.cancelled():
        sending.result()


async def _send_lines(stream: Stream, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", JSON.encode())]})
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    with suppress(TimeoutError):
        async with asyncio.timeout(stream.timeout), aclosing(stream.lines) as lines:
            async for chunk in lines:
                async with asyncio.timeout(SEND_TIMEOUT):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
