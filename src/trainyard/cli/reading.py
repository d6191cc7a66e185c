"""logs: a job's output, from where one wants, and on while it is written."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

import click

from trainyard.cli import output
from trainyard.cli.options import AGE, JOB, on_option
from trainyard.cli.output import moment, safe
from trainyard.cli.sessions import described, with_jobs
from trainyard.kit.clock import SystemClock
from trainyard.model.job import Job
from trainyard.model.ledger import LogEvent
from trainyard.model.status import TrainingJobStatus
from trainyard.wiring.session import Jobs

LAST_LINES = 20  # of a failed job's log, shown unasked
# ESC as the log writes it, then a change of colour, weight or underline: nothing that moves or hides.
_COLOUR = re.compile(r"#033\[((?:(?:[0-79]|[1-9][0-9]|10[0-7])?;?)*)m")
_LOOK = 0.1  # seconds between looks at a log that is followed


@click.command("logs")
@on_option
@click.argument("name", type=JOB)
@click.option("-f", "--follow", is_flag=True, help="Go on until the job is final, through every attempt.")
@click.option("--since", type=AGE, metavar="AGE", help="Only lines not older than this: 30s, 5m, 1h30m, 2d.")
@click.option("--tail", type=click.IntRange(0), metavar="LINES", help="Begin with the last so many lines.")
@click.option("--timestamps", is_flag=True, help="Show when each line was written.")
def logs_command(name: str, since: float | None, tail: int | None, *, follow: bool, timestamps: bool) -> None:
    """Show a job's output."""
    after = None if since is None else SystemClock().now() - since

    async def show(session: Jobs) -> None:
        await described(session, name)
        token = None
        while True:
            final = await _is_final(session, name)  # asked before reading, so that the last lines are read after it
            page = await session.service.logs(name, since=after, token=token, tail=tail if token is None else None)
            for event in page.items:
                print_line(event, timestamps=timestamps)
            if not page.items and (final or not follow):
                return
            if not page.items:
                await asyncio.sleep(_LOOK)
            token = page.token

    with_jobs(show, lead=follow)


async def last_lines(session: Jobs, job: Job) -> Sequence[LogEvent]:
    """The end of a failed job's log; of another job nothing."""
    told = job.description
    if told.training_job_status != "Failed":
        return ()
    return (await session.service.logs(told.training_job_name, tail=LAST_LINES)).items


def print_line(event: LogEvent, *, timestamps: bool = False, indent: str = "") -> None:
    """One line of a log as a terminal may show it."""
    for line in lines_of(event, timestamps=timestamps):
        click.echo(indent + line)


def lines_of(event: LogEvent, *, timestamps: bool = False) -> list[str]:
    """A log event in printable text: what was dropped before it, then its line."""
    text = safe(event.message.replace("#011", "\t").expandtabs(4))
    told = f"{moment(event.at)} {text}" if timestamps else text
    dropped = [f"[{output.size(event.gap)} of log were dropped by its size cap]"] if event.gap else []
    return [*dropped, _as_seen(told) if output.in_colour() else told]


def _as_seen(text: str) -> str:
    """What a terminal would show of it: its colours, and of a line that was written over and over its last state."""
    seen = text.removesuffix("#015").rpartition("#015")[2]
    coloured = _COLOUR.sub(lambda found: f"\x1b[{found[1]}m", seen)
    return f"{coloured}\x1b[0m" if coloured != seen else seen


async def _is_final(session: Jobs, name: str) -> bool:
    status = (await session.service.describe(name)).description.training_job_status
    return TrainingJobStatus(status).is_final
