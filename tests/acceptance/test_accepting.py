"""An accepted job is never lost: whoever takes jobs is killed at any moment, again and again, over one home."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from trainyard.model.ledger import Change
from trainyard.model.spec import TrainingJobSpec
from trainyard.stores.sqlite.database import Database
from trainyard.stores.sqlite.ledger import SqliteLedger
from trainyard.stores.sqlite.store import SqliteJobStore
from trainyard.wiring.home import Home
from trainyard.wiring.leadership import Leadership
from trainyard.wiring.session import open_session

CALLERS = 16
MOST_LINES = 300  # acknowledged before the kill
OPENING = 1.0  # seconds within which a process is killed that has not acknowledged anything yet
MOMENT = 0.05  # seconds within which one is killed after enough lines


def request(name: str) -> TrainingJobSpec:
    return TrainingJobSpec.from_wire(
        {
            "TrainingJobName": name,
            "RoleArn": "arn:aws:iam::123456789012:role/trainer",
            "AlgorithmSpecification": {
                "TrainingImage": "local/python",
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["/bin/true"],
            },
            "OutputDataConfig": {"S3OutputPath": "s3://out/models"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        }
    )


async def accept_for_ever(home: str, prefix: str) -> None:
    """Accept jobs and print the name of each one that was acknowledged, until killed."""
    numbers = itertools.count()
    async with open_session(home) as session:

        async def caller() -> None:
            for number in numbers:
                accepted = await session.service.create(request(f"{prefix}-{number}"))
                os.write(1, f"{accepted.description.training_job_name}\n".encode())

        await asyncio.gather(*(caller() for _ in range(CALLERS)))


def acknowledged_until_killed(home: Path, prefix: str, dice: random.Random) -> list[str]:
    """What a process acknowledged before it was killed: while it opened the home, or in the midst of its work."""
    command = [sys.executable, __file__, str(home), prefix]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        enough = dice.choice([0, dice.randint(1, MOST_LINES), dice.randint(1, MOST_LINES)])
        lines = [child.stdout.readline() for _ in range(enough)]
        time.sleep(dice.uniform(0, MOMENT if enough else OPENING))  # the moment of the kill is what is random here
        os.kill(child.pid, signal.SIGKILL)
        lines += [line for line in child.stdout if line.endswith("\n")]
    assert child.returncode == -signal.SIGKILL
    return [line.strip() for line in lines]


async def assert_all_are_there(home: Home, acknowledged: list[str]) -> None:
    """Each once, with its event; and whatever else is there is whole too."""
    with closing(Database(home.database)) as database:
        store, ledger = SqliteJobStore(database), SqliteLedger(database)
        records = await store.records()
        assert set(acknowledged) <= {record.key.name for record in records}
        assert len({record.uid for record in records}) == len({record.key for record in records}) == len(records)
        assert Counter(change.name for change in await _all_news(store)) == {one.key.name: 1 for one in records}
        for record in records:
            told = [event.reason for event in (await ledger.events(record.uid)).items]
            assert told.count("Accepted") == 1, record.key


async def _all_news(store: SqliteJobStore) -> list[Change]:
    found: list[Change] = []
    position = 0
    while news := await store.news(position):
        found += news
        position = news[-1].revision
    return found


def kill_and_look(path: Path, kills: int, seed: int) -> None:
    """Kill so many processes over one home. Somebody leads it who places nothing, so that no job is started."""
    dice = random.Random(seed)
    home = Home.open(str(path))
    leader = Leadership(home)
    assert leader.try_lead()
    acknowledged: list[str] = []
    try:
        for kill in range(kills):
            acknowledged += acknowledged_until_killed(path, f"r{kill}", dice)
            with closing(sqlite3.connect(home.database)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        asyncio.run(assert_all_are_there(home, acknowledged))
    finally:
        leader.leave()
    assert len(set(acknowledged)) == len(acknowledged) > kills


def test_no_acknowledged_job_is_lost_over_three_kills(tmp_path: Path) -> None:
    kill_and_look(tmp_path / "home", kills=3, seed=3)


if __name__ == "__main__":
    asyncio.run(accept_for_ever(*sys.argv[1:]))
