"""AWS Signature Version 4, the verifying side: who signed a request, and whether the signature is true.

A signature stands in the Authorization header or, presigned, in the query. `read` takes it apart without judging it:
its scope tells who asks which service in which region, and a server for its own user alone needs no more. `verify`
judges it by the secret, the time and the request's raw bytes, and returns what signed chunks go on from.

The rules are those of the AWS General Reference ("Signing AWS API requests") and the S3 API Reference
("Authenticating Requests"); the words are the services'.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from itertools import product
from urllib.parse import quote_from_bytes, unquote_to_bytes

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
SKEW = 5 * 60.0  # seconds between the two clocks that services forgive
SKEW_S3 = 15 * 60.0  # S3 forgives more
LONGEST_PRESIGNED = 7 * 24 * 3600  # seconds that a presigned request may be good for

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
STREAMING_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_PAYLOAD_WORDS = frozenset({UNSIGNED_PAYLOAD, STREAMING, STREAMING_TRAILER, STREAMING_UNSIGNED_TRAILER})

_QUERY_PARTS = ("Algorithm", "Credential", "Signature", "Date", "SignedHeaders", "Expires")
_HEX256 = re.compile(r"[0-9a-f]{64}")
_UNRESERVED = "-_.~"


class Fault(StrEnum):
    """What is wrong with a signature; each door has its service's code for it."""

    ABSENT = "absent"
    AMBIGUOUS = "ambiguous"  # in the header and in the query
    UNSUPPORTED = "unsupported"  # another algorithm, or another way to send the payload
    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown-key"  # for whoever knows the keys
    EXPIRED_KEY = "expired-key"  # a temporary one whose time is over
    SCOPE = "scope"  # signed for another day, region or service
    HEADERS = "headers"  # a header that must be signed is not
    SKEWED = "skewed"
    NOT_YET = "not-yet"  # presigned for later
    EXPIRED = "expired"  # presigned for a time that is over
    PAYLOAD = "payload"  # the body is not the signed one
    MISMATCH = "mismatch"


class SignatureRefused(Exception):  # noqa: N818 - an answer, not a fault of ours
    """A signature that does not get through; the text is what most services say, S3 has words of its own."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request as it came over the wire, nothing decoded.

    path, query : the two halves of the request target, without the question mark.
    headers     : names in lower case, in the order in which they came, as ASGI hands them over.
    """

    method: str
    path: bytes
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class CredentialScope:
    """Whose key signed, on which day (YYYYMMDD), for which region and service. Told by the client, not yet verified."""

    access_key: str
    date: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A signature taken apart.

    at        : the time of signing, seconds since the epoch; `timestamp` is the same as it was signed.
    payload   : the payload's SHA-256 in hex, or one of the words above; None where the client sent none and the
                body's own hash was signed.
    expires   : seconds that a presigned request is good for; None for a signature in the header.
    session   : the session token of temporary credentials.
    """

    scope: CredentialScope
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    at: float
    payload: str | None
    expires: int | None = None
    session: str | None = None

    @property
    def is_presigned(self) -> bool:
        """Whether it stands in the query."""
        return self.expires is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A signature found true: what the signatures of a body in chunks go on from."""

    signature: str
    signing_key: bytes
    timestamp: str
    scope: CredentialScope


def read(request: RawRequest) -> Claim | None:
    """Take a request's signature apart; None where it has none. Raises SignatureRefused for one that cannot be read."""
    header = _only(request, b"authorization")
    query = _query_parts(request)
    if header is not None and query:
        raise SignatureRefused(
            Fault.AMBIGUOUS,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
            "parameter or the Authorization header should be specified",
        )
    if header is not None:
        return _in_header(request, header)
    return _in_query(request, query) if query else None


def verify(request: RawRequest, claim: Claim, secret: str, now: float, body_hash: str | None = None) -> Seed:
    """Judge a claim by the key's secret. Raises SignatureRefused.

    `body_hash`, the body's SHA-256 in hex, is compared with the signed one where one was signed. Who leaves it out, to
    take the body as it streams, compares it himself.
    """
    _check_scope(claim)
    check_time(claim, now)
    headers = _given(request)
    _check_headers(headers, claim)
    payload = _payload(claim, body_hash)
    signing_key = _signing_key(secret, claim.scope)
    given = claim.signature.encode()
    true = False
    for canonical in _canonical_requests(request, headers, claim, payload):
        text = "\n".join((ALGORITHM, claim.timestamp, str(claim.scope), sha256(canonical).hexdigest()))
        true |= hmac.compare_digest(_mac(signing_key, text).hex().encode(), given)
    if not true:
        raise SignatureRefused(
            Fault.MISMATCH,
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
        )
    return Seed(signature=claim.signature, signing_key=signing_key, timestamp=claim.timestamp, scope=claim.scope)


def check_time(claim: Claim, now: float) -> None:
    """Judge a claim by the time alone, which needs no secret. Raises SignatureRefused."""
    skew = SKEW_S3 if claim.scope.service == "s3" else SKEW
    if claim.expires is not None:
        if claim.at > now + skew:
            raise SignatureRefused(Fault.NOT_YET, "Request is not yet valid")
        if now > claim.at + claim.expires:
            raise SignatureRefused(Fault.EXPIRED, "Request has expired")
    elif now - claim.at > skew:
        raise SignatureRefused(
            Fault.SKEWED,
            f"Signature expired: {claim.timestamp} is now earlier than {_stamp(now - skew)} "
            f"({_stamp(now)} - {skew / 60:.0f} min.)",
        )
    elif claim.at - now > skew:
        raise SignatureRefused(
            Fault.SKEWED,
            f"Signature not yet current: {claim.timestamp} is still later than {_stamp(now + skew)} "
            f"({_stamp(now)} + {skew / 60:.0f} min.)",
        )


def _in_header(request: RawRequest, header: str) -> Claim:
    algorithm, _, rest = header.partition(" ")
    if algorithm != ALGORITHM:
        raise SignatureRefused(
            Fault.UNSUPPORTED,
            f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}.",
        )
    parts = dict(_pair(part, "=") for part in rest.split(","))
    missing = [name for name in ("Credential", "Signature", "SignedHeaders") if not parts.get(name)]
    date = _only(request, b"x-amz-date") or _only(request, b"date")
    if missing or date is None:
        sentences = [f"Authorization header requires '{name}' parameter." for name in missing]
        if date is None:
            sentences.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        raise SignatureRefused(Fault.MALFORMED, " ".join(sentences))
    timestamp, at = _time(date)
    return Claim(
        scope=_scope(parts["Credential"]),
        signed_headers=tuple(parts["SignedHeaders"].split(";")),
        signature=parts["Signature"],
        timestamp=timestamp,
        at=at,
        payload=_payload_word(_only(request, b"x-amz-content-sha256")),
        session=_only(request, b"x-amz-security-token"),
    )


def _in_query(request: RawRequest, query: Mapping[str, str]) -> Claim:
    if query.get("Algorithm", ALGORITHM) != ALGORITHM:
        raise SignatureRefused(Fault.UNSUPPORTED, f"X-Amz-Algorithm only supports {ALGORITHM}")
    if any(not query.get(part) for part in _QUERY_PARTS):
        raise SignatureRefused(
            Fault.MALFORMED,
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        )
    scope = _scope(query["Credential"])
    timestamp, at = _time(query["Date"])
    payload = query.get("Content-Sha256") or _only(request, b"x-amz-content-sha256")
    return Claim(
        scope=scope,
        signed_headers=tuple(query["SignedHeaders"].split(";")),
        signature=query["Signature"],
        timestamp=timestamp,
        at=at,
        payload=_payload_word(payload or (UNSIGNED_PAYLOAD if scope.service == "s3" else None)),
        expires=_expires(query["Expires"]),
        session=query.get("Security-Token"),
    )


def _query_parts(request: RawRequest) -> dict[str, str]:
    """The query's parameters of a presigned request without their prefix; empty where it is not presigned."""
    found: dict[str, str] = {}
    for name, value in _pairs(request.query):
        text = _decoded(name)
        if text.startswith("X-Amz-"):
            found.setdefault(text.removeprefix("X-Amz-"), _decoded(value))
    return found if {"Algorithm", "Signature", "Credential"} & found.keys() else {}


@lru_cache(maxsize=64)
def _scope(credential: str) -> CredentialScope:
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or not all(parts) or not re.fullmatch(r"[0-9]{8}", parts[1]):
        raise SignatureRefused(
            Fault.MALFORMED,
            f"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got "
            f"'{credential}'",
        )
    if parts[4] != TERMINATOR:
        raise SignatureRefused(
            Fault.SCOPE, f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{parts[4]}'."
        )
    return CredentialScope(*parts[:4])


@lru_cache(maxsize=64)
def _time(text: str) -> tuple[str, float]:
    """A time of signing as it is signed, and in seconds since the epoch; many are signed in one second."""
    try:
        if re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", text):
            return text, datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        at = parsedate_to_datetime(text).timestamp()
        return _stamp(at), at
    except (ValueError, TypeError, OverflowError):
        raise SignatureRefused(
            Fault.MALFORMED,
            f"Date must be in ISO-8601 'basic format'. Got '{text}'. See http://en.wikipedia.org/wiki/ISO_8601",
        ) from None


def _expires(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise SignatureRefused(Fault.MALFORMED, "X-Amz-Expires should be a number")
    if int(text) > LONGEST_PRESIGNED:
        raise SignatureRefused(
            Fault.MALFORMED, f"X-Amz-Expires must be less than a week (in seconds) that is {LONGEST_PRESIGNED}"
        )
    return int(text)


def _payload_word(word: str | None) -> str | None:
    if word is None or word in _PAYLOAD_WORDS or _HEX256.fullmatch(word):
        return word
    raise SignatureRefused(
        Fault.UNSUPPORTED,
        f"x-amz-content-sha256 must be {', '.join(sorted(_PAYLOAD_WORDS))}, or a valid sha256 value.",
    )


def _check_scope(claim: Claim) -> None:
    day = claim.timestamp[:8]
    if claim.scope.date != day:
        raise SignatureRefused(
            Fault.SCOPE,
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{claim.scope.date}' != '{day}', from '{claim.timestamp}'.",
        )


def _given(request: RawRequest) -> Mapping[str, Sequence[bytes]]:
    """The values of each header."""
    given: dict[str, list[bytes]] = {}
    for name, value in request.headers:
        given.setdefault(name.decode("latin-1"), []).append(value)
    return given


def _check_headers(given: Mapping[str, Sequence[bytes]], claim: Claim) -> None:
    """The host, and all headers with a meaning of AWS's, must be signed, or they could be changed on the way."""
    signed = frozenset(claim.signed_headers)
    unsigned = [name for name in ("host", *given) if name not in signed and (name == "host" or name[:6] == "x-amz-")]
    if unsigned:
        names = ", ".join(sorted(set(unsigned)))
        raise SignatureRefused(
            Fault.HEADERS, f"There were headers present in the request which were not signed: {names}"
        )
    absent = [name for name in signed if name not in given]
    if absent:
        names = ", ".join(sorted(set(absent)))
        raise SignatureRefused(Fault.HEADERS, f"Signed headers are missing from the request: {names}")


def _payload(claim: Claim, body_hash: str | None) -> str:
    """The payload's line of the canonical request."""
    signed = claim.payload or body_hash
    if signed is None:
        raise SignatureRefused(Fault.MALFORMED, "Missing required header for this request: x-amz-content-sha256")
    if body_hash is not None and _HEX256.fullmatch(signed) and signed != body_hash:
        raise SignatureRefused(
            Fault.PAYLOAD, "The provided 'x-amz-content-sha256' header does not match what was computed."
        )
    return signed


def _canonical_requests(
    request: RawRequest, given: Mapping[str, Sequence[bytes]], claim: Claim, payload: str
) -> Iterator[bytes]:
    """What may have been signed: the target as it was sent, and as the rules would have written it.

    Clients that leave a character plain on the wire and escape it in what they sign are common; both texts name the
    same request, so either signature is as good.
    """
    names = ";".join(claim.signed_headers).encode("latin-1", "replace")
    headers = b"".join(
        name.encode("latin-1", "replace") + b":" + _header_text(given[name]) + b"\n" for name in claim.signed_headers
    )
    targets = product(_canonical_paths(request.path, claim.scope.service), _canonical_queries(request.query))
    for path, query in targets:
        yield b"\n".join((request.method.encode(), path, query, headers, names, payload.encode()))


def _canonical_paths(path: bytes, service: str) -> list[bytes]:
    if path in (b"", b"/"):
        return [b"/"]
    plain = unquote_to_bytes(path)
    if service == "s3":  # every byte of a key counts: nothing is folded, nothing is escaped twice
        return list(dict.fromkeys((path, _escaped(plain, "/"))))
    folded = _folded(path)
    return list(dict.fromkeys((_escaped(folded, "/"), _escaped(_escaped(_folded(plain), "/"), "/"))))


def _folded(path: bytes) -> bytes:
    """A path without empty and dotted parts (RFC 3986, 5.2.4), its last slash kept."""
    kept: list[bytes] = []
    for part in path.split(b"/"):
        if part == b"..":
            del kept[-1:]
        elif part not in (b"", b"."):
            kept.append(part)
    folded = b"/" + b"/".join(kept)
    return folded + b"/" if kept and path.endswith(b"/") else folded


def _canonical_queries(query: bytes) -> list[bytes]:
    if not query:
        return [b""]
    pairs = [(name, value) for name, value in _pairs(query) if _decoded(name) != "X-Amz-Signature"]
    as_sent = _joined(pairs)
    spaced = ((name.replace(b"+", b" "), value.replace(b"+", b" ")) for name, value in pairs)
    rewritten = _joined((_escaped(unquote_to_bytes(a)), _escaped(unquote_to_bytes(b))) for a, b in spaced)
    return list(dict.fromkeys((as_sent, rewritten)))


def _joined(pairs: Sequence[tuple[bytes, bytes]] | Iterator[tuple[bytes, bytes]]) -> bytes:
    return b"&".join(name + b"=" + value for name, value in sorted(pairs))


def _pairs(query: bytes) -> Iterator[tuple[bytes, bytes]]:
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        if part:
            yield name, value


def _header_text(values: Sequence[bytes]) -> bytes:
    """A header's values as they are signed: trimmed, runs of blanks made one, joined by commas."""
    return b",".join(b" ".join(value.split()) for value in values)


def _only(request: RawRequest, name: bytes) -> str | None:
    values = [value for key, value in request.headers if key == name]
    if len(values) > 1:
        raise SignatureRefused(Fault.MALFORMED, f"There is more than one header {name.decode()}.")
    return values[0].decode("latin-1").strip() if values else None


def _pair(text: str, separator: str) -> tuple[str, str]:
    name, _, value = text.strip().partition(separator)
    return name, value


def _decoded(text: bytes) -> str:
    return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8", "replace")


def _escaped(plain: bytes, safe: str = "") -> bytes:
    return quote_from_bytes(plain, safe=safe + _UNRESERVED).encode()


@lru_cache(maxsize=256)
def _signing_key(secret: str, scope: CredentialScope) -> bytes:
    """The key of one day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in (scope.date, scope.region, scope.service, TERMINATOR):
        key = _mac(key, part)
    return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode("utf-8", "replace"), sha256).digest()


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
