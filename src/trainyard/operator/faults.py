"""What a service's refusals and failures mean for a resource."""

from __future__ import annotations

from trainyard.lifecycle.admission.words import validation_message
from trainyard.model.errors import (
    InvalidJob,
    NeverHere,
    ServiceError,
    StaleRecord,
    TrainyardError,
    Transient,
    Unsupported,
)
from trainyard.resource.conditions import Fault

# ACK's list: an edit of the resource is needed. ValidationException is not on it, for the service says so of much that
# passes by itself; what our own admission refuses never does.
TERMINAL_CODES = frozenset(
    {
        "InvalidParameterCombination",
        "InvalidParameterValue",
        "MissingParameter",
        "ResourceInUse",
        "ResourceNotFound",
    }
)


def fault_of(error: TrainyardError | TimeoutError | OSError) -> Fault:
    """The fault that the conditions tell; texts as the AWS SDK writes an API's errors."""
    match error:
        case InvalidJob():
            return Fault(f"api error ValidationException: {validation_message(error.problems)}", terminal=True)
        case NeverHere():
            return Fault(f"api error ValidationException: {error}", terminal=True)
        case ServiceError(code="ValidationException"):
            return Fault(f"api error ValidationException: {error}")
        case ServiceError():
            return Fault(f"{error.code}: {error}", terminal=error.code in TERMINAL_CODES)
        case Unsupported():
            return Fault(str(error), terminal=True)
        case Transient() | StaleRecord():
            return Fault(f"ServiceUnavailable: {error}")
        case TimeoutError():
            return Fault("ServiceUnavailable: the service does not answer in time")
        case _:
            return Fault(f"ServiceUnavailable: {error}")
