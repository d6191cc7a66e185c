"""What the service says of a request that it does not serve."""

from __future__ import annotations

from trainyard.awswire.calls import Refusal
from trainyard.lifecycle.admission.words import validation_message
from trainyard.model.errors import InvalidJob, ResourceNotFound, ServiceError, TrainyardError, Transient
from trainyard.model.problems import Severity


def refusal_of(error: TrainyardError) -> Refusal:
    """Our errors in the service's words."""
    if isinstance(error, InvalidJob):
        mistyped = [one.message for one in error.problems if one.code == "type" and one.severity is Severity.ERROR]
        if mistyped:
            return Refusal("SerializationException", "; ".join(mistyped))
        return invalid(validation_message(error.problems))
    if isinstance(error, ResourceNotFound):
        return no_stream()
    if isinstance(error, ServiceError):
        return invalid(str(error))
    if isinstance(error, Transient):
        return Refusal("ServiceUnavailableException", str(error), status=503)
    return Refusal("InternalFailure", str(error), status=500)


def invalid(text: str) -> Refusal:
    """A request that breaks a rule."""
    return Refusal("InvalidParameterException", text)


def no_group() -> Refusal:
    """There is no such group, or nothing was written to it yet."""
    return Refusal("ResourceNotFoundException", "The specified log group does not exist.")


def no_stream() -> Refusal:
    """There is no such stream, or nothing was written to it yet."""
    return Refusal("ResourceNotFoundException", "The specified log stream does not exist.")
