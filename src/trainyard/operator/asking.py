"""Calls of the service, each with a limit of time, counted, and answered as the rules want to hear it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from trainyard.kit.crashpoint import crashpoint
from trainyard.model.errors import ResourceNotFound, ServiceError, TrainyardError
from trainyard.model.job import Job
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.update import TrainingJobUpdate
from trainyard.operator.case import Missing, Seen, Sight, Unseen
from trainyard.operator.faults import fault_of
from trainyard.operator.metrics import Metrics
from trainyard.operator.steps import Retag
from trainyard.ports.service import TrainingService
from trainyard.resource.conditions import Fault

LONGEST = 60.0  # seconds for one call
T = TypeVar("T")

_STATUS = {"ValidationException": "400", "ResourceInUse": "400", "ResourceLimitExceeded": "400"}


class Asking:
    """A service, as reconciling uses it. Deeds answer None, or the fault that stopped them."""

    def __init__(self, service: TrainingService, metrics: Metrics, guard: Callable[[], None]) -> None:
        self._service, self._metrics, self._guard = service, metrics, guard

    async def look(self, name: str) -> Sight:
        """What can be seen of a job."""
        try:
            return Seen(await self._call("READ_ONE", "DescribeTrainingJob", self._service.describe(name)))
        except ResourceNotFound:
            return Missing()
        except (TrainyardError, TimeoutError, OSError) as error:
            return Unseen(fault_of(error))

    async def create(self, spec: TrainingJobSpec) -> Job | Fault:
        """The job as it was accepted."""
        return await self._deed("CREATE", "CreateTrainingJob", lambda: self._service.create(spec))

    async def update(self, update: TrainingJobUpdate) -> Job | Fault:
        """The job as it was changed."""
        return await self._deed("UPDATE", "UpdateTrainingJob", lambda: self._service.update(update))

    async def stop(self, name: str) -> Fault | None:
        """Ask a job to end; one that has ended meanwhile needs no asking."""
        return await self._deed("DELETE", "StopTrainingJob", lambda: self._service.stop(name))

    async def retag(self, step: Retag) -> Fault | None:
        """Put tags on and take others off."""
        found: Fault | None = None
        if step.add:
            added = await self._deed("UPDATE", "AddTags", lambda: self._service.add_tags(step.name, step.add))
            found = added if isinstance(added, Fault) else None
        if step.remove and found is None:
            found = await self._deed("UPDATE", "DeleteTags", lambda: self._service.delete_tags(step.name, step.remove))
        return found

    async def _deed(self, kind: str, operation: str, call: Callable[[], Awaitable[T]]) -> T | Fault:
        self._guard()
        crashpoint(f"operator-before-{operation}")
        try:
            answer = await self._call(kind, operation, call())
        except (TrainyardError, TimeoutError, OSError) as error:
            return fault_of(error)
        crashpoint(f"operator-after-{operation}")
        return answer

    async def _call(self, kind: str, operation: str, call: Awaitable[T]) -> T:
        self._metrics.called(kind, operation)
        try:
            async with asyncio.timeout(LONGEST):
                return await call
        except ServiceError as error:
            self._metrics.failed(operation, _STATUS.get(error.code, "500"))
            raise
        except (TrainyardError, TimeoutError, OSError):
            self._metrics.failed(operation, "503")
            raise
