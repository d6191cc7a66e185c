"""How servers of this process answer: what they do beside their applications."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest
from starlette.responses import JSONResponse

from trainyard.access.punctual import PunctualProtocol
from trainyard.wiring.answering import answering
from trainyard.wiring.sockets import tcp_listener

DEADLINE = 20.0


async def _asked(headers: str = "") -> tuple[Any, tuple[str, int]]:
    """Which client an application sees, and who really asked."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await JSONResponse(scope["client"])(scope, receive, send)

    with tcp_listener("127.0.0.1", 0, usual=0, option="") as listener:
        async with answering(app, listener, grace=1.0), asyncio.timeout(DEADLINE):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(f"GET / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
            while (await reader.readline()).strip():
                pass
            told = json.loads(await reader.readuntil(b"]"))
            real = writer.get_extra_info("sockname")
            writer.close()
    return told, real


def test_who_connected_is_told_by_the_kernel_and_by_no_header() -> None:
    told, real = asyncio.run(_asked("X-Forwarded-For: 127.0.0.1:1\r\n"))
    assert tuple(told) == real


def test_small_pieces_of_an_answer_are_not_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    delays = []
    made = PunctualProtocol.connection_made

    def noting(self: PunctualProtocol, transport: asyncio.Transport) -> None:
        made(self, transport)
        delays.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(PunctualProtocol, "connection_made", noting)
    asyncio.run(_asked())
    assert delays == [1]
