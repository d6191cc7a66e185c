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
from trainyard.remote import patience
from trainyard.remote.connection import Address, Connection
from trainyard.remote.patience import PatientConnection
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


@pytest.mark.parametrize(
    ("header", "after"), [("Retry-After: 7\r\n", 7.0), ("Retry-After: 99999\r\n", 300.0), ("", 1.0)]
)
async def test_a_proxy_that_is_busy_says_when_to_ask_again(tmp_path: Path, header: str, after: float) -> None:
    async with peer(tmp_path / "s", saying(f"429 Too Many Requests\r\n{header}X: y", b"<html>")) as service:
        with pytest.raises(Transient) as caught:
            await service.describe("x")
    assert caught.value.after == after


@pytest.mark.parametrize("body", [b'{"result": "text"}', b'{"result": null}'])
async def test_an_answer_of_another_shape_asks_for_one_release(tmp_path: Path, body: bytes) -> None:
    async with peer(tmp_path / "s", saying("200 OK", body)) as service:
        with pytest.raises(TrainyardError, match="bring both to one release"):
            await service.revision()


async def test_a_line_that_broke_off_is_asked_for_again(tmp_path: Path) -> None:
    async with peer(tmp_path / "s", saying("200 OK", b'{"revision": 4, "acc')) as service:
        with pytest.raises(Transient, match="broke off"):
            await anext(service.changes(0))


async def test_a_write_without_an_answer_is_told_to_be_in_doubt_and_a_read_is_not(tmp_path: Path) -> None:
    async def vanishing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with peer(tmp_path / "s", vanishing) as service:
        with pytest.raises(Transient, match="Whether stop was carried out is not known"):
            await service.stop("x")
        with pytest.raises(Transient) as caught:
            await service.describe("x")
    assert "carried out" not in str(caught.value)


class Flaky:
    """Answers revisions, but for those times when it only closes the connection."""

    def __init__(self, *answers: bool) -> None:
        self._answers, self.asked = iter(answers), 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        if next(self._answers, False):
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\n{"result": 7}')


@asynccontextmanager
async def patient(socket: Path, handler: Flaky, bears: float = 30.0) -> AsyncIterator[tuple[RemoteService, list[str]]]:
    told: list[str] = []
    async with peer(socket, handler), PatientConnection(Address(socket=socket), told.append, bears) as connection:
        yield RemoteService(SCOPE, connection), told


async def test_who_watches_is_told_of_a_gap_once_and_bears_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_PAUSE", 0.01)
    async with patient(tmp_path / "s", Flaky(True, False, False, True)) as (service, told):
        assert await service.revision() == 7
        assert await service.revision() == 7
    assert len(told) == 1
    assert "jobs there are not touched" in told[0]


async def test_patience_ends_and_has_not_begun_before_the_first_answer(tmp_path: Path) -> None:
    flaky = Flaky(False, True, False, False)
    async with patient(tmp_path / "s", flaky, bears=0.0) as (service, _):
        with pytest.raises(Transient):
            await service.revision()
        assert flaky.asked == 1
        assert await service.revision() == 7
        with pytest.raises(Transient):
            await service.revision()
        assert flaky.asked == 4


async def test_what_writes_is_never_repeated(tmp_path: Path) -> None:
    flaky = Flaky(True, False, True)
    async with patient(tmp_path / "s", flaky) as (service, told):
        await service.revision()
        with pytest.raises(Transient):
            await service.stop("x")
        assert (flaky.asked, told) == (2, [])
