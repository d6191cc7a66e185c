"""The door: an ASGI application that takes S3's requests apart, and answers them from a store of buckets.

Who asks was judged before: `scope["aws"]` is the call as the front knows it, with the signature that it found true, so
that signed chunks can be judged here, where the body is read. Nothing that a request holds is logged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

from starlette.types import Receive, Scope, Send

from trainyard.awswire import calls
from trainyard.awswire.calls import Call
from trainyard.awswire.sigv4 import SignatureRefused
from trainyard.doors.s3 import answers, buckets, listings, objects, requests, uploads
from trainyard.doors.s3.answers import Answer
from trainyard.doors.s3.errors import Refused, from_fault, from_signature, from_store
from trainyard.doors.s3.payloads import Disconnected, Payload
from trainyard.doors.s3.requests import Request
from trainyard.doors.s3.world import World
from trainyard.model.errors import ObjectRefused, Transient

_LOG = logging.getLogger(__name__)
Handler = Callable[[World, Request], Awaitable[Answer]]

_OF_A_BUCKET: dict[tuple[str, str], Handler] = {
    ("GET", ""): listings.list_objects,
    ("GET", "list-type"): listings.list_objects_v2,
    ("GET", "versions"): listings.list_versions,
    ("GET", "uploads"): uploads.list_uploads,
    ("GET", "location"): buckets.location,
    ("GET", "versioning"): buckets.get_versioning,
    ("GET", "tagging"): buckets.get_tags,
    ("GET", "acl"): objects.get_acl,
    **{("GET", name): buckets.unset for name in (*buckets.UNSET, *buckets.EMPTY, "requestPayment")},
    ("HEAD", ""): buckets.head,
    ("PUT", ""): buckets.create,
    ("PUT", "versioning"): buckets.put_versioning,
    ("PUT", "tagging"): buckets.put_tags,
    ("DELETE", ""): buckets.delete,
    ("DELETE", "tagging"): buckets.delete_tags,
    ("POST", "delete"): objects.delete_many,
}
_OF_AN_OBJECT: dict[tuple[str, str], Handler] = {
    ("GET", ""): objects.get,
    ("GET", "tagging"): objects.get_tags,
    ("GET", "attributes"): objects.attributes,
    ("GET", "acl"): objects.get_acl,
    ("GET", "uploadId"): uploads.list_parts,
    ("HEAD", ""): objects.get,
    ("PUT", ""): objects.put,
    ("PUT", "copy"): objects.copy,  # a header asks for it
    ("PUT", "tagging"): objects.put_tags,
    ("PUT", "uploadId"): uploads.put_part,
    ("PUT", "uploadId copy"): uploads.copy_part,
    ("POST", "uploads"): uploads.create,
    ("POST", "uploadId"): uploads.complete,
    ("DELETE", ""): objects.delete,
    ("DELETE", "tagging"): objects.delete_tags,
    ("DELETE", "uploadId"): uploads.abort,
}
_SUBRESOURCES = frozenset(name for _, name in (*_OF_A_BUCKET, *_OF_AN_OBJECT) if "copy" not in name) | {
    "analytics", "intelligent-tiering", "inventory", "metrics", "legal-hold", "retention", "restore", "select",
    "torrent", "metadataTable", "metadataConfiguration", "session", "renameObject", "abac",
}  # fmt: skip


class S3Door:
    """The application."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        call: Call | None = scope.get("aws")
        seed = None if call is None else call.seed
        payload = Payload(receive, requests.headers_of(scope), seed, scope.get("state", {}))
        request_id = self._world.new_id() if call is None else call.request_id
        try:
            answer = await self._answer(scope, payload, request_id)
            await _send(answer, scope["method"], request_id, send)
            if answer.stream is not None:
                await _stream(answer.stream, receive, send)
        except Disconnected:
            return

    def refuse(self, call: Call, error: SignatureRefused | calls.Refusal) -> calls.Answer:
        """Say that a call does not get through. Its body was not read, so the connection ends."""
        if isinstance(error, SignatureRefused):
            presigned = b"Signature=" in call.request.query
            refused = from_signature(error, presigned=presigned)
        else:
            refused = Refused("AccessDenied", error.message)
        resource = call.request.path.decode("utf-8", "replace")
        answer = answers.error(refused, resource, call.request_id)
        return calls.Answer(
            status=answer.status, body=b"" if call.request.method == "HEAD" else answer.body,
            headers=(*answer.headers, ("x-amz-request-id", call.request_id), ("connection", "close")),
        )  # fmt: skip

    async def _answer(self, scope: Scope, payload: Payload, request_id: str) -> Answer:
        resource = scope["path"]
        try:
            request = requests.read(scope, payload, self._world.account)
            answer = await self._handled(request)
        except ObjectRefused as refused:
            answer = answers.error(from_store(refused), resource, request_id)
        except Transient as fault:
            answer = answers.error(from_fault(fault), resource, request_id)
        except Refused as refused:
            answer = answers.error(refused, resource, request_id)
        except Disconnected:
            raise
        except Exception:  # noqa: BLE001 - a fault of ours: told to the log, and to the client without details
            _LOG.exception("request %s failed", request_id)
            answer = answers.error(Refused("InternalError"), resource, request_id)
        await payload.drain()
        if not payload.is_read:  # what follows on this connection would be the rest of that body
            answer = replace(answer, headers=(*answer.headers, ("connection", "close")))
        return answer

    async def _handled(self, request: Request) -> Answer:
        if not request.bucket:
            if request.method != "GET":
                raise Refused("MethodNotAllowed")
            return await buckets.list_buckets(self._world, request)
        handler = _handler(request)
        if handler is not buckets.create:
            await self._world.admit(request, request.bucket, reads=request.method in ("GET", "HEAD"))
        return await handler(self._world, request)


def _handler(request: Request) -> Handler:
    """Raises Refused for what S3 does and this door does not, and for what is no request of S3's."""
    table = _OF_AN_OBJECT if request.key else _OF_A_BUCKET
    name = next((name for name in request.query if name in _SUBRESOURCES), "")
    if request.method == "PUT" and request.key and "x-amz-copy-source" in request.headers:
        name = f"{name} copy".strip()
    handler = table.get((request.method, name))
    if handler is not None:
        return handler
    if name:
        raise Refused("NotImplemented", f"{request.method} of {name} is not implemented.")
    if request.method == "POST":
        raise Refused("NotImplemented", "Uploads by forms are not implemented; use PUT.")
    raise Refused("MethodNotAllowed")


async def _send(answer: Answer, method: str, request_id: str, send: Send) -> None:
    """The head of an answer, and its body unless that comes piece by piece."""
    length = len(answer.body) if answer.length is None else answer.length
    bare = answer.status in (204, 304)
    headers = [
        *((name.encode("latin-1"), text.encode("latin-1")) for name, text in answer.headers),
        (b"x-amz-request-id", request_id.encode()), (b"x-amz-id-2", request_id.encode()), (b"server", b"Trainyard"),
        *([] if bare else [(b"content-length", str(length).encode())]),
    ]  # fmt: skip
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.stream is None:
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" or bare else answer.body})


async def _stream(pieces: AsyncGenerator[bytes], receive: Receive, send: Send) -> None:
    """Bytes, for as long as somebody takes them: a server says by `receive` alone that the client has gone."""
    leaving = asyncio.ensure_future(receive())
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                if leaving.done():
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        leaving.cancel()
