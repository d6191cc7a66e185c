"""kill -9 while a program asks its AWS services: its address stays, a new leader answers there, and nothing is lost.

The program is stock boto3 with the retries that it has by itself. It writes down every call: how long it took, how
often the client asked again, and what failed. Oracles: no call failed; where leaders alone die, no call was asked more
than twice; every object that was said to be written is there, whole.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.acceptance.test_unbreakable import (
    _alive,
    _carrying,
    _processes,
    command,
    leaders,
    log_lines,
    manifest,
    status,
    until,
)

from trainyard.objects.buckets import Buckets, Route

pytestmark = pytest.mark.chaos
SECONDS = 12  # that the program asks for
PROGRAM = """
import boto3, os, sys, time
s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
job, number, end = os.environ["TRAINING_JOB_NAME"], 0, time.monotonic() + float(sys.argv[1])
def timed(name, call):
    begin = time.monotonic()
    try:
        retries = call()["ResponseMetadata"]["RetryAttempts"]
        fault = "-"
    except Exception as error:
        retries, fault = -1, repr(error).replace(" ", "_")
    print(name, number, retries, round(time.monotonic() - begin, 3), fault, flush=True)
while time.monotonic() < end:
    timed("put", lambda: s3.put_object(Bucket="out", Key=f"n/{number:05}", Body=str(number).encode() * 1000))
    timed("ask", lambda: sagemaker.describe_training_job(TrainingJobName=job))
    number += 1
    time.sleep(0.02)
"""


@dataclass
class Asking:
    """One job that asks. dice: when who dies."""

    home: Path
    folder: Path
    dice: random.Random

    def begin(self, **spec: object) -> None:
        script = self.folder / "asking.py"
        script.write_text(PROGRAM)
        file = manifest(self.folder, "asking", sys.executable, str(script), str(SECONDS), **spec)
        command(self.home, "run", "--detach", file, MARK=str(self.folder))
        until(lambda: len(self.calls()) > 3)

    def calls(self) -> list[list[str]]:
        return [line for line in log_lines(self.home) if len(line) == 5]

    def victims(self) -> list[int]:
        names = ("supervisor.json", "carrier.json")
        found = (_alive(self.home, name) for name in names)
        return [*leaders(self.home), *(int(str(who["pid"])) for who in found if who is not None)]

    def kill_until_the_end(self, victims: Callable[[], list[int]], *, at_once: int) -> int:
        """So many one after the other, then none until a call was answered; how many in all."""
        killed = 0
        while not self._is_over():
            for _ in range(self.dice.randint(1, at_once)):
                time.sleep(self.dice.uniform(0.0, 0.8))  # the moment of the kill is what is random here
                them = victims()
                if them and not self._is_over():
                    killed += 1
                    with suppress(ProcessLookupError):
                        os.kill(self.dice.choice(them), signal.SIGKILL)
            if at_once > 1:
                command(self.home, "list")  # nobody may be left who could
            answered = len(self.calls())
            until(lambda answered=answered: len(self.calls()) > answered + 1 or self._is_over())
        return killed

    def _is_over(self) -> bool:
        return any((self.home / "attempts").glob("*/*/exit.json"))

    def written(self) -> dict[str, int]:
        async def listed() -> dict[str, int]:
            with closing(Buckets({}, Route(embedded=str(self.home / "s3")))) as buckets:
                return {info.uri: info.size async for info in buckets.list("s3://out/n/")}

        return asyncio.run(listed())


@pytest.fixture
def asking(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Asking]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    yield Asking(home, tmp_path, random.Random(request.node.name))
    until(lambda: not _carrying(str(tmp_path)) and not _processes(str(tmp_path)))


def assert_nothing_was_lost(asking: Asking, retries: int) -> None:
    until(lambda: status(asking.home, "asking") == "Completed")
    calls = asking.calls()
    assert [call for call in calls if call[4] != "-"] == []
    assert [call for call in calls if int(call[2]) > retries] == []
    puts = [int(call[1]) for call in calls if call[0] == "put"]
    assert puts == list(range(len(puts)))
    assert asking.written() == {f"s3://out/n/{number:05}": len(str(number)) * 1000 for number in puts}


PRIVATE = (
    '[networks.p]\nsubnets = ["subnet-1"]\nsecurity_groups = ["sg-1"]\naccess = "peers"\npeers = ["127.0.0.1:9"]\n'
)
VPC = {"VpcConfig": {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}


@pytest.mark.parametrize("seed", range(4))
def test_leaders_die_and_a_client_sees_a_retry_at_most(asking: Asking, seed: int) -> None:
    asking.begin()
    assert asking.kill_until_the_end(lambda: leaders(asking.home), at_once=1) > 1
    assert_nothing_was_lost(asking, retries=1)


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_whoever_dies_no_call_fails(asking: Asking, seed: int, *, private: bool) -> None:
    (asking.home / "trainyard.toml").write_text(PRIVATE)
    asking.begin(Environment={"AWS_MAX_ATTEMPTS": "10"}, **(VPC if private else {}))  # three may die in one call
    assert asking.kill_until_the_end(asking.victims, at_once=3) > 1
    assert_nothing_was_lost(asking, retries=9)
