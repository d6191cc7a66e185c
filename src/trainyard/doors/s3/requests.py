"""A request as S3 reads it: which bucket, which key, which of the things below them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_to_bytes

from starlette.types import Scope

from trainyard.awswire.calls import Call
from trainyard.doors.s3.errors import Refused
from trainyard.doors.s3.payloads import Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. bucket, key: "" where the path names none. query: names as they came, decoded; the first of each.

    account: whose request it is, and whose buckets it may see. reads_only: it may change nothing.
    """

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    account: str
    reads_only: bool
    payload: Payload

    @property
    def resource(self) -> str:
        """The bucket and key, for an error."""
        return "/" + self.bucket + ("/" + self.key if self.key else "")

    def number(self, name: str, default: int, *, most: int | None = None) -> int:
        """A whole number of the query; one larger than `most` counts as that. Raises Refused."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 11) or int(text) > 0x7FFFFFFF:
            raise Refused(
                "InvalidArgument", f"Provided {name} not an integer or within integer range",
                details={"ArgumentName": name, "ArgumentValue": text},
            )  # fmt: skip
        return int(text) if most is None else min(int(text), most)


def read(scope: Scope, payload: Payload, account: str) -> Request:
    """The request in a scope; `account` is whose it is where no front says so. Raises Refused for what is no text."""
    call: Call | None = scope.get("aws")
    path = scope.get("raw_path") or scope["path"].encode()
    bucket, _, key = path.removeprefix(b"/").partition(b"/")
    try:
        query = parse_qsl(
            scope["query_string"].decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100
        )
        return Request(
            method=scope["method"],
            bucket=_text(bucket),
            key=_text(key),
            query=dict(reversed(query)),
            headers=payload.headers,
            account=account if call is None else call.scope.account,
            reads_only=call is not None and call.reads_only,
            payload=payload,
        )
    except ValueError as error:
        raise Refused("InvalidURI") from error


def _text(escaped: bytes) -> str:
    return unquote_to_bytes(escaped).decode("utf-8", "surrogatepass")


def headers_of(scope: Scope) -> dict[str, str]:
    """Headers by name, those that come twice joined."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1").strip()
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    return headers
