"""A real service and engine over records in memory; only its runs are made by the test."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.fakes.runtime import FakeRuntime

from trainyard.agent.metrics import Re2Scanners
from trainyard.kit.clock import SystemClock
from trainyard.model.keys import JobKey, RunKey, Scope
from trainyard.model.observation import Ending, Milestone
from trainyard.model.record import JobRecord
from trainyard.model.resources import Resources
from trainyard.stores.memory.ledger import MemoryLedger
from trainyard.stores.memory.shelf import Shelf
from trainyard.stores.memory.store import MemoryJobStore
from trainyard.yard.engine import Engine, Yard
from trainyard.yard.preflight import Preflight
from trainyard.yard.scanning import Scanning
from trainyard.yard.service import YardService

SCOPE = Scope("123456789012", "us-west-2")
_PATIENCE = 20.0  # seconds


class Everything:
    """An object store in which there is something under every prefix."""

    async def list(self, uri: str) -> AsyncIterator[str]:
        """One object."""
        yield uri

    def place_of(self, uri: str) -> str:
        """Nowhere in particular."""
        return uri


@dataclass
class TestYard:
    """A service whose jobs go as far as the test says."""

    __test__ = False
    service: YardService
    engine: Engine
    runtime: FakeRuntime
    yard: Yard

    async def record(self, name: str) -> JobRecord:
        """The record of a job."""
        found = await self.yard.jobs.get(JobKey(SCOPE.account, SCOPE.region, name))
        assert found is not None
        return found

    async def launched(self, name: str) -> None:
        """Wait until a job is there and its run was launched."""
        async with asyncio.timeout(_PATIENCE):
            while True:
                found = await self.yard.jobs.get(JobKey(SCOPE.account, SCOPE.region, name))
                if found is not None and found.run in self.runtime.runs:
                    return
                await asyncio.sleep(0.005)

    async def reach(self, name: str, *milestones: Milestone) -> None:
        """Let a job that was launched pass milestones."""
        record = await self.record(name)
        self.runtime.reach(record.run, *milestones)
        self.engine.wake(record.key)

    async def end(self, name: str, ending: Ending = Ending.COMPLETED, **members: object) -> None:
        """Let a job that was launched end."""
        record = await self.record(name)
        self.runtime.end(record.run, ending, **members)
        self.engine.wake(record.key)

    def runs_of(self, uid: str) -> list[RunKey]:
        """Every launch of a job."""
        return [key for key in self.runtime.launches if key.job_uid == uid]


def a_yard() -> TestYard:
    """A service over an empty memory."""
    clock: Any = SystemClock()
    shelf = Shelf()
    runtime = FakeRuntime(clock, room=Resources(cpus=100_000))
    yard = Yard(jobs=MemoryJobStore(shelf), ledger=MemoryLedger(shelf), runtime=runtime, clock=clock)
    scanners: Any = Re2Scanners()
    objects: Any = Everything()
    preflight = Preflight(objects=lambda _spec: objects, runtime=runtime, scanners=scanners, region=SCOPE.region)
    numbers = itertools.count(1)
    service = YardService(SCOPE, yard, preflight, new_uid=lambda: f"{next(numbers):032x}")
    return TestYard(service, Engine(yard, Scanning(yard.ledger, runtime, scanners, clock)), runtime, yard)


@asynccontextmanager
async def a_running_yard() -> AsyncIterator[TestYard]:
    """A service whose engine runs."""
    made = a_yard()
    async with made.engine.running():
        yield made
