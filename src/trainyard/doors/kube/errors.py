"""Refusals as the API server words them: a Status with code, reason, message and details.

The words and reasons are those of k8s.io/apimachinery's pkg/api/errors: clients match on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trainyard.doors.kube.kinds import Kind

LARGEST_BODY = 3 * 1024 * 1024  # bytes; the API server's own limit


class Refused(Exception):  # noqa: N818 - the request was refused; it is an answer, not a fault
    """A request that is answered with a Status instead of an object."""

    def __init__(
        self, code: int, reason: str, message: str, details: dict[str, Any] | None = None, token: str = ""
    ) -> None:
        """`token`: where a list can be gone on with all the same."""
        super().__init__(message)
        self.token = token
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def status(self) -> dict[str, Any]:
        """The Status object."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.token} if self.token else {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }
        return {name: value for name, value in status.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is wrong, with the field that it is wrong in. Reasons are the API's own words."""

    field: str
    reason: str
    message: str

    def told(self) -> str:
        """As in the message of a Status."""
        return f"{self.field}: {self.message}"

    def plain(self) -> dict[str, str]:
        """As in the details of a Status."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


def required(field: str, why: str = "") -> Cause:
    """The field is missing."""
    return Cause(field, "FieldValueRequired", f"Required value: {why}" if why else "Required value")


def invalid_value(field: str, value: object, why: str) -> Cause:
    """The field's value is wrong."""
    return Cause(field, "FieldValueInvalid", f"Invalid value: {_shown(value)}: {why}")


def unsupported_value(field: str, value: object, known: Sequence[str]) -> Cause:
    """The value is none of those that there are."""
    listed = ", ".join(f'"{one}"' for one in known)
    return Cause(field, "FieldValueNotSupported", f"Unsupported value: {_shown(value)}: supported values: {listed}")


def forbidden_value(field: str, why: str) -> Cause:
    """The field may not be given, or not now."""
    return Cause(field, "FieldValueForbidden", f"Forbidden: {why}")


def not_found(kind: Kind, name: str) -> Refused:
    """There is no such object."""
    return Refused(404, "NotFound", f'{kind.qualified} "{name}" not found', _details(kind, name))


def no_such_place() -> Refused:
    """There is nothing at this path."""
    return Refused(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(kind: Kind, name: str) -> Refused:
    """The name is taken."""
    return Refused(409, "AlreadyExists", f'{kind.qualified} "{name}" already exists', _details(kind, name))


def conflict(kind: Kind, name: str, why: str = "") -> Refused:
    """Someone else wrote first, or a precondition does not hold."""
    words = why or ("the object has been modified; please apply your changes to the latest version and try again")
    message = f'Operation cannot be fulfilled on {kind.qualified} "{name}": {words}'
    return Refused(409, "Conflict", message, _details(kind, name))


def invalid(kind: Kind, name: str, causes: Sequence[Cause]) -> Refused:
    """The object breaks rules: every one of them is told."""
    told = [cause.told() for cause in causes]
    summary = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    qualified = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    details = {**_details(kind, name), "kind": kind.kind, "causes": [cause.plain() for cause in causes]}
    return Refused(422, "Invalid", f'{qualified} "{name}" is invalid: {summary}', details)


def unsupported_request(field: str, message: str, reason: str = "FieldValueRequired") -> Refused:
    """An option of the request is wrong."""
    cause = {"reason": reason, "message": message, "field": field}
    return Refused(422, "Invalid", f'PatchOptions.meta.k8s.io "" is invalid: {field}: {message}', {"causes": [cause]})


def bad_request(message: str) -> Refused:
    """The request cannot be understood."""
    return Refused(400, "BadRequest", message)


def forbidden(kind: Kind, name: str, why: str, causes: Sequence[Cause] = ()) -> Refused:
    """Understood, and not allowed."""
    message = f'{kind.qualified} "{name}" is forbidden: {why}' if name else f"{kind.qualified} is forbidden: {why}"
    details = _details(kind, name)
    if causes:
        details["causes"] = [cause.plain() for cause in causes]
    return Refused(403, "Forbidden", message, details)


def method_not_allowed(kind: Kind, why: str = "") -> Refused:
    """This kind does not do that."""
    message = why or "the server does not allow this method on the requested resource"
    return Refused(405, "MethodNotAllowed", message, _details(kind, ""))


def not_acceptable(types: Sequence[str]) -> Refused:
    """No form of the answer suits the Accept header."""
    return Refused(406, "NotAcceptable", f"only the following media types are accepted: {', '.join(types)}")


def unsupported_media_type(types: Sequence[str]) -> Refused:
    """The body's form is not known."""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(types)}"
    return Refused(415, "UnsupportedMediaType", message)


def too_large() -> Refused:
    """The body is over the limit."""
    return Refused(413, "RequestEntityTooLarge", f"Request entity too large: limit is {LARGEST_BODY}")


def too_large_patch(message: str) -> Refused:
    """The patch does more than is allowed."""
    return Refused(413, "RequestEntityTooLarge", message)


def invalid_patch(kind: Kind, name: str, message: str) -> Refused:
    """The patch is well-formed and does not fit the object."""
    text = f"the server rejected our request due to an error in our request: {message}"
    return Refused(422, "Invalid", text, _details(kind, name))


def expired(message: str) -> Refused:
    """What was asked for lies too far back: list again."""
    return Refused(410, "Expired", message)


def expired_token(fresh: str) -> Refused:
    """A list's continue token lies too far back; a fresh one goes on from the same place."""
    message = (
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
        "modified, or deleted between the time the first chunk was returned and now may show up in the list."
    )
    return Refused(410, "Expired", message, token=fresh)


def internal() -> Refused:
    """Our fault; the log has it."""
    return Refused(500, "InternalError", "Internal error occurred: see the server's log")


def unavailable(message: str, after: float) -> Refused:
    """Not now; try again after so many seconds."""
    return Refused(503, "ServiceUnavailable", message, {"retryAfterSeconds": max(1, round(after))})


def _details(kind: Kind, name: str) -> dict[str, Any]:
    details = {"name": name, "group": kind.group, "kind": kind.plural}
    return {key: value for key, value in details.items() if value}


def _shown(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
