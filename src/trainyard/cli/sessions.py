"""A command's session: settings from the global options, one event loop for the whole command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from trainyard.wiring.session import Session, open_session

T = TypeVar("T")


def with_session(work: Callable[[Session], Awaitable[T]], *, lead: bool = False) -> T:
    """Run `work` in a session. Without `lead` and with nobody leading, what runs is looked at once first."""
    options = click.get_current_context().find_root().obj

    async def whole() -> T:
        async with open_session(**options, lead=lead) as session:
            if not lead and session.leadership.try_lead():
                await session.engine.look_once()
                session.leadership.leave()
            return await work(session)

    return asyncio.run(whole())
