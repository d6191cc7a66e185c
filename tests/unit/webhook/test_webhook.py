"""Every state change is told, in order, whatever the receiver and we ourselves do in between."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainyard.kit.clock import SystemClock
from trainyard.model.description import TrainingJobDescription
from trainyard.model.errors import ResourceNotFound
from trainyard.model.job import Job
from trainyard.model.keys import Scope
from trainyard.model.ledger import Change
from trainyard.webhook.event import state_change
from trainyard.webhook.progress import Progress, from_plain
from trainyard.webhook.telling import SIGNATURE, Telling

SCOPE = Scope("123456789012", "eu-west-1")
STEPS = ("Starting", "Downloading", "Training", "Uploading", "Completed")
START = 4_000_000_000.0  # later than any test begins
DEADLINE = 30.0


def job(steps: int, *, start: float = START, uid: str = "u") -> Job:
    history = [
        {"Status": status, "StartTime": start + place, "EndTime": start + place + 1, "StatusMessage": "x"}
        for place, status in enumerate(STEPS[:steps])
    ]
    if steps < len(STEPS):
        history[-1].pop("EndTime")
    wire = {
        "TrainingJobName": "one",
        "TrainingJobArn": "arn:aws:sagemaker:eu-west-1:123456789012:training-job/one",
        "ModelArtifacts": {"S3ModelArtifacts": "s3://b/m"},
        "TrainingJobStatus": "Completed" if steps == len(STEPS) else "InProgress",
        "SecondaryStatus": STEPS[steps - 1],
        "StoppingCondition": {},
        "CreationTime": start,
        "SecondaryStatusTransitions": history,
        "HyperParameters": {"StartTime": "5"},
    }
    return Job(description=TrainingJobDescription.from_wire(wire), uid=uid, tags=(("team", "a"),))


class Feed:
    """A service as far as telling needs one."""

    scope = SCOPE

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.moved = asyncio.Condition()
        self.log: list[str] = []

    async def put(self, name: str, job: Job) -> None:
        async with self.moved:
            self.jobs[name] = job
            self.log.append(name)
            self.moved.notify_all()

    async def revision(self) -> int:
        return len(self.log)

    async def describe(self, name: str) -> Job:
        if name not in self.jobs:
            raise ResourceNotFound("Requested resource not found.")
        return self.jobs[name]

    async def changes(self, since: int) -> AsyncIterator[Change]:
        position = since
        while True:
            async with self.moved:
                while len(self.log) == position:
                    await self.moved.wait()
            while position < len(self.log):
                position += 1
                yield Change(position, SCOPE.account, SCOPE.region, self.log[position - 1])


class Receiver:
    """Takes bodies; `answers` are what it says first."""

    def __init__(self, *answers: int | OSError) -> None:
        self.answers = list(answers)
        self.got: list[dict[str, Any]] = []
        self.signatures: list[str] = []
        self.enough = asyncio.Event()
        self.wanted = 0

    async def __call__(self, body: bytes, headers: Mapping[str, str]) -> int:
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, OSError):
            raise answer
        if answer == 200:
            self.got.append(json.loads(body))
            self.signatures.append(headers.get(SIGNATURE, ""))
            assert headers.get(SIGNATURE) in (None, f"sha256={hmac.new(b's', body, hashlib.sha256).hexdigest()}")
            if len(self.got) >= self.wanted:
                self.enough.set()
        return answer

    async def takes(self, count: int) -> list[str]:
        self.wanted = count
        if len(self.got) < count:
            self.enough.clear()
            async with asyncio.timeout(DEADLINE):
                await self.enough.wait()
        return [event["detail"]["SecondaryStatus"] for event in self.got]


@pytest.fixture
async def feed() -> Feed:
    return Feed()


async def telling(feed: Feed, receiver: Receiver, place: Path) -> asyncio.Task[None]:
    task = asyncio.create_task(Telling(feed, receiver, place, SystemClock(), b"s").run())  # type: ignore[arg-type]
    async with asyncio.timeout(DEADLINE):
        while not place.exists():
            await asyncio.sleep(0.01)
    return task


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_steps_that_passed_between_two_looks_are_told_one_by_one(feed: Feed, tmp_path: Path) -> None:
    receiver = Receiver()
    task = await telling(feed, receiver, tmp_path / "p")
    await feed.put("one", job(1))
    assert await receiver.takes(1) == ["Starting"]
    await feed.put("one", job(5))
    assert await receiver.takes(5) == list(STEPS)
    await ended(task)
    assert [event["detail"]["TrainingJobStatus"] for event in receiver.got] == [*["InProgress"] * 4, "Completed"]
    assert all(receiver.signatures)


async def test_a_receiver_that_is_away_gets_all_in_order_later(feed: Feed, tmp_path: Path) -> None:
    receiver = Receiver(OSError("refused"), 503)
    task = await telling(feed, receiver, tmp_path / "p")
    await feed.put("one", job(3))
    assert await receiver.takes(3) == list(STEPS[:3])
    await ended(task)


async def test_an_event_that_is_refused_for_good_holds_up_nothing(feed: Feed, tmp_path: Path) -> None:
    receiver = Receiver(400)
    task = await telling(feed, receiver, tmp_path / "p")
    await feed.put("one", job(2))
    assert await receiver.takes(1) == ["Downloading"]
    await ended(task)


async def test_a_restart_goes_on_where_it_was(feed: Feed, tmp_path: Path) -> None:
    receiver = Receiver()
    task = await telling(feed, receiver, tmp_path / "p")
    await feed.put("one", job(2))
    await receiver.takes(2)
    async with asyncio.timeout(DEADLINE):
        while (from_plain(json.loads((tmp_path / "p").read_text())) or Progress(revision=0, since=0)).revision < 1:
            await asyncio.sleep(0.01)
    await ended(task)
    await feed.put("one", job(4))
    await feed.put("one", replace(job(4), tags=()))
    again = await telling(feed, receiver, tmp_path / "p")
    assert await receiver.takes(4) == list(STEPS[:4])
    await ended(again)
    assert len(receiver.got) == 4


async def test_what_was_before_anybody_asked_is_not_told(feed: Feed, tmp_path: Path) -> None:
    receiver = Receiver()
    task = await telling(feed, receiver, tmp_path / "p")
    await feed.put("old", job(5, start=1_000.0, uid="old"))
    await feed.put("gone", job(5, start=1_000.0, uid="gone"))
    feed.jobs.pop("gone")
    await feed.put("one", job(1))
    assert await receiver.takes(1) == ["Starting"]
    await ended(task)


def test_an_old_job_that_is_touched_again_is_not_told_again() -> None:
    progress = Progress(revision=1, since=0.0, reached=START + 10_000)
    assert list(progress.untold(job(5))) == []
    assert list(progress.untold(job(4))) == [0, 1, 2, 3]


def test_progress_survives_a_file_and_forgets_what_is_over() -> None:
    progress = Progress(revision=1, since=0.0).with_told(job(5), 2).with_told(job(1, start=START + 9_999, uid="v"), 3)
    assert set(progress.jobs) == {"v"}
    assert from_plain(json.loads(json.dumps(progress.to_plain()))) == progress
    assert from_plain({"revision": "x"}) is None
    assert from_plain(None) is None


def test_the_body_is_eventbridges() -> None:
    event = state_change(job(5), 4, SCOPE)
    assert (event["source"], event["detail-type"]) == ("aws.sagemaker", "SageMaker Training Job State Change")
    assert event["resources"] == ["arn:aws:sagemaker:eu-west-1:123456789012:training-job/one"]
    assert event["detail"]["CreationTime"] == str(int(START * 1000))
    assert event["detail"]["HyperParameters"] == {"StartTime": "5"}
    assert event["detail"]["Tags"] == {"team": "a"}
    assert event["detail"]["SecondaryStatusTransitions"][0]["StartTime"] == str(int(START * 1000))
    earlier = state_change(job(5), 2, SCOPE)["detail"]
    assert [one["Status"] for one in earlier["SecondaryStatusTransitions"]] == list(STEPS[:3])
    assert "EndTime" not in earlier["SecondaryStatusTransitions"][-1]
    assert state_change(job(5), 2, SCOPE)["id"] == state_change(job(3), 2, SCOPE)["id"]
