"""Smithy RPC v2 in CBOR: the operation stands in the path, members in CBOR, times under tag 1."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import cbor2

from trainyard.awswire.calls import REQUEST_ID, Answer, Refusal
from trainyard.awswire.shapes import Moment
from trainyard.awswire.sigv4 import RawRequest

_DEEPEST = 32
_PATH = re.compile(rb"/service/([^/]{1,128})/operation/([^/]{1,128})")
_EPOCH = 1  # the tag of a time in seconds since the epoch
_PLAIN = (str, bool, int, float, type(None))


def target_of(request: RawRequest) -> tuple[str, str] | None:
    """Service and operation; None for a request of another protocol."""
    found = _PATH.fullmatch(request.path)
    return None if found is None else (found[1].decode("latin-1"), found[2].decode("latin-1"))


def read_members(body: bytes) -> dict[str, Any]:
    """The request's map; an empty body is an empty one. Raises Refusal for what is none."""
    try:
        document = _plain(cbor2.loads(body)) if body else {}
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError, MemoryError):
        raise Refusal("SerializationException", "The request's body is no CBOR document.") from None
    if not isinstance(document, dict):
        raise Refusal("SerializationException", "The request's body is no CBOR map.")
    return document


def answer(document: Mapping[str, Any], request_id: str, *, status: int = 200) -> Answer:
    """An operation's result, or an error."""
    headers = ((REQUEST_ID, request_id), ("smithy-protocol", "rpc-v2-cbor"), ("content-type", "application/cbor"))
    return Answer(status=status, body=cbor2.dumps(_tagged(document)), headers=headers)


def _plain(value: Any, depth: int = 0) -> Any:
    """The value without tags; raises ValueError for what no request holds."""
    if depth > _DEEPEST:
        raise ValueError(depth)
    if isinstance(value, str):
        value.encode()  # half a surrogate pair is a character that no text holds
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, Mapping):
        return {_name(name): _plain(member, depth + 1) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    raise ValueError(type(value))


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(name)
    return name


def _tagged(value: Any) -> Any:
    if isinstance(value, Moment):
        return cbor2.CBORTag(_EPOCH, float(value))
    if isinstance(value, Mapping):
        return {name: _tagged(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_tagged(item) for item in value]
    return value
