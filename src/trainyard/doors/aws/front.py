"""The one ASGI application before all AWS doors.

It takes a request's signature apart, finds its service and its caller, verifies what must be verified, and hands the
call to the service's door. Doors that answer whole bodies get bodies that are whole, verified and unpacked; a door of
streams (objects) gets the request as it comes, with `scope["aws"]` saying whose it is. Nothing that a request says is
logged but the names of its service and operation.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from trainyard.access.callers import Caller, Role
from trainyard.access.guard import Denied, Guard, Judge, Limits
from trainyard.access.keys import Key
from trainyard.awswire import json11, sigv2
from trainyard.awswire.calls import Answer, Call, Refusal
from trainyard.awswire.sigv4 import Claim, RawRequest, SignatureRefused, check_time, read, verify
from trainyard.doors.aws import routing
from trainyard.doors.aws.identity import Identities

_LOG = logging.getLogger(__name__)
_SPENT = 1024 * 1024  # bytes of a refused body that are read
_LARGEST_UNPACKED = 8 * 1024 * 1024  # bytes that a packed body may become


class Door(Protocol):
    """A door of whole bodies: JSON and query services."""

    async def answer(self, call: Call, body: bytes) -> Answer:
        """Answer a call, whatever it holds. Raises nothing but bugs."""
        ...

    def refuse(self, call: Call, error: SignatureRefused | Refusal) -> Answer:
        """Say in the service's way that a call does not get through."""
        ...


class StreamingDoor(Protocol):
    """A door that reads and writes bodies itself; the call stands in `scope["aws"]`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that was let in."""
        ...

    def refuse(self, call: Call, error: SignatureRefused | Refusal) -> Answer:
        """Say in the service's way that a call does not get through."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrival:
    """A request, taken apart once. presigned: by the older version, objects only. fault: why it cannot be read."""

    request: RawRequest
    claim: Claim | None
    presigned: sigv2.Presigned | None
    fault: SignatureRefused | None
    service: str

    @classmethod
    def of(cls, scope: Scope) -> _Arrival:
        """The arrival that an ASGI scope tells."""
        request = RawRequest(scope["method"], scope["raw_path"], scope["query_string"], scope["headers"])
        claim, presigned, fault = None, None, None
        try:
            claim = read(request)
            presigned = sigv2.read(request) if claim is None and request.query else None
        except SignatureRefused as error:
            fault = error
        service = "s3" if presigned is not None else routing.service_of(request, claim)
        return cls(request=request, claim=claim, presigned=presigned, fault=fault, service=service)


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What stands behind the listener.

    doors, streams : by their services' signing names.
    judge : who may connect at all; of callers beyond loopback their signatures say more.
    """

    doors: Mapping[str, Door]
    streams: Mapping[str, tuple[StreamingDoor, Limits]]
    identities: Identities
    judge: Judge
    now: Callable[[], float]
    new_id: Callable[[], str]

    def app(self) -> ASGIApp:
        """The application. Requests are held to the limits of what they are for before anything else is looked at."""
        whole = Guard(self._whole, self.judge, render=_render)
        streaming = {
            name: Guard(self._streaming, self.judge, limits, render=_render)
            for name, (_, limits) in self.streams.items()
        }

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await whole(scope, receive, send)
                return
            arrival = _Arrival.of(scope)
            guard = streaming.get(arrival.service, whole)
            await guard({**scope, "aws": arrival}, receive, send)

        return app

    async def _whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            return
        arrival: _Arrival = scope["aws"]
        call = self._call(arrival, body)
        try:
            call = self._let_in(call, arrival, body)
            answer = await self._answer(call, _unpacked(call.request, body))
        except (SignatureRefused, Refusal) as error:
            answer = self._refused(call, error)
        await _send(answer, send)

    async def _streaming(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrival: _Arrival = scope["aws"]
        call = self._call(arrival)
        door, _ = self.streams[call.service]
        try:
            call = self._let_in(call, arrival)
        except SignatureRefused as error:
            await _spend(scope, receive)
            await _send(door.refuse(call, error), send)
            return
        await door({**scope, "aws": call}, receive, send)

    def _call(self, arrival: _Arrival, body: bytes = b"") -> Call:
        service = arrival.service
        if service == routing.QUERY:
            service = routing.service_of_form(body)
        return Call(service=service, scope=self.identities.home, request=arrival.request, request_id=self.new_id())

    def _let_in(self, call: Call, arrival: _Arrival, body: bytes | None = None) -> Call:
        """The call with its caller; the body is None where whoever reads it judges it. Raises SignatureRefused."""
        if arrival.fault is not None:
            raise arrival.fault
        if arrival.presigned is not None:
            return self._let_in_presigned(call, arrival.presigned)
        claim = arrival.claim
        if claim is None:
            scope = self.identities.of(None).scope
            return call if scope == call.scope else replace(call, scope=scope)
        identity = self.identities.of(claim.scope, claim.session)
        key, seed = identity.key, None
        if key is not None:
            body_hash = None if body is None else sha256(body).hexdigest()
            seed = verify(call.request, claim, key.secret, self.now(), body_hash)
        elif claim.is_presigned:  # whoever made it, it says itself when it ends
            check_time(claim, self.now())
        known = replace(call, scope=identity.scope, caller=claim.scope.access_key, claim=claim, seed=seed)
        return known if key is None else _known(known, key)

    def _let_in_presigned(self, call: Call, presigned: sigv2.Presigned) -> Call:
        identity = self.identities.of(presigned.scope(self.identities.home.region), presigned.session)
        key = identity.key
        if key is None:
            sigv2.check_time(presigned, self.now())
        else:
            sigv2.verify(call.request, presigned, key.secret, self.now())
        known = replace(call, scope=identity.scope, caller=presigned.access_key)
        return known if key is None else _known(known, key)

    async def _answer(self, call: Call, body: bytes) -> Answer:
        door = self.doors.get(call.service)
        if door is None:
            return _unknown_service(call, sorted((*self.doors, *self.streams)))
        try:
            return await door.answer(call, body)
        except Exception:  # noqa: BLE001 - a bug answers one call and is told in the log with its traceback
            _LOG.exception("request %s to %s failed", call.request_id, call.service)
            return door.refuse(call, Refusal("InternalFailure", _BUG, status=500))

    def _refused(self, call: Call, error: SignatureRefused | Refusal) -> Answer:
        door = self.doors.get(call.service)
        if door is not None:
            return door.refuse(call, error)
        plain = error if isinstance(error, Refusal) else json11.signature_refusal(error)
        return json11.refusal(plain, call.request_id)


def _known(call: Call, key: Key) -> Call:
    """The call, with what its key says of the caller."""
    if (key.reads_only, key.region, key.session) == (call.reads_only, call.region, call.session):
        return call
    return replace(call, reads_only=key.reads_only, region=key.region, session=key.session)


_BUG = "The request processing has failed because of an unknown error, exception or failure."


def _unknown_service(call: Call, known: list[str]) -> Answer:
    text = f"This endpoint serves {', '.join(known)}, and not '{call.service[:64]}'."
    return json11.refusal(Refusal("UnknownOperationException", text), call.request_id)


def signer(scope: Scope) -> Caller:
    """The judge of a listener beyond loopback: whose key signed, so that no key's requests leave others no room.

    It lets everybody in as far as to be told, in the service's own words, why he is not let in.
    """
    arrival: _Arrival = scope["aws"]
    return Caller(arrival.claim.scope.access_key if arrival.claim else "", Role.READ)


def _render(denied: Denied) -> bytes:
    """What the guard says, in the form that JSON services have; the code is for people, the status for programs."""
    return json.dumps({"__type": _DENIALS.get(denied.code, denied.reason), "message": denied.message}).encode()


_DENIALS = {
    403: "AccessDeniedException",
    408: "RequestTimeoutException",
    413: "RequestEntityTooLargeException",
    429: "ThrottlingException",
}


def _unpacked(request: RawRequest, body: bytes) -> bytes:
    """A body as it was before the client packed it with gzip. Raises Refusal for one that is broken or a bomb."""
    packing = [value.strip().lower() for name, value in request.headers if name == b"content-encoding"]
    if not packing or packing == [b"identity"]:
        return body
    if packing != [b"gzip"]:
        raise Refusal("SerializationException", "The request's Content-Encoding is neither gzip nor identity.")
    machine = zlib.decompressobj(wbits=31)
    try:
        plain = machine.decompress(body, _LARGEST_UNPACKED)
    except zlib.error:
        raise Refusal("SerializationException", "The request's body is no gzip stream.") from None
    if machine.unconsumed_tail or not machine.eof:
        raise Refusal("RequestEntityTooLargeException", "The request's body is too large or cut off.", status=413)
    return plain


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None where the client went away."""
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


async def _spend(scope: Scope, receive: Receive) -> None:
    """Read what little a refused client may still be sending: it listens when it has said all."""
    if any(name == b"expect" for name, _ in scope["headers"]):
        return  # it waits to be asked for its body
    size, more = 0, True
    while more and size < _SPENT:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)


async def _send(answer: Answer, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in answer.headers]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
