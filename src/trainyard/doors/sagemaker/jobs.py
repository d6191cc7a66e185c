"""Create, describe, stop, update and delete one job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

from pydantic import ValidationError

from trainyard.awswire.calls import Call
from trainyard.awswire.reading import read
from trainyard.doors.sagemaker.requests import OneJob
from trainyard.lifecycle.admission import admit
from trainyard.model.errors import InvalidJob
from trainyard.model.keys import Scope
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.update import TrainingJobUpdate
from trainyard.ports.service import SupportsAccepting, TrainingService

ServiceOf = Callable[[Scope], TrainingService]
Members = Mapping[str, Any]


class Jobs:
    """The operations on one job."""

    def __init__(self, service_of: ServiceOf) -> None:
        self._service_of = service_of

    async def create(self, call: Call, wire: dict[str, Any]) -> Members:
        """CreateTrainingJob. The service judges what it is given; here only what is no request at all is refused."""
        service, spec = self._service_of(call.scope), _spec(wire)
        if _accepts(type(service)):
            return {"TrainingJobArn": await cast("SupportsAccepting", service).accept(spec)}
        return {"TrainingJobArn": (await service.create(spec)).description.training_job_arn}

    async def describe(self, call: Call, wire: dict[str, Any]) -> Members | bytes:
        """DescribeTrainingJob."""
        job = await self._service_of(call.scope).describe(read(OneJob, wire).training_job_name)
        try:
            return job.description.wire_json
        except ValueError:  # numbers that are texts on the wire
            return job.description.wire

    async def stop(self, call: Call, wire: dict[str, Any]) -> None:
        """StopTrainingJob."""
        await self._service_of(call.scope).stop(read(OneJob, wire).training_job_name)

    async def update(self, call: Call, wire: dict[str, Any]) -> Members:
        """UpdateTrainingJob."""
        job = await self._service_of(call.scope).update(read(TrainingJobUpdate, wire))
        return {"TrainingJobArn": job.description.training_job_arn}

    async def delete(self, call: Call, wire: dict[str, Any]) -> None:
        """DeleteTrainingJob."""
        await self._service_of(call.scope).delete(read(OneJob, wire).training_job_name)


@cache
def _accepts(service: type) -> bool:
    """Whether a kind of service has that power; to ask it of each service anew costs more than reading a request."""
    return issubclass(service, SupportsAccepting)


def _spec(wire: Members) -> TrainingJobSpec:
    """The request as it stands; its constraints are the service's to judge. Raises InvalidJob for wrong types."""
    try:
        return TrainingJobSpec.from_wire(wire)
    except (ValidationError, RecursionError):
        problems = admit(wire).problems
        raise InvalidJob(problems) from None
