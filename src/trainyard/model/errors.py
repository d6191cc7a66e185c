"""Every error that crosses a package border.

    TrainyardError
    ├── InvalidJob            the user's: what was asked is wrong; carries every problem at once
    ├── ServiceError          the service refuses, in SageMaker's own codes and words
    │   ├── ResourceNotFound      no such job
    │   ├── ResourceInUse         the name is taken, or the job is not in a state for this
    │   ├── ResourceLimitExceeded the machine or a quota has no room for it, ever
    │   ├── ValidationRefused     the request is well-formed but cannot be carried out
    │   │   └── NeverHere             and never will be at this place of running
    │   └── AccessDenied          who asks may not do this, or is nobody that is known
    ├── ObjectRefused         a bucket or an object cannot be read or written so, in S3's own codes
    ├── StaleRecord           someone wrote first; read again
    ├── Transient             the world's: worth another try, after `after` seconds
    ├── Unsupported           this place of running cannot do that, and says so
    └── StoreTooNew           the store was written by a newer release

Vendor exceptions never leave the package that imports the vendor. A bug is none of these: it shows its traceback and
marks no job as failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from trainyard.model.problems import Problem


class TrainyardError(Exception):
    """The root of all our errors; its text is a whole sentence that a person can act on."""


class InvalidJob(TrainyardError):  # noqa: N818 - it names a state of the job, as the tree above draws it
    """What was asked breaks the API's constraints; `problems` holds all of them, each with its path."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


class ServiceError(TrainyardError):
    """A refusal in the service's words. `code` is what a wire client sees as the error code.

    A refusal that has no class of its own carries its code: `AccessDeniedException`, `ExpiredTokenException`, …
    """

    code = "ValidationException"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class ResourceNotFound(ServiceError):  # noqa: N818 - the API's own name
    """No such job. The real service answers DescribeTrainingJob so with a ValidationException."""

    code = "ValidationException"


class ResourceInUse(ServiceError):  # noqa: N818 - the API's own name
    """The name is taken, or the job is in a state that forbids the call."""

    code = "ResourceInUse"


class ResourceLimitExceeded(ServiceError):  # noqa: N818 - the API's own name
    """No room, and waiting would not help."""

    code = "ResourceLimitExceeded"


class ValidationRefused(ServiceError):  # noqa: N818 - it names an outcome
    """Well-formed, but it cannot be carried out: an empty prefix, an unknown image, a finished job to stop."""

    code = "ValidationException"


class AccessDenied(ServiceError):  # noqa: N818 - the API's own name
    """Who asks is not known, or may not do this; nothing was looked at."""

    code = "AccessDeniedException"


class Refusal(StrEnum):
    """Why a store of buckets refuses; the values are S3's error codes."""

    NO_SUCH_BUCKET = "NoSuchBucket"
    BUCKET_EXISTS = "BucketAlreadyExists"
    BUCKET_OWNED = "BucketAlreadyOwnedByYou"
    BUCKET_NOT_EMPTY = "BucketNotEmpty"
    NO_SUCH_KEY = "NoSuchKey"
    NO_SUCH_VERSION = "NoSuchVersion"
    NO_SUCH_UPLOAD = "NoSuchUpload"
    KEY_TOO_LONG = "KeyTooLongError"
    PRECONDITION = "PreconditionFailed"
    NOT_MODIFIED = "NotModified"
    INVALID_PART = "InvalidPart"
    INVALID_PART_ORDER = "InvalidPartOrder"
    PART_TOO_SMALL = "EntityTooSmall"
    INVALID_RANGE = "InvalidRange"
    BAD_DIGEST = "BadDigest"
    MARKER = "MethodNotAllowed"


class ObjectRefused(TrainyardError):  # noqa: N818 - it names an outcome
    """A bucket or an object is not there, or not in a state for this. The text is for who reads no codes."""

    def __init__(self, reason: Refusal, message: str = "") -> None:
        super().__init__(message or reason.value)
        self.reason = reason


class NeverHere(ValidationRefused):
    """What was asked for is never done at this place of running, so that only another request can help."""


class StaleRecord(TrainyardError):  # noqa: N818 - it names a state
    """A compare-and-swap lost: the record moved on since it was read."""


class Transient(TrainyardError):  # noqa: N818 - it names a kind
    """The world failed, not the job; try again after `after` seconds. `code`: a service's own word for it, or ""."""

    def __init__(self, message: str, *, after: float = 1.0, code: str = "") -> None:
        super().__init__(message)
        self.after, self.code = after, code


class Unsupported(TrainyardError):  # noqa: N818 - it names a state
    """This place of running does not do that; the text says which does."""


class StoreTooNew(TrainyardError):  # noqa: N818 - it names a state
    """The store was written by a newer release; nothing was touched."""
