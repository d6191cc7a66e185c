"""What the service says of a request that it does not serve, by the codes of its query protocol."""

from __future__ import annotations

from trainyard.awswire.calls import Refusal
from trainyard.lifecycle.admission.words import validation_message
from trainyard.model.errors import InvalidJob, ServiceError, StaleRecord, TrainyardError, Transient, Unsupported
from trainyard.model.problems import Severity

SHAPES = {
    "InvalidParameterValue": "InvalidParameterValueException",
    "InvalidParameterCombination": "InvalidParameterCombinationException",
    "MissingParameter": "MissingRequiredParameterException",
    "InternalServiceError": "InternalServiceFault",
}
"""Modelled errors by their codes: what the newer protocols call them."""
_CODES: tuple[tuple[type[TrainyardError], str, int], ...] = (
    (ServiceError, "InvalidParameterValue", 400),
    (Unsupported, "InvalidParameterValue", 400),
    (StaleRecord, "Throttling", 400),  # clients try again
    (Transient, "ServiceUnavailable", 503),
    (TrainyardError, "InternalServiceError", 500),
)


def refusal_of(error: TrainyardError) -> Refusal:
    """Our errors in the service's words. A value of a wrong type is refused before any constraint is looked at."""
    if isinstance(error, InvalidJob):
        mistyped = [one.message for one in error.problems if one.code == "type" and one.severity is Severity.ERROR]
        if mistyped:
            return Refusal("MalformedInput", "; ".join(mistyped))
        return invalid(validation_message(error.problems))
    code, status = next((code, status) for kind, code, status in _CODES if isinstance(error, kind))
    return Refusal(code, str(error), status=status)


def invalid(text: str) -> Refusal:
    """A request that breaks a rule which every operation has."""
    return Refusal("ValidationError", text)


def wrong(text: str) -> Refusal:
    """A parameter that is of no use."""
    return Refusal("InvalidParameterValue", text)


def contradictory(text: str) -> Refusal:
    """Parameters that do not go together."""
    return Refusal("InvalidParameterCombination", text)
