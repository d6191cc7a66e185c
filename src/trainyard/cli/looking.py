"""list, describe, logs, metrics, events: what is known of jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import click

from trainyard.cli import output
from trainyard.cli.output import format_option, moment, safe
from trainyard.cli.sessions import with_session
from trainyard.kit.clock import SystemClock
from trainyard.model.job import Job, JobSummary, ListQuery, Series
from trainyard.model.ledger import LogEvent, Page
from trainyard.model.status import TrainingJobStatus
from trainyard.wiring.session import Session

_BARS = "▁▂▃▄▅▆▇█"
LAST_LINES = 20  # of a failed job's log, shown unasked
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@click.command("list")
@format_option
@click.option("--status", type=click.Choice([str(status) for status in TrainingJobStatus]), help="Only these.")
@click.option("--name", "name_contains", help="Only names that contain this.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many.")
def list_command(form: str, status: str | None, name_contains: str | None, limit: int) -> None:
    """List jobs, newest first."""
    wanted = TrainingJobStatus(status) if status else None
    query = ListQuery(limit=limit, name_contains=name_contains, status=wanted)

    async def fetch(session: Session) -> Page[JobSummary]:
        return await session.service.list(query)

    page = with_session(fetch)
    if form in ("json", "yaml"):
        output.document([_summary(one) for one in page.items], form)
    elif form == "name":
        for one in page.items:
            click.echo(one.name)
    else:
        _print_list(page.items, wide=form == "wide")
    if page.token:
        click.echo(f"(the newest {limit}; ask for more with --limit)", err=True)


@click.command("describe")
@click.argument("name")
@format_option
def describe_command(name: str, form: str) -> None:
    """Tell everything about a job."""

    async def fetch(session: Session) -> tuple[Job, list[tuple[float, str, str]], Sequence[LogEvent]]:
        job, events = await _whole(session, name)
        return job, events, await last_lines(session, job)

    job, events, lines = with_session(fetch)
    if form in ("json", "yaml"):
        output.document(output.plain(job), form)
        return
    if form == "name":
        click.echo(name)
        return
    _print_job(job)
    click.echo("Events:")
    output.table(("  TIME", "REASON", "MESSAGE"), [("  " + moment(at), reason, text) for at, reason, text in events])
    if lines:
        click.echo("Last lines:")
    for event in lines:
        print_line(event, indent="  ")


@click.command("logs")
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job is final.")
@click.option("--since", metavar="AGE", help="Only lines not older than this: 30s, 5m, 2h, 1d.")
@click.option("--tail", type=click.IntRange(0), help="Only the last lines.")
@click.option("--timestamps", is_flag=True, help="Show when each line was written.")
def logs_command(name: str, since: str | None, tail: int | None, *, follow: bool, timestamps: bool) -> None:
    """Show a job's output."""
    after = SystemClock().now() - seconds(since) if since else None

    async def show(session: Session) -> None:
        token = None
        while True:
            final = TrainingJobStatus((await session.service.describe(name)).description.training_job_status).is_final
            page = await session.service.logs(name, since=after, token=token, tail=tail if token is None else None)
            for event in page.items:
                print_line(event, timestamps=timestamps)
            token = page.token
            if not page.items and (final or not follow):
                return
            if not page.items:
                await asyncio.sleep(0.1)

    with_session(show, lead=follow)


@click.command("metrics")
@click.argument("name")
@click.option("--metric", help="Only this one.")
@click.option("--host", is_flag=True, help="Also what the host used.")
@format_option
def metrics_command(name: str, metric: str | None, form: str, *, host: bool) -> None:
    """Show a job's metrics: last, least and greatest value, and their course."""

    async def fetch(session: Session) -> Sequence[Series]:
        return await session.service.metrics(name, metric=metric)

    series = [one for one in with_session(fetch) if host or not one.host]
    if form in ("json", "yaml"):
        points = [
            {"name": one.name, "host": one.host, "points": [list(point) for point in one.points]} for one in series
        ]
        output.document(points, form)
        return
    rows = []
    for one in series:
        values = [value for _, value in one.points]
        numbers = [f"{number:.6g}" for number in (values[-1], min(values), max(values))]
        rows.append((one.name, one.host or "-", str(len(values)), *numbers, sparkline(values)))
    output.table(("METRIC", "HOST", "POINTS", "LAST", "MIN", "MAX", "COURSE"), rows)


@click.command("events")
@click.argument("name")
@format_option
def events_command(name: str, form: str) -> None:
    """Show what happened to a job, oldest first."""
    _, events = with_session(lambda session: _whole(session, name))
    if form in ("json", "yaml"):
        output.document([{"time": moment(at), "reason": reason, "message": text} for at, reason, text in events], form)
        return
    output.table(("TIME", "REASON", "MESSAGE"), [(moment(at), reason, text) for at, reason, text in events])


def sparkline(values: Sequence[float], width: int = 32) -> str:
    """The course of a series in one line of bars."""
    step = max(1, len(values) // width)
    picked = values[::step][-width:]
    low, high = min(picked), max(picked)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * scale)] for value in picked)


async def _whole(session: Session, name: str) -> tuple[Job, list[tuple[float, str, str]]]:
    job = await session.service.describe(name)
    page = await session.service.events(name)
    return job, [(event.at, event.reason, event.message) for event in page.items]


def _summary(one: JobSummary) -> dict[str, object]:
    wire: dict[str, object] = {
        "TrainingJobName": one.name, "TrainingJobArn": one.arn, "CreationTime": moment(one.created_at),
        "LastModifiedTime": moment(one.modified_at), "TrainingJobStatus": str(one.status),
        "SecondaryStatus": str(one.secondary),
    }  # fmt: skip
    if one.ended_at is not None:
        wire["TrainingEndTime"] = moment(one.ended_at)
    return wire


def _print_list(items: Sequence[JobSummary], *, wide: bool) -> None:
    now = SystemClock().now()
    header = ["NAME", "SECONDARY-STATUS", "STATUS", "AGE"]
    rows = [[one.name, str(one.secondary), str(one.status), output.span(now - one.created_at)] for one in items]
    if wide:
        header += ["INSTANCE", "IMAGE", "FAILURE-REASON"]
        rows = [
            [*row, one.instance or "-", one.image, one.failure_reason or "-"]
            for row, one in zip(rows, items, strict=True)
        ]
    output.table(header, rows)


def _print_job(job: Job) -> None:
    told = job.description
    status = f"{output.coloured(str(told.training_job_status))} ({told.secondary_status})"
    stale = f", as of {output.span(job.stale_for)} ago: nobody watches it" if job.stale_for is not None else ""
    lines = {
        "Name": told.training_job_name,
        "ARN": told.training_job_arn,
        "Status": status + stale,
        "Waiting": job.waiting,
        "Reason": told.failure_reason,
        "Exit code": None if job.exit_code is None else str(job.exit_code),
        "Runs": f"{job.image} ({job.launcher}), attempt {job.attempt}",
        "Created": moment(told.creation_time),
        "Started": moment(told.training_start_time),
        "Ended": moment(told.training_end_time),
        "Training": None if told.training_time_in_seconds is None else f"{told.training_time_in_seconds} s",
        "Model": told.model_artifacts.s3_model_artifacts,
        "Tags": ", ".join(f"{key}={value}" for key, value in job.tags) or None,
    }
    for label, value in lines.items():
        if value is not None:
            click.echo(f"{label + ':':<12}{value if label == 'Status' else safe(value)}")
    for notice in job.notices:
        click.echo(f"{'Notice:':<12}{safe(notice)}")
    click.echo("Transitions:")
    entries = told.secondary_status_transitions or ()
    output.table(
        ("  START", "STATUS", "MESSAGE"),
        [("  " + moment(entry.start_time), entry.status, entry.status_message or "") for entry in entries],
    )
    for metric in told.final_metric_data_list or ():
        click.echo(f"Metric:     {safe(metric.metric_name or '')} = {metric.value:g}")


async def last_lines(session: Session, job: Job) -> Sequence[LogEvent]:
    """The end of a failed job's log; of another job nothing."""
    told = job.description
    if told.training_job_status != "Failed" or told.training_job_name is None:
        return ()
    return (await session.service.logs(told.training_job_name, tail=LAST_LINES)).items


def print_line(event: LogEvent, *, timestamps: bool = False, indent: str = "") -> None:
    """One line of a log as a terminal may show it."""
    if event.gap:
        click.echo(f"[{output.size(event.gap)} of log were dropped by its size cap]")
    text = safe(event.message.replace("#011", "\t").expandtabs(4))
    click.echo(indent + (f"{moment(event.at)} {text}" if timestamps else text))


def seconds(text: str) -> float:
    """An age such as 5m in seconds."""
    unit = text[-1:]
    try:
        return float(text[:-1]) * _UNITS[unit]
    except (ValueError, KeyError):
        raise click.UsageError(f"{text!r} is no age; write 30s, 5m, 2h or 1d.") from None
