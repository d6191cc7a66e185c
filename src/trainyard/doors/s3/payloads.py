"""A request's body: taken as it arrives, out of its chunks if it has any, and judged by what the client says of it.

What it says may stand before it (Content-MD5, a checksum, the signed SHA-256) or behind it, in trailing headers.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from starlette.types import Message, Receive

from trainyard.access.guard import WHOLE
from trainyard.awswire.chunked import ChunkedDecoder, ChunkRefused, ChunkSignatures
from trainyard.awswire.sigv4 import STREAMING, STREAMING_TRAILER, STREAMING_UNSIGNED_TRAILER, Seed
from trainyard.doors.s3.errors import Refused
from trainyard.kit import digests
from trainyard.ports.buckets import Incoming

LARGEST = 5 * 1024**3  # bytes of one PUT
LARGEST_DOCUMENT = 4 * 1024**2  # bytes of XML: ten thousand parts with their checksums have less
DRAINED = 16 * 1024**2  # bytes of a refused body that are still read, so that the client hears the refusal
PATIENCE = 60.0  # seconds without a byte
DEFAULT_ALGORITHM = "CRC64NVME"  # what the service takes of bytes that came without a checksum
_STREAMING = frozenset({STREAMING, STREAMING_TRAILER, STREAMING_UNSIGNED_TRAILER})


class Disconnected(Exception):  # noqa: N818 - the client has gone; there is nobody to answer
    """The client went away before its body was whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promised:
    """What a client says of the bytes that it sends. checksum: base64; None where it comes behind them."""

    algorithm: str = ""
    checksum: str | None = None
    md5: bytes | None = None
    sha256: str | None = None

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What must be computed of the bytes to judge them, and to keep a checksum of them."""
        wanted = [self.algorithm or DEFAULT_ALGORITHM]
        return (*wanted, "SHA256") if self.sha256 is not None else tuple(wanted)


class Payload:
    """The body of one request.

    headers    : its headers, names in lower case.
    seed    : what the signatures of its chunks go on from; None where nobody judges them.
    state   : what the protocol says of the request meanwhile.
    """

    def __init__(
        self,
        receive: Receive,
        headers: Mapping[str, str],
        seed: Seed | None = None,
        state: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._receive = receive
        self._state = state
        self._seed = seed
        self._begun = self._ended = False
        self.headers = headers
        self.trailers: Mapping[str, str] = {}

    @property
    def is_read(self) -> bool:
        """Whether the whole body was taken from the connection."""
        return self._ended

    @property
    def word(self) -> str:
        """How the client says that the payload was signed."""
        return self.headers.get("x-amz-content-sha256", "")

    def promised(self, *, of_body: bool = True) -> Promised:
        """What the headers say. Raises Refused where they contradict themselves.

        of_body: whether a checksum among them is the body's; else it is an object's.
        """
        algorithm, checksum = self._checksum() if of_body else ("", None)
        md5 = self.headers.get("content-md5")
        word = self.word
        return Promised(
            algorithm=algorithm,
            checksum=checksum,
            md5=None if md5 is None else _md5(md5),
            sha256=word if len(word) == 64 else None,
        )

    async def pieces(self) -> AsyncIterator[bytes]:
        """The content. Raises Refused for a body that is not what it says, Disconnected."""
        expected = self._expected_size()
        size = 0
        async for piece in self._decoded():
            size += len(piece)
            if size > expected:
                raise Refused("IncompleteBody", "The request body is longer than it was said to be")
            yield piece
        if size != expected:
            raise Refused("IncompleteBody")

    async def document(self, *, of_body: bool = True) -> bytes:
        """The whole of a small body, judged."""
        promised, pieces, size = self.promised(of_body=of_body), [], 0
        async for piece in self._decoded():
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST_DOCUMENT:
                raise Refused("MalformedXML", "The XML is too long")
        body = b"".join(pieces)
        taken = {name: digests.of(name, body) for name in (*promised.algorithms, "MD5")}
        self.judge(promised, taken)
        return body

    async def into(self, incoming: Incoming, promised: Promised) -> str:
        """Store the content and judge it; returns its checksum in base64, of the algorithm promised or the default."""
        async for piece in self.pieces():
            await incoming.write(piece)
        await incoming.finish()
        taken = {name: incoming.digest(name) for name in (*promised.algorithms, "MD5")}
        return self.judge(promised, taken)

    def judge(self, promised: Promised, taken: Mapping[str, bytes]) -> str:
        """Compare. Raises Refused."""
        if promised.md5 is not None and promised.md5 != taken["MD5"]:
            raise Refused("BadDigest", "The Content-MD5 you specified did not match what we received.")
        if promised.sha256 is not None and promised.sha256 != taken["SHA256"].hex():
            raise Refused("XAmzContentSHA256Mismatch")
        algorithm = promised.algorithm or DEFAULT_ALGORITHM
        true = digests.text(taken[algorithm])
        said = promised.checksum
        if said is None and promised.algorithm:
            said = self.trailers.get(_header(algorithm))
        if said is not None and said != true:
            raise Refused("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")
        return true

    async def drain(self) -> None:
        """Read what little a refused client may still be sending: it listens when it has said all."""
        if self.headers.get("expect", "").lower() == "100-continue" and not self._begun:
            return
        size = 0
        try:
            while not self._ended and size < DRAINED:
                size += len(await self._next())
        except (Refused, Disconnected):
            return

    async def _decoded(self) -> AsyncIterator[bytes]:
        if self.word not in _STREAMING:
            while not self._ended:
                yield await self._next()
            return
        signed = self.word != STREAMING_UNSIGNED_TRAILER
        signatures = ChunkSignatures(self._seed) if self._seed is not None and signed else None
        decoder = ChunkedDecoder(signed=signed, signatures=signatures, trailing=self.word != STREAMING)
        try:
            while not self._ended:
                for piece in decoder.feed(await self._next()):
                    yield piece
            decoder.finish()
        except ChunkRefused as refused:
            raise Refused("SignatureDoesNotMatch" if refused.is_signature else "IncompleteBody", str(refused)) from None
        self.trailers = decoder.trailers
        self._check_trailers()

    def _check_trailers(self) -> None:
        if self._announced() != set(self.trailers):
            raise Refused("MalformedTrailerError")

    def _announced(self) -> set[str]:
        """The trailing headers that are to come."""
        return {name.strip().lower() for name in self.headers.get("x-amz-trailer", "").split(",")} - {""}

    async def _next(self) -> bytes:
        self._begun = True
        message = await (self._receive() if WHOLE in self._state else self._arriving())
        if message["type"] == "http.disconnect":
            self._ended = True
            raise Disconnected
        self._ended = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body

    async def _arriving(self) -> Message:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._receive()
        except TimeoutError as error:
            self._ended = True
            raise Refused("RequestTimeout") from error

    def _expected_size(self) -> int:
        name = "x-amz-decoded-content-length" if self.word in _STREAMING else "content-length"
        text = self.headers.get(name)
        if text is None:
            raise Refused("MissingContentLength")
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise Refused("InvalidArgument", f"{name} is no length")
        if int(text) > LARGEST:
            raise Refused("EntityTooLarge", details={"ProposedSize": text, "MaxSizeAllowed": str(LARGEST)})
        return int(text)

    def _checksum(self) -> tuple[str, str | None]:
        """The algorithm that the client names, and its value if that comes before the body."""
        given = [name for name in digests.ALGORITHMS if _header(name) in self.headers]
        trailing = [name for name in digests.ALGORITHMS if _header(name) in self._announced()]
        if len(given) + len(trailing) > 1:
            raise Refused(
                "InvalidRequest",
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            )
        if given:
            return given[0], _sound(given[0], self.headers[_header(given[0])])
        named = self.headers.get("x-amz-sdk-checksum-algorithm", "").upper()
        if named and not trailing and named not in digests.ALGORITHMS:
            raise Refused("InvalidRequest", "Checksum algorithm provided is unsupported.")
        return next(iter(trailing), named), None


def _header(algorithm: str) -> str:
    return f"x-amz-checksum-{algorithm.lower()}"


def _sound(algorithm: str, text: str) -> str:
    if len(_decoded(text) or b"") != digests.SIZES[algorithm]:
        raise Refused("InvalidRequest", f"Value for {_header(algorithm)} header is invalid.")
    return text


def _md5(text: str) -> bytes:
    raw = _decoded(text)
    if raw is None or len(raw) != digests.SIZES["MD5"]:
        raise Refused("InvalidDigest")
    return raw


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
