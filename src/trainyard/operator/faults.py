"""What a service's refusals and failures mean for a resource."""

from __future__ import annotations

from trainyard.lifecycle.admission.words import validation_message
from trainyard.model.errors import (
    InvalidJob,
    NeverHere,
    ServiceError,
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
# The codes that the SDK has types for: it writes the others as "api error Code: text".
_MODELLED = frozenset({"ResourceInUse", "ResourceLimitExceeded", "ResourceNotFound"})


def fault_of(error: TrainyardError | TimeoutError | OSError) -> Fault:
    """The fault that the conditions tell; texts as the AWS SDK writes an API's errors."""
    match error:
        case InvalidJob():
            return Fault(f"api error ValidationException: {validation_message(error.problems)}", terminal=True)
        case NeverHere():
            return Fault(f"api error ValidationException: {error}", terminal=True)
        case ServiceError(code=code) if code in TERMINAL_CODES | _MODELLED:
            return Fault(f"{code}: {error}", terminal=code in TERMINAL_CODES)
        case ServiceError():
            return Fault(f"api error {error.code}: {error}")
        case Unsupported():
            return Fault(str(error), terminal=True)
        case Transient(code=code) if code:  # its text begins with the code
            return Fault(f"api error {error}")
        case TimeoutError():
            return Fault("ServiceUnavailable: the service does not answer in time")
        case _:
            return Fault(f"ServiceUnavailable: {error}")
