"""aws-chunked, the decoding side: a body in chunks, each perhaps signed, with trailing headers perhaps behind them.

Each signature of a chunk is made over the one before it, from the request's own on, so that no chunk can be changed,
left out or moved. The rules are those of the S3 API Reference ("Signature Calculations for the Authorization Header:
Transferring Payload in Multiple Chunks", with and without trailing headers).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from enum import Enum, auto
from hashlib import sha256

from trainyard.awswire.sigv4 import Seed

LONGEST_LINE = 1024  # bytes of a chunk's header; a signed one has about 90
LARGEST_TRAILERS = 16 * 1024
_EMPTY = sha256().hexdigest()
_HEADER = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?")
_TRAILER_SIGNATURE = "x-amz-trailer-signature"


class ChunkRefused(Exception):  # noqa: N818 - an answer, not a fault of ours
    """The body is not what it says it is. is_signature: its form is right, a signature is not."""

    def __init__(self, message: str, *, is_signature: bool = False) -> None:
        super().__init__(message)
        self.is_signature = is_signature


class ChunkSignatures:
    """The chain of signatures behind a request's own."""

    def __init__(self, seed: Seed) -> None:
        self._seed = seed
        self._last = seed.signature

    def check_chunk(self, signature: str, content_hash: str) -> None:
        """Take the next chunk's. Raises ChunkRefused."""
        self._check("AWS4-HMAC-SHA256-PAYLOAD", signature, f"{_EMPTY}\n{content_hash}")

    def check_trailers(self, signature: str, canonical: bytes) -> None:
        """Take the trailing headers'. Raises ChunkRefused."""
        self._check("AWS4-HMAC-SHA256-TRAILER", signature, sha256(canonical).hexdigest())

    def _check(self, algorithm: str, signature: str, rest: str) -> None:
        text = "\n".join((algorithm, self._seed.timestamp, str(self._seed.scope), self._last, rest))
        true = hmac.new(self._seed.signing_key, text.encode(), sha256).hexdigest()
        if not hmac.compare_digest(true.encode(), signature.encode()):
            raise ChunkRefused("A chunk's signature does not match.", is_signature=True)
        self._last = signature


class _Now(Enum):
    HEADER = auto()
    CONTENT = auto()
    END_OF_CHUNK = auto()
    TRAILERS = auto()
    DONE = auto()


class ChunkedDecoder:
    """Chunks in, content out. Nothing that it gave may be used before `finish` returned.

    signed     : whether the client says that its chunks are signed; then each must be.
    signatures : judges them; None where nobody does (a server for its own user knows no secrets).
    trailing   : whether trailing headers were announced.
    """

    def __init__(self, *, signed: bool, signatures: ChunkSignatures | None, trailing: bool) -> None:
        self._signed, self._signatures, self._trailing = signed, signatures, trailing
        self._now = _Now.HEADER
        self._held = bytearray()
        self._left = 0
        self._signature = ""
        self._hash = sha256()
        self.trailers: dict[str, str] = {}

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The content that these bytes complete. Raises ChunkRefused."""
        while data or self._now is _Now.END_OF_CHUNK:
            if self._now is _Now.CONTENT:
                piece, data = data[: self._left], data[self._left :]
                yield self._content(piece)
                continue
            if self._now is _Now.DONE:
                raise ChunkRefused("There are bytes behind the last chunk.")
            line, data = self._line(data)
            if line is None:
                return
            self._take(line)

    def finish(self) -> None:
        """The body has ended. Raises ChunkRefused where its chunks have not."""
        if self._now is not _Now.DONE:
            raise ChunkRefused("The body ended before its last chunk did.")

    def _content(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._signatures is not None and self._signed:
            self._hash.update(piece)
        if not self._left:
            self._now = _Now.END_OF_CHUNK
        return piece

    def _line(self, data: bytes) -> tuple[bytes | None, bytes]:
        """The next line without its end, and what follows; None until it is whole."""
        self._held += data
        end = self._held.find(b"\r\n")
        longest = LARGEST_TRAILERS if self._now is _Now.TRAILERS else LONGEST_LINE
        if end > longest or (end < 0 and len(self._held) > longest):
            raise ChunkRefused("A line between chunks is too long.")
        if end < 0:
            return None, b""
        line, rest = bytes(self._held[:end]), bytes(self._held[end + 2 :])
        self._held.clear()
        return line, rest

    def _take(self, line: bytes) -> None:
        if self._now is _Now.HEADER:
            self._header(line)
        elif self._now is _Now.END_OF_CHUNK:
            if line:
                raise ChunkRefused("A chunk is longer than its header says.")
            self._end_chunk()
        else:
            self._trailer(line)

    def _header(self, line: bytes) -> None:
        found = _HEADER.fullmatch(line)
        if found is None or (found[2] is not None) is not self._signed:
            raise ChunkRefused("A chunk's header is malformed.")
        self._left = int(found[1], 16)
        self._signature = (found[2] or b"").decode()
        self._hash = sha256()
        if self._left:
            self._now = _Now.CONTENT
            return
        self._check()
        self._now = _Now.TRAILERS

    def _end_chunk(self) -> None:
        self._check()
        self._now = _Now.HEADER

    def _check(self) -> None:
        if self._signed and self._signatures is not None:
            self._signatures.check_chunk(self._signature, self._hash.hexdigest())

    def _trailer(self, line: bytes) -> None:
        if not line:
            self._end_trailers()
            return
        name, colon, value = line.decode("latin-1").partition(":")
        name = name.strip().lower()
        if not self._trailing or not colon or not name or name in self.trailers:
            raise ChunkRefused("The trailing headers are malformed.")
        self.trailers[name] = value.strip()
        if sum(map(len, self.trailers)) + sum(map(len, self.trailers.values())) > LARGEST_TRAILERS:
            raise ChunkRefused("There are too many trailing headers.")

    def _end_trailers(self) -> None:
        self._now = _Now.DONE
        signature = self.trailers.pop(_TRAILER_SIGNATURE, None)
        if not (self._signed and self._trailing):
            return
        if signature is None:
            raise ChunkRefused("The trailing headers are not signed.")
        if self._signatures is not None:
            canonical = "".join(f"{name}:{value}\n" for name, value in sorted(self.trailers.items()))
            self._signatures.check_trailers(signature, canonical.encode("latin-1"))
