"""describe, events: the whole story of one job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from trainyard.cli import output
from trainyard.cli.options import JOB, format_option, format_option_without, on_option
from trainyard.cli.output import moment, safe, span, unobserved_words
from trainyard.cli.reading import last_lines, print_line
from trainyard.cli.sessions import described, with_jobs
from trainyard.kit.clock import SystemClock
from trainyard.model.description import TrainingJobDescription
from trainyard.model.job import Job
from trainyard.model.ledger import JobEvent, LogEvent, Point
from trainyard.model.observation import Progress, Unobserved
from trainyard.model.spec import ResourceConfig
from trainyard.wiring.session import Jobs

_TIMES = ("Time", "LastModifiedTime", "Timestamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What is told of a job; `places` says where the bytes of each of its URIs are."""

    job: Job
    events: Sequence[JobEvent]
    lines: Sequence[LogEvent]
    metrics: Sequence[Point]
    places: dict[str, str]


@click.command("describe")
@on_option
@click.argument("name", type=JOB)
@format_option
def describe_command(name: str, form: str) -> None:
    """Tell everything about a job: `-o json` is the DescribeTrainingJob answer, and what we add to it."""
    if form in ("json", "yaml"):
        output.document(plain(with_jobs(lambda session: described(session, name))), form)
        return
    story = with_jobs(lambda session: _story(session, name))
    if form == "name":
        click.echo(name)
        return
    _print(story, SystemClock().now(), wide=form == "wide")


@click.command("events")
@on_option
@click.argument("name", type=JOB)
@format_option_without("wide")
def events_command(name: str, form: str) -> None:
    """Show what happened to a job, oldest first."""

    async def fetch(session: Jobs) -> Sequence[JobEvent]:
        await described(session, name)
        return await _events(session, name)

    events = with_jobs(fetch)
    if form in ("json", "yaml"):
        output.document(
            [{"time": moment(one.at), "reason": one.reason, "message": one.message, "warning": one.warning}
             for one in events],
            form,
        )  # fmt: skip
    elif form == "name":
        for one in events:
            click.echo(one.reason)
    else:
        _print_events(events)


def plain(job: Job) -> dict[str, Any]:
    """A job in the API's spelling, times as ISO 8601; what we add stands under `trainyard`."""
    wire: dict[str, Any] = _dated(job.description.to_wire())
    wire["trainyard"] = {
        "uid": job.uid, "attempt": job.attempt, "waiting": job.waiting, "notices": list(job.notices),
        "staleForSeconds": job.stale_for, "unobserved": _unobserved(job.unobserved), "launcher": job.launcher,
        "image": job.image, "exitCode": job.exit_code,
        "tags": dict(job.tags),
    }  # fmt: skip
    return wire


def _unobserved(told: Unobserved | None) -> dict[str, str] | None:
    return None if told is None else {"since": moment(told.since), "reason": told.reason}


async def _story(session: Jobs, name: str) -> Story:
    job = await described(session, name)
    told = job.description
    uris = [uri for _, uri in _channels(told)] + [uri for _, uri in _outputs(told)]
    return Story(
        job=job,
        events=await _events(session, name),
        lines=await last_lines(session, job),
        metrics=await session.service.newest(name),
        places={uri: session.place_of(uri) for uri in uris if "://" in uri},
    )


async def _events(session: Jobs, name: str) -> Sequence[JobEvent]:
    events: list[JobEvent] = []
    token = None
    while True:
        page = await session.service.events(name, token=token)
        events += page.items
        token = page.token
        if token is None:
            return events


def _print(story: Story, now: float, *, wide: bool) -> None:
    job, told = story.job, story.job.description
    output.labelled([*_standing(job, now), *_times(told, now), *(_particulars(job) if wide else ())])
    places = [
        [name, uri, story.places.get(uri, "-")]
        for name, uri in (*_channels(told), *_outputs(told))
    ]  # fmt: skip
    _section("Data", ("NAME", "URI", "WHERE"), places)
    given = [[name, value] for name, value in (told.hyper_parameters or {}).items()]
    _section("Hyperparameters", ("NAME", "VALUE"), given)
    _section("Transitions", ("START", "FOR", "STATUS", "MESSAGE"), _transitions(told, now))
    metrics = [
        [point.name, f"{point.value:.6g}", "-" if point.step is None else str(point.step), moment(point.at)]
        for point in story.metrics
    ]
    _section("Metrics", ("METRIC", "LAST", "STEP", "TIME"), metrics)
    if story.events:
        click.echo("Events:")
        _print_events(story.events, indent="  ")
    if story.lines:
        click.echo("Last lines:")
    for event in story.lines:
        print_line(event, indent="  ")


def _standing(job: Job, now: float) -> list[tuple[str, str | None]]:
    told = job.description
    history = told.secondary_status_transitions or ()
    status = f"{output.coloured(str(told.training_job_status))} ({told.secondary_status})"
    if history and history[-1].end_time is None:
        status += f" for {span(now - history[-1].start_time)}"
    return [
        ("Name", told.training_job_name),
        ("Status", status),
        ("Known", _safe(_known(job, now))),
        ("Waiting", _safe(job.waiting)),
        ("Moving", _safe(_moving(job.progress))),
        ("Reason", _safe(told.failure_reason)),
        ("Exit code", None if job.exit_code is None else str(job.exit_code)),
        (
            "Runs",
            f"{safe(job.image)} ({safe(job.launcher)}), " + (f"attempt {job.attempt}" if job.attempt else "not yet"),
        ),
        ("Instance", _safe(_instance(told.resource_config))),
        *(("Notice", safe(notice)) for notice in job.notices),
        ("Tags", _safe(", ".join(f"{key}={value}" for key, value in job.tags)) or None),
    ]


def _moving(progress: Progress | None) -> str | None:
    if progress is None:
        return None
    total = f" of {output.size(progress.total)}" if progress.total else ""
    return f"{progress.what}: {output.size(progress.done)}{total}, {output.size(progress.rate)}/s"


def _instance(resources: ResourceConfig | None) -> str | None:
    if resources is None or resources.instance_type is None:
        return None
    return f"{resources.instance_count} x {resources.instance_type}, {resources.volume_size_in_gb} GB"


def _known(job: Job, now: float) -> str | None:
    """How old what is shown is, and why, where it has an age."""
    words = [] if job.unobserved is None else [unobserved_words(job.unobserved, now)]
    if job.stale_for is not None:
        way = f"`trainyard attach {job.description.training_job_name}` or `trainyard serve`"
        words.append(f"as of {span(job.stale_for)} ago: nobody leads here now; {way} goes on")
    return "; ".join(words) or None


def _times(told: TrainingJobDescription, now: float) -> list[tuple[str, str | None]]:
    def ago(at: float | None) -> str | None:
        return None if at is None else f"{moment(at)} ({span(now - at)} ago)"

    training = told.training_time_in_seconds
    return [
        ("Created", ago(told.creation_time)),
        ("Started", ago(told.training_start_time)),
        ("Ended", ago(told.training_end_time)),
        ("Training", None if training is None else f"{training} s ({told.billable_time_in_seconds} s billable)"),
    ]


def _particulars(job: Job) -> list[tuple[str, str | None]]:
    told = job.description
    stopping = told.stopping_condition
    return [
        ("ARN", told.training_job_arn),
        ("Uid", job.uid),
        ("Role", _safe(told.role_arn)),
        ("Max runtime", f"{stopping.max_runtime_in_seconds} s"),
    ]


def _channels(told: TrainingJobDescription) -> list[tuple[str, str]]:
    found = []
    for channel in told.input_data_config or ():
        source = channel.data_source.s3_data_source
        if source is not None:
            found.append((channel.channel_name, source.s3_uri))
        else:
            found.append((channel.channel_name, "a file system"))
    return found


def _outputs(told: TrainingJobDescription) -> list[tuple[str, str]]:
    word = "model" if told.training_job_status in ("Completed", "Stopped") else "model (once written)"
    return [(word, told.model_artifacts.s3_model_artifacts)]


def _transitions(told: TrainingJobDescription, now: float) -> list[list[str]]:
    rows = []
    for entry in told.secondary_status_transitions or ():
        final = entry.end_time == entry.start_time or entry.status in ("Completed", "Failed", "Stopped")
        lasted = "-" if final else output.exact_span((entry.end_time or now) - entry.start_time)
        rows.append([moment(entry.start_time), lasted, entry.status, entry.status_message or ""])
    return rows


def _print_events(events: Sequence[JobEvent], indent: str = "") -> None:
    rows = [
        [moment(one.at), "Warning" if one.warning else "Normal", one.reason, one.message] for one in events
    ]  # fmt: skip
    output.table(("TIME", "TYPE", "REASON", "MESSAGE"), rows, indent)


def _section(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if rows:
        click.echo(f"{title}:")
        output.table(header, rows, indent="  ")


def _safe(text: str | None) -> str | None:
    return None if text is None else safe(text)


def _dated(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _dated(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [_dated(item, name) for item in value]
    return moment(value) if isinstance(value, float) and name.endswith(_TIMES) else value
