"""A job under a person's eyes: what is new of it, line by line, and how it stands, in place."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from enum import Enum, auto

import click

from trainyard.cli.output import coloured, dim, safe, size, span, unobserved_words
from trainyard.cli.reading import lines_of
from trainyard.cli.screen import Screen, screen
from trainyard.cli.sessions import described
from trainyard.kit.clock import SystemClock
from trainyard.model.description import SecondaryStatusTransition
from trainyard.model.errors import ValidationRefused
from trainyard.model.job import Job
from trainyard.model.ledger import LogEvent, Point
from trainyard.model.status import TrainingJobStatus
from trainyard.wiring.session import Jobs

MEASURE = 5  # every so many looks the newest metrics are read
OFFER = 3.0  # seconds in which a second Ctrl-C leaves the job running
LEFT = 130
EXIT = {"Completed": 0, "Failed": 1, "Stopped": 3}


async def watch(session: Jobs, name: str) -> int:
    """Show what a job does until it is final; returns the exit status."""
    await described(session, name)
    shown = screen()
    ctrl_c = _CtrlC(session, name, shown)
    view = _View(session, name, shown)
    with ctrl_c.heard():
        try:
            while not await view.step(ctrl_c.words()):
                if await ctrl_c.left_within(session.look):
                    return LEFT
        finally:
            shown.close()
    return await view.end()


async def final(session: Jobs, name: str) -> Job:
    """Wait until a job is final, showing on a terminal how it stands."""
    job = await described(session, name)
    shown = screen()
    try:
        while not _is_final(job):
            shown.status([_phase(job)])
            await asyncio.sleep(session.look)
            job = await session.service.describe(name)
    finally:
        shown.close()
    return job


def outcome(job: Job) -> str:
    """How it ended, in one line."""
    told = job.description
    last = (told.secondary_status_transitions or [None])[-1]
    words = told.failure_reason or (last.status_message if last else None) or ""
    return f"{coloured(str(told.training_job_status))}: {safe(words)}"


class _Wish(Enum):
    """What the person in front of the terminal wants."""

    WATCH = auto()
    OFFERED = auto()
    STOP = auto()
    LEAVE = auto()


class _CtrlC:
    """Ctrl-C: on a terminal it offers a graceful stop, which a second one within the offer declines.

    Without a terminal nobody reads an offer, and the stop is asked for at once. A stop cannot be taken back: a further
    Ctrl-C leaves the job to end by itself.
    """

    def __init__(self, session: Jobs, name: str, shown: Screen) -> None:
        self._session, self._name, self._shown = session, name, shown
        self._pressed = asyncio.Event()
        self._wish = _Wish.WATCH
        self._until = 0.0

    @contextlib.contextmanager
    def heard(self) -> Iterator[None]:
        """Ctrl-C is ours for as long as the block lasts."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._pressed.set)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    def words(self) -> str:
        """What another Ctrl-C would do; empty before the first."""
        match self._wish:
            case _Wish.OFFERED:
                left = max(1, round(self._until - asyncio.get_running_loop().time()))
                return f"Stopping gracefully in {left} s. Ctrl-C again: leave it running."
            case _Wish.STOP:
                return "Stopping gracefully. Ctrl-C again: leave it to end by itself."
            case _:
                return ""

    async def left_within(self, seconds: float) -> bool:
        """Wait so long, or until Ctrl-C, and do what it says; True once the job is left."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._pressed.wait(), seconds)
        if self._pressed.is_set():
            self._pressed.clear()
            await self._press()
        elif self._wish is _Wish.OFFERED and asyncio.get_running_loop().time() >= self._until:
            await self._stop()
        return self._wish is _Wish.LEAVE

    async def _press(self) -> None:
        if self._wish is _Wish.WATCH and sys.stdout.isatty():
            self._wish, self._until = _Wish.OFFERED, asyncio.get_running_loop().time() + OFFER
            self._shown.aside(f"Ctrl-C: {self._name} stops gracefully in {OFFER:g} s; Ctrl-C again leaves it running.")
        elif self._wish is _Wish.WATCH:
            await self._stop()
        else:
            what = "goes on stopping" if self._wish is _Wish.STOP else "is left running"
            self._wish = _Wish.LEAVE
            self._shown.aside(f"{self._name} {what}. Watch it again: trainyard attach {self._name}")

    async def _stop(self) -> None:
        self._wish = _Wish.STOP
        self._shown.aside("Stopping gracefully: SIGTERM, and SIGKILL 120 s later if that does not end it.")
        with contextlib.suppress(ValidationRefused):  # it ended by itself meanwhile, and that is told next
            await self._session.service.stop(self._name)


class _View:
    """What was shown of a job so far, and what is new."""

    def __init__(self, session: Jobs, name: str, shown: Screen) -> None:
        self._session, self._name, self._shown = session, name, shown
        self._clock = SystemClock()
        self._token: str | None = None
        self._told: list[str] = []
        self._notices = 0
        self._looks = 0
        self._newest: Sequence[Point] = ()

    async def step(self, words: str) -> bool:
        """Show what is new; True once the job is final and all of it was shown."""
        job = await self._session.service.describe(self._name)
        for notice in job.notices[self._notices :]:
            self._shown.aside(f"notice: {safe(notice)}")
        self._notices = len(job.notices)
        await self._tell_news(job)
        ended = _is_final(job)
        self._shown.status([] if ended else await self._standing(job, words))
        return ended and (job.description.final_metric_data_list is not None or job.settled)

    async def end(self) -> int:
        """The end: outcome, reason, metrics, where the model is."""
        job = await self._session.service.describe(self._name)
        told = job.description
        status = str(told.training_job_status)
        for metric in told.final_metric_data_list or ():
            click.echo(f"{safe(metric.metric_name or '')} = {metric.value:g}")
        click.echo(outcome(job))
        if status == "Failed":
            click.echo(f"Look further with: trainyard describe {self._name}; trainyard logs {self._name}", err=True)
        elif told.training_start_time is not None:
            await self._tell_model(told.model_artifacts.s3_model_artifacts)
        return EXIT[status]

    async def _tell_model(self, uri: str) -> None:
        if await self._session.holds(uri):
            click.echo(f"model: {uri}")
            click.echo(self._session.fetching(self._name, uri), err=True)
        else:
            click.echo("It wrote no model: /opt/ml/model was empty at its end.", err=True)

    async def _tell_news(self, job: Job) -> None:
        """New transitions and lines, each where it belongs in time; the last transition of all comes last."""
        history = job.description.secondary_status_transitions or ()
        steps = self._new_steps(history, job.waiting)
        last = [steps.pop()] if steps and _is_final(job) else []
        while True:
            page = await self._session.service.logs(self._name, token=self._token)
            self._token = page.token
            until = page.items[-1].at if page.items else float("inf")
            due = [step for step in steps if step[0] <= until]
            steps = steps[len(due) :]
            self._shown.lines(_in_time(due, page.items))
            if not page.items:
                break
        self._shown.lines([text for _, text in last])

    def _new_steps(self, history: Sequence[SecondaryStatusTransition], waiting: str | None) -> list[tuple[float, str]]:
        """(when, what) of every transition that was not told yet, or not in these words."""
        words = [f"{entry.status} - {entry.status_message}" for entry in history]
        if waiting and words:
            words[-1] += f" ({waiting})"
        same = 0
        while same < min(len(words), len(self._told)) and words[same] == self._told[same]:
            same += 1
        self._told = words
        return [(entry.start_time, dim(safe(text))) for entry, text in zip(history[same:], words[same:], strict=True)]

    async def _standing(self, job: Job, words: str) -> list[str]:
        if self._looks % MEASURE == 0:
            self._newest = await self._session.service.newest(self._name)
        self._looks += 1
        lines = [_phase(job), _measured(self._newest, self._clock.now()), words]
        return [line for line in lines if line]


def _is_final(job: Job) -> bool:
    return TrainingJobStatus(job.description.training_job_status).is_final


def _in_time(steps: Sequence[tuple[float, str]], events: Sequence[LogEvent]) -> list[str]:
    """Steps and log lines in order of time; a step comes before a line of the same moment."""
    rows = [(at, 0, [text]) for at, text in steps] + [(event.at, 1, lines_of(event)) for event in events]
    return [line for _, _, lines in sorted(rows, key=lambda row: row[:2]) for line in lines]


def _phase(job: Job) -> str:
    """`Training for 12s`, and what it waits for or moves."""
    told = job.description
    history = told.secondary_status_transitions or ()
    since = history[-1].start_time if history else told.creation_time
    parts = [f"{told.training_job_name}: {told.secondary_status} for {span(SystemClock().now() - since)}"]
    if job.attempt > 1:
        parts.append(f"attempt {job.attempt}")
    if job.waiting:
        parts.append(job.waiting)
    if job.progress is not None:
        total = f" of {size(job.progress.total)}" if job.progress.total else ""
        parts.append(f"{job.progress.what} {size(job.progress.done)}{total}, {size(job.progress.rate)}/s")
    if job.unobserved is not None:
        parts.append(unobserved_words(job.unobserved, SystemClock().now()))
    if job.stale_for is not None:
        parts.append(f"as of {span(job.stale_for)} ago")
    return safe(", ".join(parts))


def _measured(newest: Sequence[Point], now: float) -> str:
    """`loss=0.3  accuracy=0.9  (step 12, 3s ago)`."""
    if not newest:
        return ""
    last = max(newest, key=lambda point: point.at)
    step = "" if last.step is None else f"step {last.step}, "
    values = "  ".join(f"{point.name}={point.value:.6g}" for point in newest)
    return safe(f"{values}  ({step}{span(now - last.at)} ago)")
