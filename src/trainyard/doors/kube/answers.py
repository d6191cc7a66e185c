"""What is sent back: a whole response, or a stream that ends when its time or its reader is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.types import Receive, Send

JSON = "application/json"
SEND_TIMEOUT = 30.0  # seconds that a client may leave a watch unread before it is closed
WELCOME_FOR = 5.0  # seconds between two looks whether a token still is one
LONGEST_WARNING, MOST_WARNINGS = 800, 20  # characters each, and how many: headers are bounded


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response. `body`: JSON values, or bytes as they are. `warnings` go into Warning headers."""

    body: Any
    code: int = 200
    warnings: tuple[str, ...] = ()
    media: str = JSON
    headers: tuple[tuple[str, str], ...] = ()

    async def send(self, _receive: Receive, send: Send) -> None:
        """Send it."""
        body = self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)
        headers = [("content-type", self.media), ("content-length", str(len(body))), *self.headers]
        headers += [("warning", f'299 - "{_quoted(text)}"') for text in self.warnings[:MOST_WARNINGS]]
        plain = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": self.code, "headers": plain})
        await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True, slots=True)
class Stream:
    """A response of JSON lines that goes on until its time (seconds) or its reader is gone, or all are to end.

    welcome: whether the reader still is one; asked now and then.
    """

    lines: AsyncGenerator[bytes]
    timeout: float | None
    ending: asyncio.Event
    welcome: Callable[[], bool] = lambda: True

    async def send(self, receive: Receive, send: Send) -> None:
        """Send until the stream's time is over, the client is gone, or it has stopped reading."""
        sending = asyncio.create_task(self._send_lines(send))
        leaving, ending = asyncio.create_task(_disconnected(receive)), asyncio.create_task(self.ending.wait())
        banned = asyncio.create_task(self._until_unwelcome())
        tasks = (sending, leaving, ending, banned)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if sending.cancelled() or sending.result():
            await self._finish(send)

    async def _send_lines(self, send: Send) -> bool:
        """Whether the client took all of them. A response without an end makes the server close the connection."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", JSON.encode())]})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        with suppress(TimeoutError):
            async with asyncio.timeout(self.timeout), aclosing(self.lines) as lines:
                async for chunk in lines:
                    if not await _taken(send, chunk):
                        return False
        return True

    async def _until_unwelcome(self) -> None:
        while self.welcome():
            await asyncio.sleep(WELCOME_FOR)

    async def _finish(self, send: Send) -> None:
        """The end of the response; a client that does not take it is left, and its connection closed."""
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(SEND_TIMEOUT):
                await send({"type": "http.response.body", "body": b""})


async def _taken(send: Send, chunk: bytes) -> bool:
    """Whether the client took a piece of the response in good time."""
    limit = asyncio.timeout(SEND_TIMEOUT)
    try:
        async with limit:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except TimeoutError:
        if not limit.expired():
            raise
        return False
    return True


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _quoted(text: str) -> str:
    """As a quoted string of a header: one line, ASCII, bounded."""
    plain = " ".join(text.split()).encode("ascii", "replace").decode()[:LONGEST_WARNING]
    return plain.replace("\\", "\\\\").replace('"', '\\"')
