from __future__ import annotations

import hmac
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.awswire.chunked import ChunkedDecoder, ChunkRefused, ChunkSignatures
from trainyard.awswire.sigv4 import CredentialScope, Seed

SEED = Seed(
    signature="4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    signing_key=b"key", timestamp="20130524T000000Z", scope=CredentialScope("AK", "20130524", "us-east-1", "s3"),
)  # fmt: skip
EMPTY = sha256().hexdigest()


def sign(algorithm: str, last: str, rest: str, seed: Seed = SEED) -> str:
    text = "\n".join((algorithm, seed.timestamp, str(seed.scope), last, rest))
    return hmac.new(seed.signing_key, text.encode(), sha256).hexdigest()


def encoded(chunks: list[bytes], *, signed: bool, trailers: dict[str, str] | None = None) -> bytes:
    """A body as clients write it."""
    last, out = SEED.signature, b""
    for chunk in (*(chunk for chunk in chunks if chunk), b""):
        out += f"{len(chunk):x}".encode()
        if signed:
            last = sign("AWS4-HMAC-SHA256-PAYLOAD", last, f"{EMPTY}\n{sha256(chunk).hexdigest()}")
            out += f";chunk-signature={last}".encode()
        out += b"\r\n" + (chunk + b"\r\n" if chunk else b"")
    lines = "".join(f"{name}:{value}\n" for name, value in sorted((trailers or {}).items()))
    out += lines.replace("\n", "\r\n").encode()
    if signed and trailers is not None:
        signature = sign("AWS4-HMAC-SHA256-TRAILER", last, sha256(lines.encode()).hexdigest())
        out += f"x-amz-trailer-signature:{signature}\r\n".encode()
    return out + b"\r\n"


def decoded(pieces: list[bytes], *, signed: bool, trailing: bool) -> tuple[bytes, dict[str, str]]:
    decoder = ChunkedDecoder(signed=signed, signatures=ChunkSignatures(SEED) if signed else None, trailing=trailing)
    content = b"".join(part for piece in pieces for part in decoder.feed(piece))
    decoder.finish()
    return content, decoder.trailers


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges)]


CHUNKS = st.lists(st.binary(max_size=60), max_size=5)
PLACES = st.lists(st.integers(0, 10_000), max_size=8)
TRAILERS = st.one_of(st.none(), st.just({"x-amz-checksum-crc32": "AAAAAA=="}), st.just({"b": "2", "a": "1"}))


@given(CHUNKS, PLACES, st.booleans(), TRAILERS)
def test_what_was_chunked_comes_back_however_it_is_cut(
    chunks: list[bytes], places: list[int], signed: bool, trailers: dict[str, str] | None
) -> None:
    body = encoded(chunks, signed=signed, trailers=trailers)
    found = decoded(cut(body, places), signed=signed, trailing=trailers is not None)
    assert found == (b"".join(chunks), trailers or {})


@given(CHUNKS, PLACES, st.integers(0, 10_000), st.integers(1, 255), TRAILERS)
def test_no_byte_of_a_signed_body_can_be_changed(
    chunks: list[bytes], places: list[int], place: int, change: int, trailers: dict[str, str] | None
) -> None:
    body = bytearray(encoded(chunks, signed=True, trailers=trailers))
    body[place % len(body)] ^= change
    try:
        content, found = decoded(cut(bytes(body), places), signed=True, trailing=trailers is not None)
    except ChunkRefused:
        return
    assert (content, found) == (b"".join(chunks), trailers or {})  # a digit of a length in another case, a blank


@given(CHUNKS, st.booleans(), st.integers(0, 10_000))
def test_a_body_that_is_cut_off_is_refused(chunks: list[bytes], signed: bool, place: int) -> None:
    body = encoded(chunks, signed=signed)
    with pytest.raises(ChunkRefused):
        decoded([body[: place % len(body)]], signed=signed, trailing=False)


@given(st.binary(max_size=200), st.booleans(), st.booleans())
def test_nonsense_is_refused_or_empty_and_never_a_fault(body: bytes, signed: bool, trailing: bool) -> None:
    try:
        decoded([body], signed=signed, trailing=trailing)
    except ChunkRefused:
        return


@pytest.mark.parametrize(
    "body",
    [
        b"3\r\nabcd\r\n0\r\n\r\n", b"0\r\n\r\nmore", b"0\r\nx:1\r\n\r\n", b"-1\r\n\r\n", b"0x3\r\nabc\r\n0\r\n\r\n",
        b"3;chunk-signature=" + b"0" * 64 + b"\r\nabc\r\n0\r\n\r\n", b"a" * 5000, b"0\n\n",
    ],
)  # fmt: skip
def test_what_is_malformed(body: bytes) -> None:
    with pytest.raises(ChunkRefused):
        decoded([body], signed=False, trailing=False)


def test_the_manuals_example() -> None:
    """S3 API Reference, "Example: PUT Object" of the chunked upload: 64 KiB and 1 KiB of the letter a."""
    key = b"AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    for part in ("20130524", "us-east-1", "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), sha256).digest()
    seed = Seed(signature=SEED.signature, signing_key=key, timestamp=SEED.timestamp, scope=SEED.scope)
    signatures = ChunkSignatures(seed)
    for size, signature in (
        (65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
        (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
        (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
    ):
        signatures.check_chunk(signature, sha256(b"a" * size).hexdigest())
