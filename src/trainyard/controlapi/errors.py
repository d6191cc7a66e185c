"""Our errors on the wire and back: {"kind", "message", …} beside an HTTP status. One table, read in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from trainyard.model.errors import (
    AccessDenied,
    InvalidJob,
    NeverHere,
    ResourceInUse,
    ResourceLimitExceeded,
    ResourceNotFound,
    ServiceError,
    StaleRecord,
    StoreTooNew,
    TrainyardError,
    Transient,
    Unsupported,
    ValidationRefused,
)
from trainyard.model.problems import Problem

_STATUS_OF: dict[type[TrainyardError], int] = {
    InvalidJob: 400,
    NeverHere: 400,
    ValidationRefused: 400,
    AccessDenied: 403,
    ResourceNotFound: 404,
    ResourceInUse: 409,
    StaleRecord: 409,
    ResourceLimitExceeded: 422,
    Unsupported: 501,
    Transient: 503,
    StoreTooNew: 500,
    ServiceError: 400,
    TrainyardError: 500,
}
_LATER = frozenset({408, 425, 429})  # a proxy's own words for `not now`, beside all of 5xx
_KINDS = {kind.__name__: kind for kind in _STATUS_OF}
_PROBLEMS: TypeAdapter[tuple[Problem, ...]] = TypeAdapter(tuple[Problem, ...])


def encode_error(error: TrainyardError) -> tuple[int, dict[str, Any]]:
    """The HTTP status and the JSON object of an error; a subclass that has no row is told as its nearest ancestor."""
    kind = next(one for one in type(error).__mro__ if one in _STATUS_OF)
    plain: dict[str, Any] = {"kind": kind.__name__, "message": str(error)}
    if isinstance(error, InvalidJob):
        plain["problems"] = _PROBLEMS.dump_python(error.problems, mode="json")
    if isinstance(error, Transient):
        plain["after"] = error.after
    if isinstance(error, ServiceError):
        plain["code"] = error.code
    return _STATUS_OF[kind], plain


def decode_error(status: int, plain: Any, after: float = 1.0) -> TrainyardError:
    """The error that a peer told; what is no error of ours becomes one: Transient where its status says `later`.

    after: seconds that the answer's own header asks to wait.
    """
    if not isinstance(plain, Mapping) or plain.get("kind") not in _KINDS:
        text = f"The Trainyard there answered HTTP {status} with something that is no answer of a Trainyard."
        return Transient(text, after=after) if status >= 500 or status in _LATER else TrainyardError(text)
    message = str(plain.get("message", ""))
    kind = _KINDS[plain["kind"]]
    if kind is InvalidJob:
        return _invalid(plain, message)
    if kind is Transient:
        told = plain.get("after")
        return Transient(message, after=float(told) if isinstance(told, int | float) else after)
    code = plain.get("code")
    return ServiceError(message, code=code) if kind is ServiceError and isinstance(code, str) else kind(message)


def _invalid(plain: Mapping[str, Any], message: str) -> TrainyardError:
    try:
        return InvalidJob(_PROBLEMS.validate_python(plain.get("problems", ())))
    except ValidationError:
        return ValidationRefused(message)
