"""A list of jobs: what is asked and one line of the answer.

Apart from `model.job`, because a list is read often and needs none of the API's structures, whose import is slow.
"""

from __future__ import annotations

from dataclasses import dataclass

from trainyard.model.status import SecondaryStatus, TrainingJobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """One line of a list. Times in seconds since the epoch.

    unobserved_since: since when the run of an unfinished job cannot be observed; None while it can.
    """

    name: str
    arn: str
    status: TrainingJobStatus
    secondary: SecondaryStatus
    created_at: float
    modified_at: float
    ended_at: float | None = None
    failure_reason: str | None = None
    instance: str = ""
    image: str = ""
    unobserved_since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """ListTrainingJobs: filters, order and page. Times in seconds since the epoch, exclusive."""

    limit: int = 100
    token: str | None = None
    name_contains: str | None = None
    status: TrainingJobStatus | None = None
    created_after: float | None = None
    created_before: float | None = None
    modified_after: float | None = None
    modified_before: float | None = None
    sort_by: str = "CreationTime"  # Name | CreationTime | Status
    descending: bool = True
