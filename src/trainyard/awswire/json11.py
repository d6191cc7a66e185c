"""AWS JSON 1.1 and its sisters: operations by X-Amz-Target, errors by `__type`, times in seconds since the epoch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from trainyard.awswire.calls import REQUEST_ID, Answer, Refusal
from trainyard.awswire.sigv4 import Fault, RawRequest, SignatureRefused

JSON_1_0 = "application/x-amz-json-1.0"
JSON_1_1 = "application/x-amz-json-1.1"
REST_JSON = "application/json"


def target_of(request: RawRequest) -> tuple[str, str]:
    """The two halves of X-Amz-Target: `SageMaker` and `CreateTrainingJob`; ("", "") where there is none."""
    for name, value in request.headers:
        if name == b"x-amz-target":
            prefix, _, operation = value.decode("latin-1").strip().rpartition(".")
            return prefix, operation
    return "", ""


def read_members(body: bytes) -> dict[str, Any]:
    """The request's JSON object; an empty body is an empty one. Raises Refusal for what is none."""
    try:
        text = body.decode(json.detect_encoding(body)) or "{}"
        document = _READER.decode(text)
        if "\\u" in text:
            json.dumps(document, ensure_ascii=False).encode()  # half a surrogate pair is a character that no text holds
    except (ValueError, RecursionError):
        raise Refusal("SerializationException", "The request's body is no JSON document.") from None
    if not isinstance(document, dict):
        raise Refusal("SerializationException", "The request's body is no JSON object.")
    return document


def _no_number(word: str) -> float:
    raise ValueError(word)


_READER = json.JSONDecoder(parse_constant=_no_number)
_WRITER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def answer(document: Mapping[str, Any] | bytes | None, request_id: str, content_type: str = JSON_1_1) -> Answer:
    """An operation's result, JSON already or not; None for an operation that has none: its body is empty."""
    body = document if isinstance(document, bytes) else b"" if document is None else _encoded(document)
    return Answer(body=body, headers=_headers(request_id, content_type))


def refusal(error: Refusal, request_id: str, content_type: str = JSON_1_1) -> Answer:
    """An error, with its code where every client looks for it: in the body and in a header."""
    body = _encoded({"__type": error.code, error.member: error.message})
    headers = (*_headers(request_id, content_type), ("x-amzn-errortype", error.code))
    return Answer(status=error.status, body=body, headers=headers)


def _headers(request_id: str, content_type: str) -> tuple[tuple[str, str], ...]:
    return (REQUEST_ID, request_id), ("content-type", content_type)


def _encoded(document: Mapping[str, Any]) -> bytes:
    try:
        return _WRITER.encode(document).encode()
    except ValueError:
        return json.dumps(_spelt(document), separators=(",", ":"), ensure_ascii=False).encode()


def _spelt(plain: Any) -> Any:
    """Numbers that JSON cannot hold are texts on this wire."""
    if isinstance(plain, float) and not math.isfinite(plain):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(plain, "NaN")
    if isinstance(plain, Mapping):
        return {name: _spelt(value) for name, value in plain.items()}
    if isinstance(plain, list | tuple):
        return [_spelt(item) for item in plain]
    return plain


_CODES = {
    Fault.ABSENT: "MissingAuthenticationTokenException",
    Fault.AMBIGUOUS: "IncompleteSignatureException",
    Fault.UNSUPPORTED: "IncompleteSignatureException",
    Fault.MALFORMED: "IncompleteSignatureException",
    Fault.UNKNOWN_KEY: "UnrecognizedClientException",
    Fault.EXPIRED_KEY: "ExpiredTokenException",
}


def signature_refusal(error: SignatureRefused) -> Refusal:
    """What services of this protocol say of a signature."""
    return Refusal(_CODES.get(error.fault, "InvalidSignatureException"), error.message)
