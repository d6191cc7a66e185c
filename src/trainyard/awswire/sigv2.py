"""AWS Signature Version 2 in a query, the verifying side: what boto3 presigns S3's URLs with unless told otherwise.

The rules are those of the S3 API's older manual ("Signing and Authenticating REST Requests", query string alternative).
Headers signed this way are not read: no client sends them unasked.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha1
from urllib.parse import parse_qsl

from trainyard.awswire.sigv4 import CredentialScope, Fault, RawRequest, SignatureRefused

_SIGNED = frozenset({
    "accelerate", "acl", "analytics", "cors", "delete", "inventory", "lifecycle", "location", "logging", "metrics",
    "notification", "object-lock", "partNumber", "policy", "replication", "requestPayment", "restore", "select",
    "select-type", "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions",
    "website", "response-cache-control", "response-content-disposition", "response-content-encoding",
    "response-content-language", "response-content-type", "response-expires",
})  # fmt: skip
_PARTS = ("AWSAccessKeyId", "Signature", "Expires")


@dataclass(frozen=True, slots=True, kw_only=True)
class Presigned:
    """A signature taken apart. expires: seconds since the epoch. session: the token of temporary credentials."""

    access_key: str
    signature: str
    expires: int
    session: str | None = None

    def scope(self, region: str) -> CredentialScope:
        """As a signature of version 4 has it; this one is bound to no day and no region."""
        return CredentialScope(self.access_key, "", region, "s3")


def read(request: RawRequest) -> Presigned | None:
    """None where the query has no such signature. Raises SignatureRefused for one that cannot be read."""
    query = _query(request)
    if not {"AWSAccessKeyId", "Signature"} & query.keys():
        return None
    if any(not query.get(part) for part in _PARTS) or not re.fullmatch(r"[0-9]{1,11}", query["Expires"]):
        raise SignatureRefused(
            Fault.MALFORMED,
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
        )
    return Presigned(
        access_key=query["AWSAccessKeyId"], signature=query["Signature"], expires=int(query["Expires"]),
        session=query.get("x-amz-security-token"),
    )  # fmt: skip


def check_time(presigned: Presigned, now: float) -> None:
    """Judge by the time alone. Raises SignatureRefused."""
    if now > presigned.expires:
        raise SignatureRefused(Fault.EXPIRED, "Request has expired")


def verify(request: RawRequest, presigned: Presigned, secret: str, now: float) -> None:
    """Judge by the key's secret. Raises SignatureRefused."""
    check_time(presigned, now)
    true = hmac.new(secret.encode(), _text(request, presigned), sha1).digest()
    if not hmac.compare_digest(base64.b64encode(true), presigned.signature.encode()):
        raise SignatureRefused(Fault.MISMATCH, "The request signature we calculated does not match.")


def _text(request: RawRequest, presigned: Presigned) -> bytes:
    """What was signed. Headers that the signer put into the query count as headers."""
    query = _query(request)
    given = {name: text for name, text in query.items() if name.startswith("x-amz-")} | _headers(request)
    kind, md5 = (given.get(name) or query.get(name, "") for name in ("content-type", "content-md5"))
    custom = [f"{name}:{text}" for name, text in sorted(given.items()) if name.startswith("x-amz-")]
    lines = (request.method, md5, kind, str(presigned.expires), *custom)
    return "\n".join((*lines, "")).encode("utf-8", "surrogateescape") + request.path + _signed_query(request)


def _headers(request: RawRequest) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in request.headers:
        key, text = name.decode("latin-1"), value.decode("utf-8", "surrogateescape").strip()
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    return headers


def _signed_query(request: RawRequest) -> bytes:
    pairs = [(name, text) for name, text in _pairs(request) if name in _SIGNED]
    bare = {part for part in request.query.decode("latin-1").split("&") if "=" not in part}
    texts = [name if name in bare else f"{name}={text}" for name, text in sorted(pairs)]
    return ("?" + "&".join(texts)).encode() if texts else b""


def _query(request: RawRequest) -> Mapping[str, str]:
    return dict(_pairs(request))


def _pairs(request: RawRequest) -> list[tuple[str, str]]:
    try:
        return parse_qsl(request.query.decode("latin-1"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return []
