"""The rules of a job's life: what each observation makes of it, and what no order of observations may do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.lifecycle.decide import (
    Decision,
    Launch,
    Nothing,
    Release,
    Stop,
    decide,
    only_waits,
    place,
    request_stop,
    wait,
)
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
    Unobserved,
)
from trainyard.model.record import JobRecord, Placement
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import Fault, SecondaryStatus, TrainingJobStatus

ORDER = tuple(one for one in Milestone if one is not Milestone.PULLING)  # which containers alone have


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


def test_a_job_only_waits_until_somebody_or_a_deadline_ends_it_or_it_gets_its_first_place() -> None:
    job = a_job(StoppingCondition={"MaxPendingTimeInSeconds": 1800})
    assert only_waits(wait(job, "waiting for 1 GPU, 0 of 1 free", 11.0), 1809.0)
    assert not only_waits(job, 1810.0)
    assert not only_waits(request_stop(job, StopCause.REQUESTED, 12.0), 13.0)
    assert not only_waits(place(job, 15.0), 16.0)
    assert not only_waits(decide(job, Absent(), 1810.0).record, 1811.0)


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
        assert (record.unobserved is not None) == (before.placed and isinstance(seen, Unknown))
        pairs = zip(record.transitions, record.transitions[1:], strict=False)
        assert all(one.end == two.start and one.start <= two.start for one, two in pairs)
        assert (record.transitions[-1].end is not None) == record.status.is_final
        assert record.created_at == record.transitions[0].start
        if not record.placed and not record.status.is_final and record.stop is None:
            record = place(record, now)


@given(st.lists(observations(), max_size=8), st.lists(st.integers(0, 8), max_size=8), st.booleans())
def test_looks_that_failed_change_nothing_but_that_they_are_told(
    looks: list[Observation], failed: list[int], spot: bool
) -> None:
    plain = blinded = placed(EnableManagedSpotTraining=spot)
    for index, seen in enumerate(looks):
        for _ in range(failed.count(index)):
            before, decision = blinded, decide(blinded, Unknown(f"look {index} failed"), 100.0 + index)
            blinded = decision.record
            assert replace(blinded, unobserved=None) == replace(before, unobserved=None)
            news = before.placed and before.unobserved is None
            assert [event.reason for event in decision.events] == ["NotObserved"] * news
            if before.unobserved is not None:  # the first failed look stands, so nothing is written again
                assert blinded == before
        plain, blinded = (decide(record, seen, 100.0 + index).record for record in (plain, blinded))
        assert isinstance(seen, Unknown) or blinded == plain


def test_what_is_not_observed_is_told_with_time_and_reason_until_it_is_seen_again() -> None:
    blind = decide(placed(), Unknown("the journal cannot be read"), 50.0)
    assert blind.record.unobserved == Unobserved(since=50.0, reason="the journal cannot be read")
    assert blind.events[0].message == "The run cannot be observed: the journal cannot be read."
    assert decide(blind.record, Unknown("something else"), 60.0).record == blind.record
    again = decide(blind.record, Seen(milestones=reached(3)), 110.0)
    assert again.record == decide(placed(), Seen(milestones=reached(3)), 110.0).record
    assert again.events[0].message == "The run is observed again, after 60 s."


WAITS = {
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 90},
}
PENDS = {"StoppingCondition": {"MaxPendingTimeInSeconds": 7200}}
INTERNAL = "InternalServerError: We encountered an internal error. Please try again."


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"fault": Fault.ALGORITHM, "detail": "no", "exit_code": 1}, "AlgorithmError: no, exit code: 1"),
        ({"exit_code": 137}, "AlgorithmError: Exit Code: 137"),
        ({"fault": Fault.CLIENT, "detail": "No objects"}, "ClientError: No objects"),
        ({"fault": Fault.INTERNAL}, INTERNAL),
    ],
)
def test_failure_forms(members: dict[str, object], reason: str) -> None:
    decision = decide(placed(RetryStrategy={"MaximumRetryAttempts": 3}), ended(Ending.FAILED, **members), 41.0)
    assert (decision.record.status, decision.record.failure_reason) == ("Failed", reason)
    assert [(event.warning, event.message) for event in decision.events] == [(True, reason)]


def test_stop_while_it_runs() -> None:
    running = decide(placed(), Seen(milestones=reached(3)), 23.0).record
    stopping = request_stop(running, StopCause.REQUESTED, 22.5)
    assert decide(stopping, Seen(milestones=reached(3)), 24.0).action == Stop(StopCause.REQUESTED)
    outcome = Outcome(ending=Ending.STOPPED, at=30.0)
    done = decide(stopping, Seen(milestones=reached(5), outcome=outcome), 31.0).record
    assert names(done) == ["Starting", "Downloading", "Training", "Stopping", "Uploading", "Stopped"]


def test_max_wait_ends_a_waiting_spot_job_and_stops_a_running_one() -> None:
    assert decide(a_job(**WAITS), Absent(), 99.9).action == Nothing(100.0)
    done = decide(a_job(**WAITS), Absent(), 500.0).record
    assert (done.secondary, done.training_ended_at) == ("MaxWaitTimeExceeded", 100.0)
    running = decide(placed(**WAITS), Seen(milestones=reached(3)), 100.0)
    assert running.action == Stop(StopCause.MAX_WAIT)
    assert decide(running.record, ended(Ending.STOPPED), 102.0).record.secondary == "MaxWaitTimeExceeded"


def test_max_pending_ends_a_job_that_got_no_place_and_says_why() -> None:
    waiting = wait(a_job(**PENDS), "waiting for 1 GPU, 0 of 1 free", 11.0)
    assert decide(waiting, Absent(), 12.0).action == Nothing(7210.0)
    decision = decide(waiting, Absent(), 8000.0)
    assert names(decision.record) == ["Starting", "Pending", "Stopping", "Stopped"]
    assert "waiting for 1 GPU" in decision.record.notices[0]


def test_max_pending_leaves_alone_what_once_had_a_place() -> None:
    again = replace(a_job(**PENDS), attempt=1, released=True)
    assert decide(again, Absent(), 8000.0).action == Nothing()


def test_no_attempt_is_placed_before_the_last_one_is_released() -> None:
    again = decide(placed(EnableManagedSpotTraining=True), ended(Ending.INTERRUPTED), 41.0)
    assert (again.action, again.record.awaits_place) == (Release(), False)
    assert decide(again.record, Absent(), 42.0) == Decision(again.record, Release())
    freed = replace(again.record, released=True)
    assert freed.awaits_place
    assert not place(freed, 43.0).released


def test_an_end_never_takes_the_last_modification_back() -> None:
    waiting = wait(a_job(**PENDS), "waiting for memory", 9000.0)
    assert decide(waiting, Absent(), 9001.0).record.modified_at == 9000.0


@pytest.mark.parametrize(("spot", "rebooted", "status"), [(1, 1, "InProgress"), (1, 0, "Failed"), (0, 1, "Failed")])
def test_only_a_spot_jobs_lost_machine_is_an_interruption(spot: int, rebooted: int, status: str) -> None:
    record = decide(placed(EnableManagedSpotTraining=bool(spot)), Lost("gone", 50.0, bool(rebooted)), 51.0).record
    assert (record.status, record.retries) == (status, 0)
    assert record.failure_reason == (f"{INTERNAL} (gone)" if status == "Failed" else None)


def test_two_attempts_tell_one_history_and_share_the_runtime() -> None:
    first = decide(placed(EnableManagedSpotTraining=True), ended(Ending.INTERRUPTED), 41.0)
    second = place(first.record, 110.0)
    assert decide(second, Absent(), 111.0).action == Launch(3580.0)
    later = tuple(Reached(one.milestone, one.at + 100) for one in reached(3))
    done = decide(second, Seen(milestones=later, outcome=Outcome(ending=Ending.COMPLETED, at=150.0)), 151.0).record
    once = ["Starting", "Downloading", "Training"]
    assert names(done) == [*once, "Interrupted", *once, "Completed"]
    assert (done.training_started_at, done.training_seconds) == (20.0, 50.0)


@pytest.mark.parametrize("seen", [Absent(), Unknown("busy"), Lost("gone", 99.0), Seen(milestones=reached(5))])
@pytest.mark.parametrize("ending", [one for one in Ending if one != Ending.INTERRUPTED])
def test_finals_absorb_everything(ending: Ending, seen: Observation) -> None:
    final = decide(placed(), ended(ending), 41.0).record
    decision = decide(final, seen, 100.0)
    assert (decision.record, decision.action, decision.events) == (final, Release(), ())
    assert decide(replace(final, released=True), seen, 100.0).action == Nothing()


@given(st.lists(st.tuples(observations(), st.integers(0, 60), st.booleans(), st.booleans()), max_size=12))
def test_deadlines_and_places_keep_the_laws(steps: list[tuple[Observation, int, bool, bool]]) -> None:
    record, now = a_job(**WAITS), 15.0
    for seen, passed, stop, gets_place in steps:
        now += passed
        if gets_place and not record.placed and not record.status.is_final and record.stop is None:
            record = place(record, now)
        record = request_stop(record, StopCause.REQUESTED, now) if stop else record
        before, decision = record, decide(record, seen, now)
        record = decision.record
        launches = isinstance(decision.action, Launch)
        assert not launches or (
            before.placed and not before.seen and before.stop is None and record == replace(before, unobserved=None)
        )
        assert record.modified_at >= before.modified_at
        settled = decide(record, seen, now).record
        assert decide(settled, seen, now).record == settled
