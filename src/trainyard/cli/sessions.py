"""A command's session: settings from the global options, one event loop for the whole command.

Commands about jobs work with this home's, or with another Trainyard's where --service names one; those about objects
with this home's or Amazon's; the others work with this home alone, and refuse --service.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import importlib.util
import signal
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from trainyard.cli.main import SAGEMAKER, SERVICE, ServiceOption
from trainyard.model.errors import ResourceNotFound, Unsupported
from trainyard.model.job import Job
from trainyard.model.listing import ListQuery
from trainyard.wiring.session import Jobs, JobsAndObjects, Session, open_session

if TYPE_CHECKING:
    from trainyard.wiring.amazon import JobsOnAmazon

T = TypeVar("T")
NAMES_LOOKED_AT = 1000  # when a name is misspelt


def with_session(work: Callable[[Session], Awaitable[T]], *, lead: bool = False) -> T:
    """Run `work` in a session. Without `lead` and with nobody leading, what runs is looked at once first.

    A command that is told to end (SIGTERM, or SIGHUP of a closed terminal) leaves as after Ctrl-C: in order, so that
    somebody goes on leading.
    """
    context = click.get_current_context()
    if (elsewhere := service_option(context)) is not None:
        raise click.UsageError(
            f"`{context.info_name}` works with this machine's own home, not with {elsewhere.url}: "
            "leave --service (TRAINYARD_SERVICE) out."
        )
    options = context.find_root().obj

    async def here() -> T:
        async with open_session(**options, lead=lead) as session:
            if not lead and session.leadership.try_lead():
                await session.engine.look_once()
                session.leadership.leave()
            return await work(session)

    return _run(here)


def with_jobs(work: Callable[[Jobs], Awaitable[T]], *, lead: bool = False) -> T:
    """Run `work` with the jobs that the command is about: this home's as in `with_session`, or --service's."""
    context = click.get_current_context()
    elsewhere = service_option(context)
    if elsewhere is None:
        return with_session(work, lead=lead)
    if elsewhere.url == SAGEMAKER:
        return _on_amazon(work, **context.find_root().obj)
    if importlib.util.find_spec("aiohttp") is None:
        raise Unsupported("--service needs an extra: pip install 'trainyard[serve]'.")
    from trainyard.wiring.elsewhere import address_of, jobs_at, scope_of

    address = address_of(elsewhere.url, token_file=elsewhere.token_file, ca_file=elsewhere.ca_file)
    scope = scope_of(**context.find_root().obj)

    async def there() -> T:
        async with jobs_at(address, scope, lambda text: click.echo(text, err=True)) as jobs:
            return await work(jobs)

    return _run(there)


def with_objects(work: Callable[[JobsAndObjects], Awaitable[T]]) -> T:
    """Run `work` with jobs and objects: this home's as in `with_session`, or Amazon's; another Trainyard is refused."""
    context = click.get_current_context()
    elsewhere = service_option(context)
    if elsewhere is not None and elsewhere.url == SAGEMAKER:
        return _on_amazon(work, **context.find_root().obj)
    return with_session(work)


def _on_amazon(
    work: Callable[[JobsOnAmazon], Awaitable[T]],
    *,
    home: str | None,  # noqa: ARG001 - nothing of a job on Amazon is kept here
    region: str | None,
    account: str | None,
) -> T:
    from trainyard.wiring.amazon import jobs_on_amazon

    async def there() -> T:
        async with jobs_on_amazon(region=region, account=account) as jobs:
            return await work(jobs)

    return _run(there)


def service_option(context: click.Context) -> ServiceOption | None:
    """The --service of a command line, or None."""
    found: ServiceOption | None = context.find_root().meta.get(SERVICE)
    return found


def _run(whole: Callable[[], Awaitable[T]]) -> T:
    told: list[int] = []

    async def ending_on_signals() -> T:
        _end_on_signals(told)
        return await whole()

    try:
        return asyncio.run(ending_on_signals())
    except asyncio.CancelledError:
        raise click.exceptions.Exit(128 + told[0] if told else 130) from None


async def described(session: Jobs, name: str) -> Job:
    """One job; where there is none, the error names those that are spelt alike."""
    try:
        return await session.service.describe(name)
    except ResourceNotFound as error:
        raise await unknown_name(session, name, error) from error


async def unknown_name(session: Jobs, name: str, error: ResourceNotFound) -> ResourceNotFound:
    """The service's refusal with what a person can do about it."""
    page = await session.service.list(ListQuery(limit=NAMES_LOOKED_AT))
    scope = session.service.scope
    near = difflib.get_close_matches(name, [one.name for one in page.items], n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else "`trainyard list` shows the jobs."
    return ResourceNotFound(f"{error} No job is named {name} in {session.where} ({scope.region}). {hint}")


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
