"""A command's session: settings from the global options, one event loop for the whole command."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from trainyard.model.errors import ResourceNotFound
from trainyard.model.job import Job
from trainyard.model.listing import ListQuery
from trainyard.wiring.session import Session, open_session

T = TypeVar("T")
NAMES_LOOKED_AT = 1000  # when a name is misspelt


def with_session(work: Callable[[Session], Awaitable[T]], *, lead: bool = False) -> T:
    """Run `work` in a session. Without `lead` and with nobody leading, what runs is looked at once first.

    A command that is told to end (SIGTERM, or SIGHUP of a closed terminal) leaves as after Ctrl-C: in order, so that
    somebody goes on leading.
    """
    options = click.get_current_context().find_root().obj
    told: list[int] = []

    async def whole() -> T:
        _end_on_signals(told)
        async with open_session(**options, lead=lead) as session:
            if not lead and session.leadership.try_lead():
                await session.engine.look_once()
                session.leadership.leave()
            return await work(session)

    try:
        return asyncio.run(whole())
    except asyncio.CancelledError:
        raise click.exceptions.Exit(128 + told[0] if told else 130) from None


async def described(session: Session, name: str) -> Job:
    """One job; where there is none, the error names those that are spelt alike."""
    try:
        return await session.service.describe(name)
    except ResourceNotFound as error:
        raise await unknown_name(session, name, error) from error


async def unknown_name(session: Session, name: str, error: ResourceNotFound) -> ResourceNotFound:
    """The service's refusal with what a person can do about it."""
    page = await session.service.list(ListQuery(limit=NAMES_LOOKED_AT))
    near = difflib.get_close_matches(name, [one.name for one in page.items], n=3)
    scope = session.service.scope
    hint = f"Did you mean {' or '.join(near)}?" if near else "`trainyard list` shows the jobs."
    return ResourceNotFound(f"{error} No job is named {name} in {session.home.path} ({scope.region}). {hint}")


def _end_on_signals(told: list[int]) -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def end(number: int) -> None:
        told.append(number)
        if task is not None:
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            continue  # under nohup a closed terminal is nothing to us
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, end, int(number))
