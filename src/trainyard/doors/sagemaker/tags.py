"""Tags of training jobs, by their ARNs."""

from __future__ import annotations

from typing import Any

from trainyard.awswire.calls import Call
from trainyard.awswire.reading import read
from trainyard.doors.sagemaker.jobs import Members, ServiceOf
from trainyard.doors.sagemaker.requests import AddTags, DeleteTags, ListTags
from trainyard.model.arn import training_job_name
from trainyard.model.errors import ResourceNotFound, ValidationRefused
from trainyard.model.listing import ListQuery
from trainyard.ports.service import TrainingService


class Tagging:
    """AddTags, ListTags, DeleteTags."""

    def __init__(self, service_of: ServiceOf) -> None:
        self._service_of = service_of

    async def add(self, call: Call, wire: dict[str, Any]) -> Members:
        """AddTags; answers with all tags that the job has then."""
        request = read(AddTags, wire)
        service = self._service_of(call.scope)
        name = await _named(service, request.resource_arn)
        return _told(await service.add_tags(name, [(tag.key, tag.value) for tag in request.tags]))

    async def list(self, call: Call, wire: dict[str, Any]) -> Members:
        """ListTags. A job has 50 tags at most, and no page is smaller: there is one page."""
        request = read(ListTags, wire)
        if request.next_token is not None:
            raise ValidationRefused("The pagination token is invalid.")
        service = self._service_of(call.scope)
        job = await service.describe(await _named(service, request.resource_arn))
        return _told(job.tags)

    async def delete(self, call: Call, wire: dict[str, Any]) -> Members:
        """DeleteTags."""
        request = read(DeleteTags, wire)
        service = self._service_of(call.scope)
        await service.delete_tags(await _named(service, request.resource_arn), request.tag_keys)
        return {}


def _told(tags: tuple[tuple[str, str], ...]) -> Members:
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags]}


async def _named(service: TrainingService, arn: str) -> str:
    """The name of the job that an ARN means: the ARN itself has it in lower case."""
    lowered = training_job_name(arn)
    region, account = arn.split(":")[3:5]
    if lowered is None:
        raise ValidationRefused(f"Only training jobs have tags here, and {arn} is none.")
    if (account, region) != (service.scope.account, service.scope.region):
        raise ResourceNotFound("Requested resource not found.")
    return await job_named(service, lowered)


async def job_named(service: TrainingService, lowered: str) -> str:
    """A job's name as it was created, from the one in lower case. Raises ResourceNotFound."""
    token = None
    while True:
        page = await service.list(ListQuery(name_contains=lowered, sort_by="Name", descending=False, token=token))
        for job in page.items:
            if job.name.lower() == lowered.lower():
                return job.name
        token = page.token
        if token is None:
            raise ResourceNotFound("Requested resource not found.")
