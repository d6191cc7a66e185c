"""Bodies in the API server's protobuf form, which kubectl and Go clients send for built-in kinds; read, never written.

A body is four magic bytes and a `runtime.Unknown` that names its type and holds the object. The field numbers are those
of the published generated.proto files, for the kinds that are served here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from trainyard.doors.kube.errors import bad_request

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
DEEPEST = 20  # messages inside messages; the kinds here have five


@dataclass(frozen=True, slots=True)
class Message:
    """A message: field number -> (name, what it holds, whether it repeats)."""

    fields: dict[int, tuple[str, str | Message, bool]] = field(default_factory=dict)


def _message(**fields: tuple[int, str | Message] | tuple[int, str | Message, bool]) -> Message:
    table: dict[int, tuple[str, str | Message, bool]] = {}
    for name, (number, holds, *repeats) in fields.items():
        table[number] = (name, holds, bool(repeats))
    return Message(table)


_OWNER = _message(
    kind=(1, "text"), name=(3, "text"), uid=(4, "text"), apiVersion=(5, "text"), controller=(6, "flag"),
    blockOwnerDeletion=(7, "flag"),
)  # fmt: skip
_METADATA = _message(
    name=(1, "text"), generateName=(2, "text"), namespace=(3, "text"), uid=(5, "text"), resourceVersion=(6, "text"),
    generation=(7, "whole"), creationTimestamp=(8, "time"), deletionTimestamp=(9, "time"),
    deletionGracePeriodSeconds=(10, "whole"), labels=(11, "texts"), annotations=(12, "texts"),
    ownerReferences=(13, _OWNER, True), finalizers=(14, "text", True),
)  # fmt: skip
_REFERENCE = _message(
    kind=(1, "text"), namespace=(2, "text"), name=(3, "text"), uid=(4, "text"), apiVersion=(5, "text"),
    resourceVersion=(6, "text"), fieldPath=(7, "text"),
)  # fmt: skip
_LEASE_SPEC = _message(
    holderIdentity=(1, "text"), leaseDurationSeconds=(2, "whole"), acquireTime=(3, "microtime"),
    renewTime=(4, "microtime"), leaseTransitions=(5, "whole"), strategy=(6, "text"), preferredHolder=(7, "text"),
)  # fmt: skip
_ATTRIBUTES = _message(
    namespace=(1, "text"), verb=(2, "text"), group=(3, "text"), version=(4, "text"), resource=(5, "text"),
    subresource=(6, "text"), name=(7, "text"),
)  # fmt: skip
_REVIEW_SPEC = _message(
    resourceAttributes=(1, _ATTRIBUTES), nonResourceAttributes=(2, _message(path=(1, "text"), verb=(2, "text")))
)
_EVENT = _message(
    metadata=(1, _METADATA), involvedObject=(2, _REFERENCE), reason=(3, "text"), message=(4, "text"),
    source=(5, _message(component=(1, "text"), host=(2, "text"))), firstTimestamp=(6, "time"),
    lastTimestamp=(7, "time"), count=(8, "whole"), type=(9, "text"), eventTime=(10, "microtime"),
    series=(11, _message(count=(1, "whole"), lastObservedTime=(2, "microtime"))), action=(12, "text"),
    related=(13, _REFERENCE), reportingComponent=(14, "text"), reportingInstance=(15, "text"),
)  # fmt: skip
_DELETE_OPTIONS = _message(
    gracePeriodSeconds=(1, "whole"),
    preconditions=(2, _message(uid=(1, "text"), resourceVersion=(2, "text"))),
    orphanDependents=(3, "flag"), propagationPolicy=(4, "text"), dryRun=(5, "text", True),
)  # fmt: skip
_TYPES: dict[tuple[str, str], Message] = {
    ("v1", "Namespace"): _message(
        metadata=(1, _METADATA), spec=(2, _message(finalizers=(1, "text", True))),
        status=(3, _message(phase=(1, "text"))),
    ),
    ("v1", "ConfigMap"): _message(
        metadata=(1, _METADATA), data=(2, "texts"), binaryData=(3, "bytes"), immutable=(4, "flag")
    ),
    ("v1", "Secret"): _message(
        metadata=(1, _METADATA), data=(2, "bytes"), type=(3, "text"), stringData=(4, "texts"), immutable=(5, "flag")
    ),
    ("v1", "Event"): _EVENT,
    ("coordination.k8s.io/v1", "Lease"): _message(metadata=(1, _METADATA), spec=(2, _LEASE_SPEC)),
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview"): _message(metadata=(1, _METADATA), spec=(2, _REVIEW_SPEC)),
    ("authorization.k8s.io/v1", "SelfSubjectRulesReview"): _message(
        metadata=(1, _METADATA), spec=(2, _message(namespace=(1, "text")))
    ),
    ("authentication.k8s.io/v1", "SelfSubjectReview"): _message(metadata=(1, _METADATA)),
}  # fmt: skip
_TYPE = _message(apiVersion=(1, "text"), kind=(2, "text"))
_UNKNOWN = _message(typeMeta=(1, _TYPE), raw=(2, "raw"))


def parsed(raw: bytes) -> dict[str, Any]:
    """The object as JSON values. Raises Refused (400)."""
    try:
        return _object(raw)
    except (ValueError, IndexError, OverflowError, OSError) as error:
        raise bad_request(f"the body is not a protobuf object: {error}") from error


def _object(raw: bytes) -> dict[str, Any]:
    if not raw.startswith(_MAGIC):
        raise ValueError("the magic bytes are missing")
    unknown = _read(raw[len(_MAGIC) :], _UNKNOWN, 0)
    head = unknown.get("typeMeta", {})
    name = (str(head.get("apiVersion", "")), str(head.get("kind", "")))
    message = _DELETE_OPTIONS if name[1] == "DeleteOptions" else _TYPES.get(name)
    if message is None:
        raise ValueError(f"{name[1][:80]!r} of {name[0][:80]!r} is not read in this form; send JSON")
    return {"apiVersion": name[0], "kind": name[1], **_read(unknown.get("raw", b""), message, 0)}


def _read(data: bytes, message: Message, depth: int) -> dict[str, Any]:
    if depth > DEEPEST:
        raise ValueError("messages are nested too deeply")
    read: dict[str, Any] = {}
    for number, value in _fields(data):
        if number not in message.fields:
            continue
        name, holds, repeats = message.fields[number]
        if holds in ("texts", "bytes"):
            read.setdefault(name, {}).update([_pair(_bytes(value), str(holds))])
        elif repeats:
            read.setdefault(name, []).append(_value(value, holds, depth))
        elif (one := _value(value, holds, depth)) not in ("", None):
            read[name] = one
    return read


def _value(value: int | bytes, holds: str | Message, depth: int) -> Any:
    if isinstance(holds, Message):
        return _read(_bytes(value), holds, depth + 1)
    if holds == "text":
        return _bytes(value).decode()
    if holds == "raw":
        return _bytes(value)
    if holds in ("time", "microtime"):
        return _time(_bytes(value), micro=holds == "microtime")
    if not isinstance(value, int):
        raise ValueError("a number was expected")  # noqa: TRY004 - the wire's fault, told with the others
    if holds == "flag":
        return bool(value)
    return value - (1 << 64) if value >> 63 else value


def _pair(data: bytes, holds: str) -> tuple[str, str]:
    parts = dict(_fields(data))
    value = _bytes(parts.get(2, b""))
    return _bytes(parts.get(1, b"")).decode(), base64.b64encode(value).decode() if holds == "bytes" else value.decode()


def _time(data: bytes, *, micro: bool) -> str | None:
    parts = dict(_fields(data))
    seconds, nanos = parts.get(1, 0), parts.get(2, 0)
    if not isinstance(seconds, int) or not isinstance(nanos, int):
        raise ValueError("a time was expected")  # noqa: TRY004 - the wire's fault, told with the others
    if seconds >> 63 or not seconds:
        return None  # Go's zero time: not set
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{nanos // 1000:06}Z" if micro else f"{whole}Z"


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("bytes were expected")  # noqa: TRY004 - the wire's fault, told with the others
    return value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Every field on the wire: its number, and a whole number or bytes."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        if tag & 7 == 0:
            value, position = _varint(data, position)
            yield tag >> 3, value
            continue
        width = {1: 8, 5: 4}.get(tag & 7)
        if width is None:
            if tag & 7 != 2:
                raise ValueError(f"wire type {tag & 7} is not used")
            width, position = _varint(data, position)
        if position + width > len(data):
            raise ValueError("the body ends inside a field")
        yield tag >> 3, data[position : position + width]
        position += width


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, position
    raise ValueError("a number is too long")
