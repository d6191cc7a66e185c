"""A Trainyard that is driven from another process through its control socket, and killed while it is."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trainyard.model.errors import Transient
from trainyard.model.keys import Scope
from trainyard.model.ledger import Change
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import TrainingJobStatus
from trainyard.remote.connection import Address, Connection
from trainyard.remote.service import RemoteService

DEADLINE = 60.0
HERE = Scope("000000000000", "us-east-1")


@contextmanager
def server(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    argv = [str(Path(sys.executable).with_name("trainyard")), "serve"]
    process = subprocess.Popen(argv, env={**os.environ, "TRAINYARD_HOME": str(home)}, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def answering(service: RemoteService) -> int:
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                return await service.revision()
            except Transient:
                await asyncio.sleep(0.05)


async def final(service: RemoteService, name: str) -> str:
    async with asyncio.timeout(DEADLINE):
        while True:
            status = (await service.describe(name)).description.training_job_status
            if TrainingJobStatus(status).is_final:
                return str(status)
            await asyncio.sleep(0.05)


async def drained(following: AsyncIterator[Change]) -> None:
    async for _ in following:
        pass


def job(name: str, script: str) -> TrainingJobSpec:
    return TrainingJobSpec.from_wire(
        {
            "TrainingJobName": name,
            "RoleArn": "arn:aws:iam::123456789012:role/trainer",
            "AlgorithmSpecification": {
                "TrainingImage": "shell",
                "TrainingInputMode": "File",
                "ContainerArguments": ["-c", script],
            },
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        }
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "trainyard.toml").write_text('[images.shell]\ncommand = ["/bin/sh"]\n')
    return home


async def test_a_job_outlives_the_server_that_took_it_and_its_next_server_tells_of_it(home: Path) -> None:
    gate = home / "gate"
    async with Connection(Address(socket=home / "control.sock")) as connection:
        service = RemoteService(HERE, connection)
        with server(home):
            since = await answering(service)
            following = service.changes(since)
            await service.create(job("one", f"while [ ! -e {gate} ]; do sleep 0.05; done"))
            assert (await anext(following)).name == "one"
            async with asyncio.timeout(DEADLINE):
                while (await service.describe("one")).description.secondary_status != "Training":
                    await asyncio.sleep(0.05)
        with pytest.raises(Transient):
            await drained(following)
        gate.touch()
        with server(home):
            await answering(service)
            assert await final(service, "one") == "Completed"


async def test_a_drained_server_ends_the_streams_that_hang_on_it(home: Path) -> None:
    async with Connection(Address(socket=home / "control.sock")) as connection:
        service = RemoteService(HERE, connection)
        with server(home) as process:
            following = service.changes(await answering(service))
            waiting = asyncio.ensure_future(anext(following))
            await asyncio.sleep(0)
            process.terminate()
            with pytest.raises(Transient):
                await asyncio.wait_for(waiting, DEADLINE)
            assert await asyncio.to_thread(process.wait, DEADLINE) == 0
