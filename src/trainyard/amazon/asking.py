"""Our questions as the API's requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainyard.model.job import ListQuery, SearchQuery

LARGEST_PAGE = 100


def list_request(query: ListQuery, *, limit: int, token: str | None) -> dict[str, Any]:
    """ListTrainingJobs of one page; times in seconds since the epoch are taken as they are."""
    request: dict[str, Any] = {
        "MaxResults": min(limit, LARGEST_PAGE),
        "SortBy": query.sort_by,
        "SortOrder": _order(descending=query.descending),
        "NameContains": query.name_contains,
        "StatusEquals": str(query.status) if query.status else None,
        "CreationTimeAfter": query.created_after,
        "CreationTimeBefore": query.created_before,
        "LastModifiedTimeAfter": query.modified_after,
        "LastModifiedTimeBefore": query.modified_before,
        "NextToken": token,
    }
    return _given(request)


def search_request(query: SearchQuery) -> dict[str, Any]:
    """Search over training jobs, of one page."""
    filters = [
        _given({"Name": one.name, "Operator": one.operator, "Value": one.value}) for one in query.conditions
    ]  # fmt: skip
    return _given(
        {
            "Resource": "TrainingJob",
            "SearchExpression": {"Filters": filters} if filters else None,
            "SortBy": query.sort_by,
            "SortOrder": _order(descending=query.descending),
            "MaxResults": min(query.limit, LARGEST_PAGE),
            "NextToken": query.token,
        }
    )


def tags_of(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as the API writes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _order(*, descending: bool) -> str:
    return "Descending" if descending else "Ascending"


def _given(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if value is not None}
