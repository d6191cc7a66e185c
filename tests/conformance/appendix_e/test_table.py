"""The table is whole, and it tells the truth about what runs."""

from __future__ import annotations

import pytest
from tests.conformance.appendix_e.table import CASES, Case
from tests.marked import marked


def test_all_92_cases_are_listed_once() -> None:
    assert [case.number for case in CASES] == list(range(1, 93))


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.number))
def test_a_case_runs_or_says_what_it_waits_for(case: Case) -> None:
    runs = marked("case").get(case.number, ())
    assert runs or case.later, f"no test carries @pytest.mark.case({case.number}): {case.words}"
    if case.later is not None:
        assert not case.later.works(), (
            f"{case.later.left} works now: mark the test of case {case.number} ({case.words}) with "
            f"@pytest.mark.case({case.number}) and take its `later` out of the table"
        )


def test_no_test_carries_a_case_that_does_not_exist() -> None:
    assert set(marked("case")) <= {case.number for case in CASES}
