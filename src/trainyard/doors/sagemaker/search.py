"""Search over training jobs, the one resource that is here."""

from __future__ import annotations

from typing import Any

from trainyard.awswire.calls import Call, Refusal
from trainyard.awswire.reading import read
from trainyard.doors.sagemaker.jobs import Members, ServiceOf
from trainyard.doors.sagemaker.requests import Filter, Search, SearchExpression
from trainyard.model.description import TrainingJobDescription
from trainyard.model.errors import ValidationRefused
from trainyard.model.job import Condition, Expression, Job, Nested, SearchQuery

DEFAULT_PAGE = 100
MOST_CONDITIONS = 50
DEEPEST = 50  # levels of expressions; so many conditions need no more
_UNTOLD = frozenset(
    {
        "InfraCheckConfig", "RemoteDebugConfig", "ProfilerRuleConfigurations", "ProfilerRuleEvaluationStatuses",
        "ProfilingStatus", "ServerlessJobConfig", "MlflowConfig", "MlflowDetails", "ProgressInfo",
        "BillableTokenCount",
    }
)  # fmt: skip
"""What DescribeTrainingJob tells and a search's result does not."""


class Searching:
    """The operation."""

    def __init__(self, service_of: ServiceOf) -> None:
        self._service_of = service_of

    async def search(self, call: Call, wire: dict[str, Any]) -> Members:
        """One page. Other resources than training jobs have nothing here, and searching them says so."""
        _refuse_deep(wire.get("SearchExpression"))
        request = read(Search, wire)
        if request.resource != "TrainingJob":
            raise ValidationRefused(f"Only training jobs are searched here; there is no {request.resource}.")
        if request.cross_account_filter_option == "CrossAccount" or request.visibility_conditions:
            raise ValidationRefused("Resources are not shared across accounts here; leave out what asks for them.")
        expression = _expression(request.search_expression)
        if expression is not None and _count(expression) > MOST_CONDITIONS:
            raise ValidationRefused(f"A search expression may have {MOST_CONDITIONS} conditions at most.")
        page = await self._service_of(call.scope).search(
            SearchQuery(
                expression=expression,
                limit=request.max_results or DEFAULT_PAGE,
                token=request.next_token,
                sort_by=request.sort_by or "LastModifiedTime",
                descending=request.sort_order != "Ascending",
            )
        )
        answer: dict[str, Any] = {"Results": [{"TrainingJob": _told(job)} for job in page.items]}
        if page.token is not None:
            answer["NextToken"] = page.token
        is_all = request.next_token is None and page.token is None
        hits = len(page.items) + (page.token is not None)  # a next page holds one more at least
        answer["TotalHits"] = {"Value": hits, "Relation": "EqualTo" if is_all else "GreaterThanOrEqualTo"}
        return answer


def _refuse_deep(expression: Any, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise Refusal("ValidationException", f"A search expression may be nested {DEEPEST} levels deep at most.")
    parts = expression.get("SubExpressions") if isinstance(expression, dict) else None
    for part in parts if isinstance(parts, list) else ():
        _refuse_deep(part, depth + 1)


def _expression(given: SearchExpression | None) -> Expression | None:
    if given is None:
        return None
    parts = (_expression(part) for part in given.sub_expressions or ())
    return Expression(
        conditions=_conditions(given.filters or ()),
        nested=tuple(
            Nested(path=one.nested_property_name, conditions=_conditions(one.filters))
            for one in given.nested_filters or ()
        ),
        parts=tuple(part for part in parts if part is not None),
        any_of=given.operator == "Or",
    )


def _conditions(filters: tuple[Filter, ...]) -> tuple[Condition, ...]:
    return tuple(Condition(name=one.name, operator=_operator(one), value=one.value) for one in filters)


def _operator(one: Filter) -> str:
    """Without an operator a value must be equal; without a value either, the property must be there."""
    operator = one.operator or ("Exists" if one.value is None else "Equals")
    if (one.value is None) != (operator in ("Exists", "NotExists")):
        needs = "no value" if operator in ("Exists", "NotExists") else "a value"
        raise ValidationRefused(f"The operator {operator} of the filter on {one.name} takes {needs}.")
    return operator


def _count(expression: Expression) -> int:
    nested = sum(len(one.conditions) for one in expression.nested)
    return len(expression.conditions) + nested + sum(_count(part) for part in expression.parts)


def _told(job: Job) -> Members:
    description: TrainingJobDescription = job.description
    told = {name: value for name, value in description.to_wire().items() if name not in _UNTOLD}
    return {**told, "Tags": [{"Key": key, "Value": value} for key, value in job.tags]}
