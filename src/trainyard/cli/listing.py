"""list: the jobs of a home, newest first. It imports nothing of the engine unless a job must be looked at."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

import click

from trainyard.cli import output
from trainyard.cli.main import SERVICE
from trainyard.cli.options import format_option, on_option
from trainyard.cli.output import moment
from trainyard.kit.clock import SystemClock
from trainyard.model.ledger import Page
from trainyard.model.listing import JobSummary, ListQuery
from trainyard.model.status import TrainingJobStatus
from trainyard.wiring.listing import current_page


def _part_of_a_name(_ctx: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """What may stand in a job's name, as the service itself demands of such a filter."""
    if text is not None and not re.fullmatch(r"[a-zA-Z0-9-]{1,63}", text):
        raise click.BadParameter("a job's name holds at most 63 letters (a to z), digits and hyphens.")
    return text


@click.command("list")
@on_option
@format_option
@click.option("--status", type=click.Choice([str(status) for status in TrainingJobStatus]), help="Only these.")
@click.option("--name", "name_contains", metavar="TEXT", callback=_part_of_a_name, help="Only names that contain this.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many.")
def list_command(form: str, status: str | None, name_contains: str | None, limit: int) -> None:
    """List jobs, newest first."""
    wanted = TrainingJobStatus(status) if status else None
    page = _page(ListQuery(limit=limit, name_contains=name_contains, status=wanted))
    if form in ("json", "yaml"):
        output.document([_plain(one) for one in page.items], form)
    elif form == "name":
        for one in page.items:
            click.echo(one.name)
    elif page.items:
        _print(page.items, wide=form == "wide")
    else:
        filtered = status or name_contains
        click.echo("No job matches." if filtered else "No jobs yet; start one: trainyard run FILE", err=True)
    if page.token:
        click.echo(f"(the newest {limit}; ask for more with --limit)", err=True)


def _page(query: ListQuery) -> Page[JobSummary]:
    root = click.get_current_context().find_root()
    page = None if SERVICE in root.meta else asyncio.run(current_page(query, **root.obj))
    if page is not None:
        return page
    from trainyard.cli.sessions import with_jobs

    return with_jobs(lambda session: session.service.list(query))


def _plain(one: JobSummary) -> dict[str, object]:
    """A TrainingJobSummary of ListTrainingJobs; what we add stands under `trainyard`."""
    wire: dict[str, object] = {
        "TrainingJobName": one.name, "TrainingJobArn": one.arn, "CreationTime": moment(one.created_at),
        "LastModifiedTime": moment(one.modified_at), "TrainingJobStatus": str(one.status),
        "SecondaryStatus": str(one.secondary),
    }  # fmt: skip
    if one.ended_at is not None:
        wire["TrainingEndTime"] = moment(one.ended_at)
    if one.unobserved_since is not None:
        wire["trainyard"] = {"unobservedSince": moment(one.unobserved_since)}
    return wire


def _doing(one: JobSummary, now: float) -> str:
    """The secondary status; of a run that cannot be observed also how old it is."""
    if one.unobserved_since is None:
        return str(one.secondary)
    return f"{one.secondary} (not observed for {output.span(now - one.unobserved_since)})"


def _print(items: Sequence[JobSummary], *, wide: bool) -> None:
    now = SystemClock().now()
    header = ["NAME", "SECONDARY-STATUS", "STATUS", "AGE"]
    rows = [[one.name, _doing(one, now), str(one.status), output.span(now - one.created_at)] for one in items]
    if wide:
        header += ["INSTANCE", "IMAGE", "FAILURE-REASON"]
        rows = [
            [*row, one.instance or "-", one.image, one.failure_reason or "-"]
            for row, one in zip(rows, items, strict=True)
        ]
    output.table(header, rows)
