"""What goes back to the client: a status, headers, and bytes that are here or come piece by piece."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate

from trainyard.doors.s3 import documents
from trainyard.doors.s3.documents import Element
from trainyard.doors.s3.errors import Refused

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """stream: `length` bytes in pieces, in place of the body."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    stream: AsyncGenerator[bytes] | None = None
    length: int | None = None


def document(root: str, holds: Iterable[Element], headers: Headers = (), status: int = 200) -> Answer:
    """An XML document."""
    return Answer(status=status, headers=(*headers, _XML), body=documents.render(root, holds))


def error(refused: Refused, resource: str, request_id: str) -> Answer:
    """A refusal."""
    if refused.status == 304:
        return Answer(status=304, headers=refused.headers)
    holds = [
        ("Code", refused.code), ("Message", refused.message), *refused.details.items(),
        ("Resource", resource), ("RequestId", request_id), ("HostId", request_id),
    ]  # fmt: skip
    body = documents.render("Error", holds, namespace="")
    return Answer(status=refused.status, headers=(*refused.headers, _XML), body=body)


_XML = ("content-type", "application/xml")


def http_date(at: float) -> str:
    """A time as headers have it."""
    return formatdate(int(at), usegmt=True)


def iso_date(at: float) -> str:
    """A time as documents have it."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def quoted(etag: str) -> str:
    """An ETag in its quotes."""
    return f'"{etag}"'
