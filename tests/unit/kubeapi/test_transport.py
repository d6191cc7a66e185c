"""Connections to an API server that behaves well, badly, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from trainyard.kit.clock import SystemClock
from trainyard.kubeapi.access import Access, Fixed
from trainyard.kubeapi.client import Client
from trainyard.kubeapi.errors import Gone, Invalid, Unavailable
from trainyard.kubeapi.kinds import LEASES, NAMESPACES
from trainyard.kubeapi.transport import MOST_WAITING
from trainyard.model.errors import TrainyardError

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OBJECT = b'{"kind":"Namespace"}'


def answer(body: bytes = OBJECT, status: str = "200 OK", *headers: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", "")).encode() + body


async def asked(reader: asyncio.StreamReader) -> bytes:
    """One request's head; b"" where the client is gone."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


@asynccontextmanager
async def served(handle: Handler, **options: object) -> AsyncIterator[tuple[Client, list[int]]]:
    """A client of a server that handles each connection so, and the ports of the connections that came."""
    came: list[int] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer.get_extra_info("peername")[1])
        try:
            await handle(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    credentials = options.pop("credentials", Fixed())
    async with server, Client(Access(server=url, credentials=credentials), SystemClock(), **options) as client:  # type: ignore[arg-type]
        yield client, came


def always(*answers: bytes) -> Handler:
    """Answer every request of a connection with the next of these, then end it."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for one in answers:
            if not await asked(reader):
                return
            writer.write(one)
            await writer.drain()

    return handle


async def test_connections_are_kept_and_used_again() -> None:
    async with served(always(*[answer()] * 10)) as (client, came):
        for _ in range(10):
            assert await client.version() == {"kind": "Namespace"}
        assert len(came) == 1


async def test_no_more_connections_than_allowed_whatever_is_asked_at_once() -> None:
    async with served(always(*[answer()] * 300)) as (client, came):
        await asyncio.gather(*(client.version() for _ in range(300)))
        assert len(came) <= 64


@pytest.mark.parametrize(
    "whole",
    [
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"kin\r\nf\r\nd":"Namespace"}\r\n0\r\n\r\n',
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(),
        answer(OBJECT, "200 OK", "Connection: close"),
    ],
)
async def test_an_answer_is_read_however_it_is_cut(whole: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        for index in range(len(whole)):
            writer.write(whole[index : index + 1])
            await asyncio.sleep(0)

    async with served(handle) as (client, _):
        assert await client.version() == {"kind": "Namespace"}


async def test_a_kept_connection_that_died_costs_a_reader_nothing_and_a_writer_one_error() -> None:
    async with served(always(answer())) as (client, came):  # every connection answers once and ends
        await client.version()
        assert await client.version() == {"kind": "Namespace"}
        for _ in range(4):  # whether the end was heard before is chance; a write is never sent twice unasked
            try:
                await client.patch(NAMESPACES, None, "a", {})
            except Unavailable as error:
                assert "ended the connection" in str(error)  # noqa: PT017 - either way is right
        assert len(came) >= 2


@pytest.mark.parametrize(
    "garbage", [b"SSH-2.0-x\r\n", answer()[:30], b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b""]
)
async def test_who_does_not_speak_http_cannot_be_reached(garbage: bytes) -> None:
    async with served(always(garbage)) as (client, _):
        with pytest.raises(Unavailable, match="cannot be reached"):
            await client.version()


async def test_an_answer_that_nobody_asked_for_ends_the_connection() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await asked(reader):
            writer.write(answer() + answer(b'{"kind":"Poison"}'))

    async with served(handle) as (client, _):
        for _ in range(3):
            try:
                assert await client.version() == {"kind": "Namespace"}
            except Unavailable:
                continue


async def test_silence_has_an_end() -> None:
    async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with served(hang, timeout=0.2) as (client, _):
        with pytest.raises(Unavailable, match="does not answer in time"):
            await client.version()
        with pytest.raises(Unavailable, match="does not answer in time"):
            async with client.watch(LEASES, None, since="1", lasting=60, silence=0.2):
                pass


async def test_a_watch_that_falls_silent_or_breaks_is_told() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    event = b'{"type":"BOOKMARK","object":{}}\n'
    begun = head + f"{len(event):x}\r\n".encode() + event + b"\r\n"

    async def stay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(begun)
        await reader.read()

    for handle, message in ((stay, "in time"), (always(begun), "ended the connection")):
        async with served(handle) as (client, _):
            seen: list[str] = []

            async def follow(client: Client = client, seen: list[str] = seen) -> None:
                async with client.watch(LEASES, None, since="1", lasting=60, silence=0.3) as events:
                    async for one in events:
                        seen.append(one["type"])  # noqa: PERF401 - it breaks in the middle

            with pytest.raises(Unavailable, match=message):
                await follow()
            assert seen == ["BOOKMARK"]


async def test_what_a_slow_reader_has_not_taken_waits_at_the_server() -> None:
    line = b'{"type":"MODIFIED","object":{"data":"' + b"x" * 65_000 + b'"}}\n'
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(1000):
            writer.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            await writer.drain()
            sent += 1
        writer.write(b"0\r\n\r\n")

    async with served(flood) as (client, _), client.watch(LEASES, None, since="1", lasting=60, silence=20) as events:
        before = -1
        while sent != before:  # until the server can send no more
            before = sent
            await asyncio.sleep(0.2)
        assert sent * len(line) < 20 * MOST_WAITING  # ours, and what the kernel's buffers hold
        assert len([one async for one in events]) == 1000


@pytest.mark.parametrize(
    ("status", "kind"), [("410 Gone", Gone), ("422 Unprocessable", Invalid), ("500 Oops", Unavailable)]
)
async def test_a_refused_watch_is_the_refusal(status: str, kind: type[Exception]) -> None:
    async with served(always(answer(b"{}", status))) as (client, _):
        with pytest.raises(kind):
            async with client.watch(LEASES, None, since="1", lasting=60, silence=5):
                pass


async def test_a_credential_cannot_bring_headers_of_its_own() -> None:
    credentials = Fixed((("Authorization", "Bearer x\r\nImpersonate-User: admin"),))
    async with served(always(answer()), credentials=credentials) as (client, came):
        with pytest.raises(TrainyardError, match="more than one line"):
            await client.version()
        assert not came


@pytest.mark.parametrize("address", ["", "ftp://x", "https://", "http://x:port"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(TrainyardError, match="no address"):
        Client(Access(server=address, credentials=Fixed()), SystemClock())
