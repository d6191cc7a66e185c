"""run, attach, wait: a job under a person's eyes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import uuid
from pathlib import Path

import click

from trainyard.cli.manifests import admitted, renamed, script_request, specs_of
from trainyard.cli.output import coloured, in_colour, safe, size
from trainyard.cli.reading import last_lines, print_line
from trainyard.cli.sessions import with_session
from trainyard.lifecycle import naming
from trainyard.model.errors import ValidationRefused
from trainyard.model.job import Job, ListQuery
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import TrainingJobStatus
from trainyard.wiring.session import Session

LOOK = 0.1  # seconds between looks at a job's log while it is watched
EXIT = {"Completed": 0, "Failed": 1, "Stopped": 3}


@click.command("run")
@click.argument("file")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--channel", "channels", multiple=True, metavar="NAME=PATH", help="An input of a script.")
@click.option("--name", help="The job's name instead of the manifest's.")
@click.option("--again", is_flag=True, help="Take the next free name if the job's is taken.")
@click.option("-d", "--detach", is_flag=True, help="Start it and leave; the job goes on.")
def run_command(
    file: str, arguments: tuple[str, ...], channels: tuple[str, ...], name: str | None, *, again: bool, detach: bool
) -> None:
    """Run the manifest FILE, or FILE.py with ARGUMENTS after `--`, and watch it.

    Exit status: 0 Completed, 1 Failed, 2 refused, 3 Stopped.
    """
    if file.endswith(".py"):
        request = script_request(file, channels, arguments, name)
        specs = [admitted(request, name or _generated(Path(file).stem))]
    else:
        specs = [spec if spec.training_job_name else renamed(spec, _generated("job")) for spec in specs_of(file)]
        specs = [renamed(spec, name) for spec in specs] if name else specs
    if not specs:
        raise click.UsageError(f"{file} holds no TrainingJob.")
    sys.exit(with_session(lambda session: _run(session, specs, again=again, detach=detach), lead=not detach))


@click.command("attach")
@click.argument("name")
def attach_command(name: str) -> None:
    """Watch a job from its first line on."""
    sys.exit(with_session(lambda session: watch(session, name), lead=True))


@click.command("wait")
@click.argument("name")
@click.option("--timeout", type=float, help="Seconds to wait at most; then exit status 4.")
def wait_command(name: str, timeout: float | None) -> None:
    """Wait until a job is final; the exit status is as of `run`."""

    async def wait(session: Session) -> int:
        try:
            async with asyncio.timeout(timeout):
                job = await _final(session, name)
        except TimeoutError:
            click.echo(f"{name} is not final after {timeout:g} s.", err=True)
            return 4
        for event in await last_lines(session, job):
            print_line(event)
        status = str(job.description.training_job_status)
        click.echo(f"{coloured(status)}: {safe(job.description.failure_reason or _end_words(job))}")
        return EXIT[status]

    sys.exit(with_session(wait, lead=True))


async def watch(session: Session, name: str) -> int:
    """Print what a job does until it is final; returns the exit status. Ctrl-C asks it to stop, twice leaves it."""
    view = _View(session, name)
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, interrupted.set)
    stopping = False
    while not await view.step():
        if interrupted.is_set():
            interrupted.clear()
            if stopping:
                click.echo(f"\nLeft running. Watch it again with: trainyard attach {name}", err=True)
                return 130
            stopping = True
            click.echo("\nStopping gracefully (Ctrl-C again leaves the job running)…", err=True)
            with contextlib.suppress(ValidationRefused):  # it ended by itself meanwhile, and that is told next
                await session.service.stop(name)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(interrupted.wait(), LOOK)
    return await view.close()


class _View:
    """What was shown of a job so far."""

    def __init__(self, session: Session, name: str) -> None:
        self._session, self._name = session, name
        self._token: str | None = None
        self._shown: list[str] = []
        self._transfer = ""
        self._notices = 0

    async def step(self) -> bool:
        """Show what is new; True once the job is final and its output was shown."""
        job = await self._session.service.describe(self._name)
        status = TrainingJobStatus(job.description.training_job_status)
        if status.is_final:
            await self._tell_lines()
        self._tell_status(job)
        await self._tell_lines()
        return status.is_final and (job.description.final_metric_data_list is not None or await self._settled())

    async def close(self) -> int:
        """The end: outcome, reason, metrics, where the model is."""
        await self._tell_lines()
        job = await self._session.service.describe(self._name)
        told = job.description
        status = str(told.training_job_status)
        for metric in told.final_metric_data_list or ():
            click.echo(f"{safe(metric.metric_name or '')} = {metric.value:g}")
        click.echo(f"{coloured(status)}: {safe(told.failure_reason or _end_words(job))}")
        if status == "Failed":
            click.echo(f"Look further with: trainyard describe {self._name}; trainyard logs {self._name}", err=True)
        elif told.training_start_time is not None:
            click.echo(f"model: {told.model_artifacts.s3_model_artifacts}")
        return EXIT[status]

    async def _settled(self) -> bool:
        """Whether somebody has read the output to its end, or there was nothing to read."""
        return not any(record.key.name == self._name for record in await self._session.engine.unfinished())

    def _tell_status(self, job: Job) -> None:
        for notice in job.notices[self._notices :]:
            click.echo(f"notice: {safe(notice)}", err=True)
        self._notices = len(job.notices)
        history = job.description.secondary_status_transitions or ()
        words = [f"{entry.status} - {entry.status_message}" for entry in history]
        if job.waiting and words:
            words[-1] += f" ({job.waiting})"
        common = len(self._shown) - (words[: len(self._shown)] != self._shown)
        for line in words[max(0, common) :]:
            click.echo(click.style(line, dim=True) if in_colour() else line)
        self._shown = words
        self._tell_progress(job)

    def _tell_progress(self, job: Job) -> None:
        progress = job.progress
        if progress is None or not in_colour():
            return
        total = f" of {size(progress.total)}" if progress.total else ""
        words = f"{progress.what}: {size(progress.done)}{total}, {size(progress.rate)}/s"
        if words != self._transfer:
            self._transfer = words
            click.echo(f"  {safe(words)}")

    async def _tell_lines(self) -> None:
        page = await self._session.service.logs(self._name, token=self._token)
        self._token = page.token
        for event in page.items:
            print_line(event)


async def _run(session: Session, specs: list[TrainingJobSpec], *, again: bool, detach: bool) -> int:
    worst = 0
    for spec in specs:
        chosen = renamed(spec, await _free_name(session, spec.training_job_name)) if again else spec
        job = await session.service.create(chosen)
        name = job.description.training_job_name
        if detach:
            click.echo(name)
            continue
        click.echo(
            f"{name}: {safe(job.image)}; model to {safe(session.objects.place_of(naming.model_uri(chosen)))}", err=True
        )
        worst = min(worst, await watch(session, name), key=_gravest)
    return worst


def _gravest(status: int) -> int:
    """Failed before left running, before stopped, before completed."""
    return (1, 130, 3, 0).index(status)


async def _free_name(session: Session, name: str) -> str:
    taken: set[str] = set()
    token = None
    while True:
        page = await session.service.list(ListQuery(limit=1000, name_contains=name[:50], token=token))
        taken |= {summary.name for summary in page.items}
        token = page.token
        if token is None:
            return naming.next_free_name(name, taken)


async def _final(session: Session, name: str) -> Job:
    while True:
        job = await session.service.describe(name)
        if TrainingJobStatus(job.description.training_job_status).is_final:
            return job
        await asyncio.sleep(LOOK)


def _end_words(job: Job) -> str:
    last = (job.description.secondary_status_transitions or [None])[-1]
    return (last.status_message or "") if last else ""


def _generated(base: str) -> str:
    kept = "".join(char if char.isascii() and char.isalnum() else "-" for char in base).strip("-")[:50] or "job"
    return f"{kept}-{uuid.uuid4().hex[:8]}"
