"""What AWS and the way to it answer, as our own errors.

A refusal keeps the service's code and words. What may pass by itself (throttling, a failure of theirs, a broken
connection) is Transient: it never says anything about a job.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore import exceptions as aws

from trainyard.model.errors import (
    ResourceInUse,
    ResourceLimitExceeded,
    ResourceNotFound,
    ServiceError,
    TrainyardError,
    Transient,
    Unsupported,
    ValidationRefused,
)

NOT_FOUND = "Requested resource not found"  # how the service says 404: a ValidationException that begins so
_BUSY = frozenset(
    {
        "InternalFailure", "InternalServerError", "LimitExceededException", "ProvisionedThroughputExceededException",
        "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "ServiceUnavailable", "SlowDown",
        "ServiceUnavailableException", "Throttling", "ThrottlingException", "TooManyRequestsException",
    }
)  # fmt: skip
_AFTER_THROTTLING = 5.0  # seconds; boto3 itself has waited and tried again before we hear of it
_HINTS: Mapping[str, str] = {
    "ExpiredToken": "The AWS credentials have expired: renew them (`aws sso login`, or a new session).",
    "ExpiredTokenException": "The AWS credentials have expired: renew them (`aws sso login`, or a new session).",
    "UnrecognizedClientException": "AWS does not know these credentials: check AWS_PROFILE and the region.",
    "InvalidClientTokenId": "AWS does not know these credentials: check AWS_PROFILE and the region.",
    "InvalidSignatureException": "Check the secret key, and this machine's clock.",
}
_REFUSALS: Mapping[str, type[ServiceError]] = {
    "ResourceInUse": ResourceInUse,
    "ResourceInUseException": ResourceInUse,
    "ResourceLimitExceeded": ResourceLimitExceeded,
    "ValidationException": ValidationRefused,
}
_NO_WAY = (
    aws.EndpointConnectionError, aws.ConnectTimeoutError, aws.ReadTimeoutError, aws.ConnectionClosedError,
    aws.HTTPClientError, aws.ResponseStreamingError,
)  # fmt: skip


def ours(error: aws.ClientError | aws.BotoCoreError) -> TrainyardError:
    """The error of our tree that says the same."""
    if isinstance(error, aws.ClientError):
        return _answered(error)
    if isinstance(error, _NO_WAY):
        return Transient(f"Amazon cannot be reached: {error}")
    if isinstance(error, aws.NoCredentialsError | aws.PartialCredentialsError | aws.ProfileNotFound):
        return TrainyardError(
            f"{error}. AWS credentials are needed: `aws configure`, AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY."
        )
    if isinstance(error, aws.NoRegionError):
        return TrainyardError(f"{error} Name one: --region, AWS_REGION, or the profile's.")
    if isinstance(error, aws.ParamValidationError):
        return ValidationRefused(str(error))
    return TrainyardError(f"Amazon's answer or its settings cannot be used: {error}")


def code_of(error: aws.ClientError) -> str:
    """The error code as the service wrote it."""
    return str(error.response.get("Error", {}).get("Code", ""))


def tries_of(error: aws.ClientError) -> int:
    """How many times boto3 had sent the request again before this answer."""
    return int(_metadata(error).get("RetryAttempts", 0))


def _answered(error: aws.ClientError) -> TrainyardError:
    code, message = code_of(error), str(error.response.get("Error", {}).get("Message", "")) or str(error)
    if code in _BUSY or _metadata(error).get("HTTPStatusCode", 400) >= 500:
        return Transient(f"{code}: {message}", after=_AFTER_THROTTLING, code=code)
    if code == "UnknownOperationException":
        return Unsupported(f"The service there does not know {error.operation_name}: {message}")
    if code == "ValidationException" and message.startswith(NOT_FOUND):
        return ResourceNotFound(message)
    if code == "ResourceNotFound" and error.operation_name != "CreateTrainingJob":
        return ResourceNotFound(message)
    if code in _REFUSALS:
        return _REFUSALS[code](message)
    hint = f" {_HINTS[code]}" if code in _HINTS else ""
    return ServiceError(message + hint, code=code)


def _metadata(error: aws.ClientError) -> Mapping[str, Any]:
    return error.response.get("ResponseMetadata", {})
