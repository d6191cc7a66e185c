"""ListTrainingJobs, with the service's habits."""

from __future__ import annotations

from typing import Any

from trainyard.awswire.calls import Call
from trainyard.awswire.reading import moment, read
from trainyard.doors.sagemaker.jobs import Members, ServiceOf
from trainyard.doors.sagemaker.requests import ListTrainingJobs
from trainyard.model.description import TrainingJobDescription
from trainyard.model.job import Condition, SearchQuery
from trainyard.model.listing import JobSummary, ListQuery
from trainyard.model.status import TrainingJobStatus

DEFAULT_PAGE = 10


class Listing:
    """The operation."""

    def __init__(self, service_of: ServiceOf) -> None:
        self._service_of = service_of

    async def list(self, call: Call, wire: dict[str, Any]) -> Members:
        """One page.

        With MaxResults and StatusEquals together the page is cut first and filtered afterwards, as the service
        documents it: pages may be short or empty while there is a next one.
        """
        request = read(ListTrainingJobs, wire)
        service = self._service_of(call.scope)
        if request.warm_pool_status_equals is not None or request.training_plan_arn_equals is not None:
            found = await service.search(_by_members(request))
            return _told([_summary_of(job.description) for job in found.items], found.token)
        cut_first = request.max_results is not None and request.status_equals is not None
        page = await service.list(_query(request, by_status=not cut_first))
        shown = [job for job in page.items if not cut_first or job.status == request.status_equals]
        return _told([_summary(job) for job in shown], page.token)


def _query(request: ListTrainingJobs, *, by_status: bool) -> ListQuery:
    status = TrainingJobStatus(request.status_equals) if by_status and request.status_equals else None
    return ListQuery(
        limit=request.max_results or DEFAULT_PAGE, token=request.next_token, name_contains=request.name_contains,
        status=status, created_after=moment(request.creation_time_after),
        created_before=moment(request.creation_time_before),
        modified_after=moment(request.last_modified_time_after),
        modified_before=moment(request.last_modified_time_before),
        sort_by=request.sort_by or "CreationTime", descending=_descending(request),
    )  # fmt: skip


def _by_members(request: ListTrainingJobs) -> SearchQuery:
    """The same as a search, for what no store keeps a column of."""
    by_status = request.status_equals if request.max_results is None else None
    asked = (
        ("WarmPoolStatus.Status", "Equals", request.warm_pool_status_equals),
        ("ResourceConfig.TrainingPlanArn", "Equals", request.training_plan_arn_equals),
        ("TrainingJobName", "Contains", request.name_contains),
        ("TrainingJobStatus", "Equals", by_status),
        ("CreationTime", "GreaterThan", moment(request.creation_time_after)),
        ("CreationTime", "LessThan", moment(request.creation_time_before)),
        ("LastModifiedTime", "GreaterThan", moment(request.last_modified_time_after)),
        ("LastModifiedTime", "LessThan", moment(request.last_modified_time_before)),
    )
    given = (Condition(name=name, operator=how, value=str(value)) for name, how, value in asked if value is not None)
    return SearchQuery(
        conditions=tuple(given),
        limit=request.max_results or DEFAULT_PAGE, token=request.next_token,
        sort_by=_PROPERTIES[request.sort_by or "CreationTime"], descending=_descending(request),
    )  # fmt: skip


_PROPERTIES = {"Name": "TrainingJobName", "CreationTime": "CreationTime", "Status": "TrainingJobStatus"}


def _descending(request: ListTrainingJobs) -> bool:
    """Newest first where no order is named, as the service does; ascending, as it documents, by a key alone."""
    return request.sort_order == "Descending" if request.sort_order else request.sort_by is None


def _summary(job: JobSummary) -> Members:
    ended = {} if job.ended_at is None else {"TrainingEndTime": job.ended_at}
    return {
        "TrainingJobName": job.name,
        "TrainingJobArn": job.arn,
        "CreationTime": job.created_at,
        **ended,
        "LastModifiedTime": job.modified_at,
        "TrainingJobStatus": str(job.status),
        "SecondaryStatus": str(job.secondary),
    }


def _summary_of(description: TrainingJobDescription) -> Members:
    told = description.to_wire()
    return {name: told[name] for name in _SUMMARY if name in told}


_SUMMARY = (
    "TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingEndTime", "LastModifiedTime", "TrainingJobStatus",
    "SecondaryStatus", "WarmPoolStatus",
)  # fmt: skip


def _told(summaries: list[Members], token: str | None) -> Members:
    return {"TrainingJobSummaries": summaries, **({} if token is None else {"NextToken": token})}
