"""Streams end when they should."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from trainyard.doors.kube import answers
from trainyard.doors.kube.answers import Stream


async def test_a_watch_ends_for_a_reader_whose_token_was_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "WELCOME_FOR", 0.01)
    sent: list[Any] = []
    known = True

    async def lines() -> AsyncGenerator[bytes]:
        nonlocal known
        yield b"one"
        known = False
        await asyncio.Event().wait()
        yield b"never"

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    await asyncio.wait_for(Stream(lines(), None, asyncio.Event(), lambda: known).send(receive, send), 20)
    assert [message.get("body") for message in sent] == [None, b"", b"one", b""]
