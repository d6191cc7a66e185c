"""A job's history."""

from __future__ import annotations

from dataclasses import replace

from tests.fakes.records import a_record

from trainyard.lifecycle.transitions import beginning, enter
from trainyard.model.status import SecondaryStatus


def test_a_new_job_begins_as_if_it_had_entered_its_first_status() -> None:
    bare = replace(a_record("job", at=7.0), transitions=())
    assert enter(bare, SecondaryStatus.STARTING, 7.0) == replace(bare, transitions=beginning(7.0))
