"""stop, delete, interrupt: what is done to jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import click

from trainyard.cli.options import JOB, on_option
from trainyard.cli.output import safe
from trainyard.cli.sessions import unknown_name, with_jobs
from trainyard.model.errors import ResourceNotFound, ServiceError
from trainyard.wiring.session import Jobs


@click.command("stop")
@on_option
@click.argument("names", nargs=-1, required=True, type=JOB)
def stop_command(names: tuple[str, ...]) -> None:
    """Stop jobs gracefully: SIGTERM, SIGKILL 120 s later, then the upload."""
    _each(names, lambda session, name: session.service.stop(name), "stopping")


@click.command("delete")
@on_option
@click.argument("names", nargs=-1, required=True, type=JOB)
def delete_command(names: tuple[str, ...]) -> None:
    """Forget final jobs; their artifacts stay where they are, their names are free again."""
    _each(names, lambda session, name: session.service.delete(name), "deleted")


@click.command("interrupt")
@click.argument("name", type=JOB)
def interrupt_command(name: str) -> None:
    """Take a running managed-spot job's place away, as a rehearsal of a real interruption."""
    _each((name,), lambda session, one: session.service.interrupt(one), "interrupted")


def _each(names: tuple[str, ...], act: Callable[[Jobs, str], Awaitable[None]], word: str) -> None:
    async def all_of_them(session: Jobs) -> None:
        refused: ServiceError | None = None
        for name in names:
            try:
                await act(session, name)
            except ServiceError as error:
                refused = await unknown_name(session, name, error) if isinstance(error, ResourceNotFound) else error
                click.echo(safe(f"error: {name}: {refused}"), err=True)
                continue
            click.echo(f"{safe(name)} {word}")
        if refused is not None:
            raise click.exceptions.Exit(2)

    with_jobs(all_of_them)
