"""A peer that is away, silent, or no Trainyard at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from trainyard.model.errors import TrainyardError, Transient
from trainyard.model.keys import Scope
from trainyard.remote import connection as module
from trainyard.remote.connection import Address, Connection
from trainyard.remote.service import RemoteService

SCOPE = Scope("1", "r")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def peer(socket: Path, handler: Handler) -> AsyncIterator[RemoteService]:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_unix_server(closing, str(socket))
    async with server, Connection(Address(socket=socket)) as connection:
        yield RemoteService(SCOPE, connection)


def saying(status: str, body: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()

    return handler


async def test_nobody_there_is_worth_another_try(tmp_path: Path) -> None:
    async with Connection(Address(socket=tmp_path / "no.sock")) as connection:
        with pytest.raises(Transient, match=r"no\.sock cannot be reached"):
            await RemoteService(SCOPE, connection).describe("x")


async def test_a_proxys_error_page_is_worth_another_try(tmp_path: Path) -> None:
    async with peer(tmp_path / "s", saying("502 Bad Gateway", b"<html>")) as service:
        with pytest.raises(Transient, match="HTTP 502"):
            await service.describe("x")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"error": 3}', b'{"error": {"kind": "Exception"}}'])
async def test_what_is_no_trainyard_is_told_so(tmp_path: Path, body: bytes) -> None:
    async with peer(tmp_path / "s", saying("404 Not Found", body)) as service:
        with pytest.raises(TrainyardError, match="no answer of a Trainyard") as caught:
            await service.describe("x")
    assert not isinstance(caught.value, Transient)


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with peer(tmp_path / "s", saying("307 Away\r\nLocation: http://other/", b"")) as service:
        with pytest.raises(TrainyardError, match="HTTP 307"):
            await service.describe("x")


async def test_a_stream_that_falls_silent_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.2)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n")
        await reader.read()

    async with peer(tmp_path / "s", silent) as service:
        with pytest.raises(Transient):
            await anext(service.changes(0))


async def test_a_stream_that_ends_is_asked_for_again(tmp_path: Path) -> None:
    line = b'{"revision": 4, "account": "1", "region": "r", "name": "x"}\n'
    async with peer(tmp_path / "s", saying("200 OK", line)) as service:
        following = service.changes(0)
        assert (await anext(following)).revision == 4
        with pytest.raises(Transient, match="ended its stream"):
            await anext(following)


async def test_a_token_is_asked_for_every_request(tmp_path: Path) -> None:
    tokens = iter(["first", "second"])
    heard: list[bytes] = []

    async def listening(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\n{"result": 7}')
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_unix_server(listening, str(tmp_path / "s"))
    address = Address(socket=tmp_path / "s", token=lambda: next(tokens))
    async with server, Connection(address) as connection:
        service = RemoteService(SCOPE, connection)
        assert [await service.revision(), await service.revision()] == [7, 7]
    assert [b"Bearer first" in heard[0], b"Bearer second" in heard[1]] == [True, True]
