"""Our questions as the API's requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainyard.model.job import Condition, Expression, ListQuery, SearchQuery

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
    asked = Expression(conditions=query.conditions, parts=() if query.expression is None else (query.expression,))
    return _given(
        {
            "Resource": "TrainingJob",
            "SearchExpression": _expression(asked) or None,
            "SortBy": query.sort_by,
            "SortOrder": _order(descending=query.descending),
            "MaxResults": min(query.limit, LARGEST_PAGE),
            "NextToken": query.token,
        }
    )


def _expression(asked: Expression) -> dict[str, Any]:
    nested = [
        {"NestedPropertyName": one.path, "Filters": [_filter(condition) for condition in one.conditions]}
        for one in asked.nested
    ]
    members = {
        "Filters": [_filter(condition) for condition in asked.conditions],
        "NestedFilters": nested,
        "SubExpressions": [_expression(part) for part in asked.parts],
        "Operator": "Or" if asked.any_of else None,
    }
    return {name: value for name, value in members.items() if value}


def _filter(condition: Condition) -> dict[str, Any]:
    return _given({"Name": condition.name, "Operator": condition.operator, "Value": condition.value})


def tags_of(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as the API writes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _order(*, descending: bool) -> str:
    return "Descending" if descending else "Ascending"


def _given(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if value is not None}
