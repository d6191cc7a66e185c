"""A status never grows beyond what an object may be, whatever its job and its conditions say."""

from __future__ import annotations

import json
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.operator.builders import NOW, SCOPE, a_job

from trainyard.resource.conditions import Fault, merged, told
from trainyard.resource.status import LARGEST, capped, status_of

# Letters of one, two, three and four bytes, and those that JSON writes in six.
text = st.text(st.sampled_from('a\u00e9\u4e2d\U0001f600\x00"\\\n\ud800'), max_size=8).map(lambda some: some * 1500)
short = st.sampled_from(["", "x", "\U0001f600"]).map(lambda some: some * 300)
rule = st.fixed_dictionaries(
    {"RuleConfigurationName": short, "RuleEvaluationStatus": st.just("InProgress"), "StatusDetails": text}
)
transition = st.fixed_dictionaries({"Status": short, "StartTime": st.floats(0, 1e9), "StatusMessage": text})
metric = st.fixed_dictionaries(
    {"MetricName": short, "Value": st.floats(allow_nan=True, allow_infinity=True), "Timestamp": st.floats(0, 1e9)}
)


def many(what: Any, most: int) -> st.SearchStrategy[Any]:
    """Some of a kind, repeated to many."""
    return st.tuples(st.lists(what, max_size=3), st.integers(1, most)).map(lambda pair: (pair[0] * pair[1])[:most])


@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "DebugRuleEvaluationStatuses": many(rule, 20),
            "ProfilerRuleEvaluationStatuses": many(rule, 20),
            "SecondaryStatusTransitions": many(transition, 500),
            "FinalMetricDataList": many(metric, 500),
            "FailureReason": text,
        }
    ),
    many(text, 60),
    many(text, 60),
    text,
    st.booleans(),
)
def test_a_status_is_capped_in_all(
    members: dict[str, Any], notices: list[str], drift: list[str], message: str, terminal: bool
) -> None:
    job = a_job("Failed", "Failed", notices=tuple(notices), waiting=message, **members)
    remarks = {"drift": [{"path": one, "desired": one} for one in drift], "notices": notices}
    status = status_of(job, SCOPE, at=NOW, remarks=remarks)
    conditions = told(job.description.to_wire(), Fault(message, terminal=terminal, reason=message), late=True)
    status["conditions"] = merged((), conditions, generation=1, at="2026-01-01T00:00:00Z")
    kept = capped(status)
    assert len(orjson.dumps(kept)) <= LARGEST
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept
    assert capped(kept) == kept  # what is written once is not written anew
    assert kept["trainingJobStatus"] == "Failed"
    assert [one["type"] for one in kept["conditions"]] == [one["type"] for one in status["conditions"]]


def test_an_ordinary_status_is_told_whole() -> None:
    steps = [{"Status": "Training", "StartTime": float(number), "StatusMessage": "m"} for number in range(40)]
    status = status_of(a_job(SecondaryStatusTransitions=steps), SCOPE, at=NOW)
    assert capped(status) == status
