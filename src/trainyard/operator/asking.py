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
from trainyard.ports.places import Place, Places
from trainyard.ports.service import TrainingService
from trainyard.resource.conditions import Fault

LONGEST = 60.0  # seconds for one call
T = TypeVar("T")

_STATUS = {"ValidationException": "400", "ResourceInUse": "400", "ResourceLimitExceeded": "400"}


class Asking:
    """Services, as reconciling uses them. Deeds answer None, or the fault that stopped them."""

    def __init__(self, places: Places, metrics: Metrics, guard: Callable[[], None]) -> None:
        self._places, self._metrics, self._guard = places, metrics, guard

    async def look(self, place: Place, name: str) -> Sight:
        """What can be seen of a job."""
        try:
            return Seen(await self._call(place, "READ_ONE", "DescribeTrainingJob", lambda there: there.describe(name)))
        except ResourceNotFound:
            return Missing()
        except (TrainyardError, TimeoutError, OSError) as error:
            return Unseen(fault_of(error))

    async def create(self, place: Place, spec: TrainingJobSpec) -> Job | Fault:
        """The job as it was accepted."""
        return await self._deed(place, "CREATE", "CreateTrainingJob", lambda there: there.create(spec))

    async def update(self, place: Place, update: TrainingJobUpdate) -> Job | Fault:
        """The job as it was changed."""
        return await self._deed(place, "UPDATE", "UpdateTrainingJob", lambda there: there.update(update))

    async def stop(self, place: Place, name: str) -> Fault | None:
        """Ask a job to end; one that has ended meanwhile needs no asking."""
        return await self._deed(place, "DELETE", "StopTrainingJob", lambda there: there.stop(name))

    async def retag(self, place: Place, step: Retag) -> Fault | None:
        """Put tags on and take others off."""
        name, add, remove = step.name, step.add, step.remove
        if add:
            added = await self._deed(place, "UPDATE", "AddTags", lambda there: there.add_tags(name, add))
            if isinstance(added, Fault):
                return added
        if not remove:
            return None
        return await self._deed(place, "UPDATE", "DeleteTags", lambda there: there.delete_tags(name, remove))

    async def _deed(
        self, place: Place, kind: str, operation: str, call: Callable[[TrainingService], Awaitable[T]]
    ) -> T | Fault:
        self._guard()
        crashpoint(f"operator-before-{operation}")
        try:
            answer = await self._call(place, kind, operation, call)
        except (TrainyardError, TimeoutError, OSError) as error:
            return fault_of(error)
        crashpoint(f"operator-after-{operation}")
        return answer

    async def _call(
        self, place: Place, kind: str, operation: str, call: Callable[[TrainingService], Awaitable[T]]
    ) -> T:
        self._metrics.called(kind, operation)
        try:
            async with asyncio.timeout(LONGEST):
                return await call(await self._places.service(place))
        except ServiceError as error:
            self._metrics.failed(operation, _STATUS.get(error.code, "500"))
            raise
        except (TrainyardError, TimeoutError, OSError):
            self._metrics.failed(operation, "503")
            raise
