"""Our errors in the service's words: one table."""

from __future__ import annotations

from trainyard.awswire.calls import Refusal
from trainyard.lifecycle.admission.words import validation_message
from trainyard.model.errors import (
    InvalidJob,
    ServiceError,
    StaleRecord,
    StoreTooNew,
    TrainyardError,
    Transient,
    Unsupported,
)
from trainyard.model.problems import Severity

_MODELLED = frozenset({"ResourceInUse", "ResourceLimitExceeded", "ResourceNotFound", "ConflictException"})
_CODES: tuple[tuple[type[TrainyardError], str, int], ...] = (
    (StaleRecord, "ThrottlingException", 400),  # clients try again
    (Transient, "ServiceUnavailable", 503),
    (Unsupported, "ValidationException", 400),
    (StoreTooNew, "InternalFailure", 500),
    (TrainyardError, "InternalFailure", 500),
)


def refusal_of(error: TrainyardError) -> Refusal:
    """What the client reads. A value of the wrong JSON type is refused before any constraint is looked at."""
    if isinstance(error, InvalidJob):
        return _invalid(error)
    if isinstance(error, ServiceError):
        member = "Message" if error.code in _MODELLED else "message"
        return Refusal(error.code, str(error), member=member)
    code, status = next((code, status) for kind, code, status in _CODES if isinstance(error, kind))
    return Refusal(code, str(error), status=status)


def _invalid(error: InvalidJob) -> Refusal:
    mistyped = [
        problem.message for problem in error.problems if problem.code == "type" and problem.severity is Severity.ERROR
    ]
    if mistyped:
        return Refusal("SerializationException", "; ".join(mistyped))
    return Refusal("ValidationException", validation_message(error.problems))
