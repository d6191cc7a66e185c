"""What may be asked of a list and of a search: the API's own limits, told in its words and all at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from trainyard.lifecycle.admission.findings import Findings
from trainyard.lifecycle.admission.members import Inspection
from trainyard.lifecycle.admission.words import validation_message
from trainyard.model.errors import ValidationRefused
from trainyard.model.job import ListQuery, SearchQuery
from trainyard.model.shapes import Items, Number, OneOf, Structure, Text

LARGEST_PAGE = 1000  # the API gives at most 100 at once; our own commands ask for more
OPERATORS = (
    "Equals", "NotEquals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo", "Contains",
    "Exists", "NotExists", "In",
)  # fmt: skip


class ListTrainingJobs(Structure):
    """The members of a ListTrainingJobs request that can be wrong once they have their types."""

    next_token: Annotated[str, Text(max=8192)] | None = Field(None, alias="NextToken")
    max_results: Annotated[int, Number(min=1, max=LARGEST_PAGE)] | None = Field(None, alias="MaxResults")
    name_contains: Annotated[str, Text(max=63, pattern=r"[a-zA-Z0-9\-]+")] | None = Field(None, alias="NameContains")
    sort_by: Annotated[str, OneOf(("Name", "CreationTime", "Status"))] | None = Field(None, alias="SortBy")


class Filter(Structure):
    """One condition of a search."""

    name: Annotated[str, Text(min=1, max=255, pattern=r".+")] = Field(alias="Name")
    operator: Annotated[str, OneOf(OPERATORS)] | None = Field(None, alias="Operator")
    value: Annotated[str, Text(min=1, max=1024, pattern=r".+")] | None = Field(None, alias="Value")


class SearchExpression(Structure):
    """The conditions of a search, all of which hold."""

    filters: Annotated[tuple[Filter, ...], Items(min=0, max=20)] | None = Field(None, alias="Filters")


class Search(Structure):
    """The members of a Search request."""

    search_expression: SearchExpression | None = Field(None, alias="SearchExpression")
    sort_by: Annotated[str, Text(min=1, max=255, pattern=r".+")] | None = Field(None, alias="SortBy")
    next_token: Annotated[str, Text(max=8192)] | None = Field(None, alias="NextToken")
    max_results: Annotated[int, Number(min=1, max=LARGEST_PAGE)] | None = Field(None, alias="MaxResults")


def check_list(query: ListQuery) -> None:
    """Raises ValidationRefused with everything that is wrong with a query."""
    wire = {
        "NextToken": query.token, "MaxResults": query.limit, "NameContains": query.name_contains,
        "SortBy": query.sort_by,
    }  # fmt: skip
    _check(wire, ListTrainingJobs)


def check_search(query: SearchQuery) -> None:
    """Raises ValidationRefused with everything that is wrong with a query."""
    filters = [{"Name": one.name, "Operator": one.operator, "Value": one.value} for one in query.conditions]
    wire = {
        "SearchExpression": {"Filters": filters}, "SortBy": query.sort_by, "NextToken": query.token,
        "MaxResults": query.limit,
    }  # fmt: skip
    _check(wire, Search)


def _check(wire: Mapping[str, Any], structure: type[Structure]) -> None:
    found = Findings()
    Inspection(found, local=False).structure(wire, structure, ())
    if found.is_refusal:
        raise ValidationRefused(validation_message(found.problems()))
