"""The rules of a job's life: what each observation makes of it, and what no order of observations may do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.lifecycle.decide import Launch, Nothing, Release, Stop, decide, place, request_stop
from trainyard.lifecycle.transitions import enter
from trainyard.model.keys import JobKey
from trainyard.model.observation import (
    Absent,
    Ending,
    Lost,
    Milestone,
    Observation,
    Outcome,
    Reached,
    Seen,
    StopCause,
    Unknown,
)
from trainyard.model.record import JobRecord, Placement
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import Fault, SecondaryStatus, TrainingJobStatus

ORDER = tuple(Milestone)


def a_job(**members: object) -> JobRecord:
    spec = TrainingJobSpec.from_wire(
        {
            "TrainingJobName": "job",
            "RoleArn": "arn:aws:iam::123456789012:role/role",
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            **members,
        }
    )
    record = JobRecord(
        key=JobKey("123456789012", "us-west-2", "job"),
        uid="uid",
        spec=spec,
        placement=Placement(launcher="process", image="image", needs=Resources(cpus=1)),
        created_at=10.0,
        modified_at=10.0,
    )
    return enter(record, SecondaryStatus.STARTING, 10.0)


def reached(count: int) -> tuple[Reached, ...]:
    return tuple(Reached(milestone, 20.0 + index) for index, milestone in enumerate(ORDER[:count]))


def ended(ending: Ending, **members: object) -> Seen:
    return Seen(milestones=reached(3), outcome=Outcome(ending=ending, at=40.0, **members))  # type: ignore[arg-type]


def placed(**members: object) -> JobRecord:
    return place(a_job(**members), 15.0)


def names(record: JobRecord) -> list[str]:
    return [str(entry.status) for entry in record.transitions]


def test_absent_before_it_was_seen_is_launched_again() -> None:
    decision = decide(placed(), Absent(), 16.0)
    assert isinstance(decision.action, Launch)
    assert decision.record == placed()


def test_absent_after_it_was_seen_is_lost() -> None:
    seen = decide(placed(), Seen(milestones=reached(3)), 30.0).record
    lost = decide(seen, Absent(), 31.0).record
    assert lost.status == TrainingJobStatus.FAILED
    assert "We encountered an internal error. Please try again." in (lost.failure_reason or "")


def test_late_observation_gives_the_same_history() -> None:
    stepwise = placed()
    for count in range(1, 4):
        stepwise = decide(stepwise, Seen(milestones=reached(count)), 20.0 + count).record
    outcome = ended(Ending.COMPLETED)
    assert decide(stepwise, outcome, 41.0).record == decide(placed(), outcome, 9999.0).record


@pytest.mark.parametrize(
    ("ending", "status", "secondary"),
    [
        (Ending.COMPLETED, "Completed", "Completed"),
        (Ending.STOPPED, "Stopped", "Stopped"),
        (Ending.MAX_RUNTIME, "Stopped", "MaxRuntimeExceeded"),
        (Ending.MAX_WAIT, "Stopped", "MaxWaitTimeExceeded"),
    ],
)
def test_endings(ending: Ending, status: str, secondary: str) -> None:
    decision = decide(placed(), ended(ending), 41.0)
    assert (decision.record.status, decision.record.secondary) == (status, secondary)
    assert decision.record.failure_reason is None
    assert isinstance(decision.action, Release)


def test_failure_reason_fits_the_api() -> None:
    failed = decide(placed(), ended(Ending.FAILED, fault=Fault.ALGORITHM, detail="x" * 5000, exit_code=1), 41.0).record
    assert failed.status == TrainingJobStatus.FAILED
    assert 0 < len(failed.failure_reason or "") <= 1024


@pytest.mark.parametrize("ending", list(Ending))
def test_a_stopped_job_ends_stopped_however_its_run_ended(ending: Ending) -> None:
    stopping = request_stop(placed(EnableManagedSpotTraining=True), StopCause.REQUESTED, 18.0)
    record = decide(stopping, ended(ending, fault=Fault.ALGORITHM, exit_code=1), 41.0).record
    assert record.status == TrainingJobStatus.STOPPED
    assert "Interrupted" not in names(record)


def test_stop_without_a_place_ends_without_a_launch() -> None:
    decision = decide(request_stop(a_job(), StopCause.REQUESTED, 12.0), Absent(), 13.0)
    assert names(decision.record) == ["Starting", "Stopping", "Stopped"]
    assert isinstance(decision.action, Release)


def test_stop_before_the_attempt_began_is_folded_once() -> None:
    stopping = request_stop(placed(), StopCause.REQUESTED, 16.0)
    seen = Seen(milestones=reached(5))
    once = decide(stopping, seen, 30.0)
    assert decide(once.record, seen, 31.0).record == once.record
    assert isinstance(once.action, Stop)


def test_an_interrupted_spot_job_waits_for_its_place_again() -> None:
    record = decide(placed(EnableManagedSpotTraining=True), ended(Ending.INTERRUPTED), 41.0).record
    assert not record.placed
    assert names(record)[-2:] == ["Interrupted", "Starting"]
    assert place(record, 42.0).attempt == 2


def test_a_lost_run_is_retried_as_often_as_asked() -> None:
    lost = Lost("the machine was restarted", 50.0)
    once = decide(placed(RetryStrategy={"MaximumRetryAttempts": 1}), lost, 51.0).record
    assert (once.placed, once.secondary, once.retries) == (False, SecondaryStatus.STARTING, 1)
    assert decide(place(once, 52.0), replace(lost, at=60.0), 61.0).record.status == TrainingJobStatus.FAILED


def observations() -> st.SearchStrategy[Observation]:
    seen = st.integers(0, 5).map(lambda count: Seen(milestones=reached(count)))
    endings = st.sampled_from(Ending).map(lambda ending: ended(ending, fault=Fault.ALGORITHM))
    lost = st.builds(Lost, st.just("gone"), st.floats(0, 100), st.booleans())
    return st.one_of(seen, endings, lost, st.just(Absent()), st.just(Unknown("busy")))


@given(st.lists(st.tuples(observations(), st.booleans()), max_size=12), st.booleans(), st.integers(0, 2))
def test_no_order_of_observations_breaks_a_law(steps: list[tuple[Observation, bool]], spot: bool, retries: int) -> None:
    record = placed(EnableManagedSpotTraining=spot, RetryStrategy={"MaximumRetryAttempts": retries})
    for now, (seen, stop) in enumerate(steps, 100):
        record = request_stop(record, StopCause.REQUESTED, now) if stop else record
        before, decision = record, decide(record, seen, now)
        record = decision.record
        assert not before.status.is_final or record == before
        assert not isinstance(seen, Unknown) or not before.placed or decision.action == Nothing()
        again = decide(record, seen, now)
        assert not (before.placed and record.placed) or again.record == record
        pairs = zip(record.transitions, record.transitions[1:], strict=False)
        assert all(one.end == two.start and one.start <= two.start for one, two in pairs)
        assert (record.transitions[-1].end is not None) == record.status.is_final
        assert record.created_at == record.transitions[0].start
        if not record.placed and not record.status.is_final and record.stop is None:
            record = place(record, now)
