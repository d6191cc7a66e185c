"""The counts are those of a count made anew, whatever happened before."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trainyard.operator.census import NO_JOB, Census

STATUSES = st.fixed_dictionaries(
    {},
    optional={
        "trainingJobStatus": st.sampled_from(["InProgress", "Completed", "Failed"]),
        "conditions": st.lists(
            st.fixed_dictionaries(
                {
                    "type": st.sampled_from(["ACK.Terminal", "ACK.Recoverable", "Ready"]),
                    "status": st.sampled_from(["True", "False"]),
                }
            ),
            max_size=3,
            unique_by=lambda one: one["type"],
        ),
    },
)
KEYS = st.sampled_from(["a/1", "a/2", "b/1"])


@given(st.lists(st.tuples(KEYS, st.none() | STATUSES), max_size=30))
def test_the_counts_are_those_of_a_count_made_anew(deeds: list[tuple[str, dict[str, Any] | None]]) -> None:
    census, known = Census(), dict[str, dict[str, Any]]()
    for key, status in deeds:
        if status is None:
            census.drop(key)
            known.pop(key, None)
        else:
            census.put(key, status)
            known[key] = status
    jobs = Counter(status.get("trainingJobStatus", NO_JOB) for status in known.values())
    assert {status: count for status, count in census.jobs.items() if count} == dict(jobs)
    for kind, count in census.faults.items():
        true = {"type": kind, "status": "True"}
        assert count == sum(true in status.get("conditions", ()) for status in known.values())
