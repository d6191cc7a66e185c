"""What an API server refuses or fails to do.

ApiError
├── NotFound          no such object, or no such kind
├── Conflict          somebody wrote first; read again
├── AlreadyExists     the name is taken
├── Gone              the revision or the continue token is too old: list again
├── Forbidden         these credentials may not (401, 403)
├── Invalid           the object breaks its schema or a rule
├── TooManyRequests   slow down: wait `after` seconds
└── Unavailable       the server is down, slow, restarting or cannot be reached
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainyard.model.errors import TrainyardError


class ApiError(TrainyardError):
    """An answer that is none of the good ones. `status` is HTTP's, 0 where there was no answer."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "", after: float | None = None) -> None:
        super().__init__(message)
        self.status, self.reason, self.after = status, reason, after


class NotFound(ApiError):  # noqa: N818 - named as the API's reasons are, as are those that follow
    """There is no such object."""


class Conflict(ApiError):  # noqa: N818
    """The object moved on since it was read."""


class AlreadyExists(ApiError):  # noqa: N818
    """There is an object of that name."""


class Gone(ApiError):  # noqa: N818
    """The revision is no longer known."""


class Forbidden(ApiError):  # noqa: N818
    """Not with these credentials."""


class Invalid(ApiError):  # noqa: N818
    """The object is not taken as it is."""


class TooManyRequests(ApiError):  # noqa: N818
    """Wait, then try again."""


class Unavailable(ApiError):  # noqa: N818
    """No answer, or one that tells of the server's trouble."""


def error_of(status: int, body: Any, retry_after: str | None) -> ApiError:
    """The error of an HTTP status and a `Status` object, as far as there is one."""
    told: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    reason, message = str(told.get("reason") or ""), str(told.get("message") or f"the API server answered {status}")
    after = float(retry_after) if retry_after and retry_after.isdecimal() else None
    kind = _kind(status, reason)
    return kind(message[:2000], status=status, reason=reason, after=after)


def _kind(status: int, reason: str) -> type[ApiError]:
    if status == 409:
        return AlreadyExists if reason == "AlreadyExists" else Conflict
    by_status: Mapping[int, type[ApiError]] = {
        401: Forbidden,
        403: Forbidden,
        404: NotFound,
        410: Gone,
        422: Invalid,
        429: TooManyRequests,
    }
    return by_status.get(status, Unavailable if status >= 500 else ApiError)
