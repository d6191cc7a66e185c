"""Who gets a place: never more than there is, nobody waits for ever, every wait has its reason."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from trainyard.lifecycle.decide import place
from trainyard.lifecycle.schedule import schedule
from trainyard.lifecycle.stopping import GRACE
from trainyard.lifecycle.transitions import enter
from trainyard.model.keys import JobKey
from trainyard.model.record import JobRecord, Placement
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import SecondaryStatus

ROOM = Resources(cpus=8, gpus=1)
NOW = 100.0


def job(name: str, at: float, cpus: float, *, gpus: int = 0, spot: bool = False, limit: int = 3600) -> JobRecord:
    spec = TrainingJobSpec.from_wire(
        {
            "TrainingJobName": name,
            "RoleArn": "arn:aws:iam::123456789012:role/role",
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "StoppingCondition": {"MaxRuntimeInSeconds": limit},
            "EnableManagedSpotTraining": spot,
        }
    )
    needs = Resources(cpus=cpus, gpus=gpus)
    placement = Placement(launcher="fake", image="", needs=needs)
    key = JobKey("1", "r", name)
    return JobRecord(key=key, uid=name, spec=spec, placement=placement, created_at=at, modified_at=at)


def test_a_wait_has_its_reason() -> None:
    running, waiting = job("a", 1, 1, gpus=1), job("b", 2, 1, gpus=1)
    assert schedule([waiting], [running], ROOM, NOW).reasons == {waiting.key: "waiting for 1 GPU, 0 of 1 free"}


def test_small_jobs_do_not_overtake_the_head() -> None:
    head, small = job("head", 2, 8), job("small", 3, 1, limit=3601)
    plan = schedule([small, head], [job("a", 1, 4)], ROOM, NOW)
    assert plan.placements == ()
    assert plan.reasons[small.key] == "waiting for its turn behind head"


def test_spot_gives_way_to_on_demand_and_never_to_spot() -> None:
    spot = job("spot", 1, 8, spot=True)
    assert schedule([job("b", 2, 8)], [spot], ROOM, NOW).victims == (spot.key,)
    assert schedule([job("c", 2, 8, spot=True)], [spot], ROOM, NOW).victims == ()


@given(st.lists(st.tuples(st.integers(1, 8), st.booleans()), max_size=12))
def test_everyone_gets_a_place_in_the_end_and_never_more_than_there_is(sizes: list[tuple[int, bool]]) -> None:
    waiting = [job(f"j{index}", index, cpus, spot=spot) for index, (cpus, spot) in enumerate(sizes)]
    for _ in range(len(sizes)):
        plan = schedule(waiting, [], ROOM, NOW)
        chosen = [one for one in waiting if one.key in plan.placements]
        assert sum(one.placement.needs.cpus for one in chosen) <= ROOM.cpus
        assert chosen or not waiting
        waiting = [one for one in waiting if one.key not in plan.placements]
        assert set(plan.reasons) == {one.key for one in waiting}
    assert not waiting


def test_first_come_first_served_and_on_demand_before_spot() -> None:
    spot, late, early = job("spot", 1, 3, spot=True), job("late", 3, 3), job("early", 2, 3)
    plan = schedule([spot, late, early], [], ROOM, NOW)
    assert plan.placements == (early.key, late.key)
    assert plan.reasons == {spot.key: "waiting for 3 vCPU, 2 of 8 free"}


def test_no_victim_without_use() -> None:
    spots = [job("old", 1, 3, spot=True), job("new", 2, 3, spot=True)]
    assert schedule([job("fits", 3, 2)], spots, ROOM, NOW).victims == ()
    assert schedule([job("one", 3, 4)], spots, ROOM, NOW).victims == (spots[1].key,)
    assert schedule([job("never", 3, 8)], [*spots, job("on-demand", 1, 2)], ROOM, NOW).victims == ()
    holder, bystander = job("holder", 1, 1, gpus=1, spot=True), job("bystander", 2, 1, spot=True)
    assert schedule([job("b", 3, 1, gpus=1)], [holder, bystander], ROOM, NOW).victims == (holder.key,)


def runs(record: JobRecord, since: float) -> JobRecord:
    """A job whose program began at that time."""
    begun = replace(place(record, since), attempt_started_at=since)
    return enter(begun, SecondaryStatus.TRAINING, since)


def test_a_short_job_goes_first_where_it_has_ended_before_the_head_could_start() -> None:
    holder, head = runs(job("holder", 1, 4, limit=1000), NOW), job("head", 2, 8)
    short, long = job("short", 3, 2, limit=1000), job("long", 4, 2, limit=1001)
    plan = schedule([head, short, long], [holder], ROOM, NOW)
    assert (plan.placements, plan.promised) == ((short.key,), NOW + 1000 + GRACE)
    assert plan.reasons[long.key] == "waiting for its turn behind head"
    assert plan.reasons[head.key] == "waiting for 8 vCPU, 2 of 8 free"


def test_a_long_job_goes_first_only_where_it_fits_beside_the_head() -> None:
    holder, head = runs(job("holder", 1, 4), NOW), job("head", 2, 6)
    one, two = job("one", 3, 2, limit=9999), job("two", 4, 1, limit=9999)
    assert schedule([head, one, two], [holder], ROOM, NOW).placements == (one.key,)
    assert schedule([head, two, one], [holder], ROOM, NOW).placements == (one.key,)  # in their order, not the caller's


def test_a_job_that_outlives_its_limit_lets_nobody_overtake_the_head() -> None:
    holder, head = runs(job("holder", 1, 4, limit=10), NOW), job("head", 2, 8)
    later = NOW + 10 + GRACE + 1  # it uploads still
    assert schedule([head, job("short", 3, 1, limit=1)], [holder], ROOM, later).placements == ()


def test_what_the_machine_can_no_longer_hold_blocks_nobody() -> None:
    plan = schedule([job("large", 1, 16), job("small", 2, 1)], [], ROOM, NOW)
    assert [key.name for key in plan.placements] == ["small"]
    assert list(plan.reasons.values()) == ["waiting for 16 vCPU, 7 of 8 free"]


ASKED = st.tuples(st.integers(1, 8), st.integers(0, 1), st.integers(1, 500), st.integers(0, 100), st.integers(0, 60))


@given(st.lists(ASKED, min_size=1, max_size=10))
def test_backfilling_never_breaks_a_promise_nor_the_machine(asked: list[tuple[int, int, int, int, int]]) -> None:
    """Jobs come at their times and end anywhere within their limits; whoever heads the queue starts as promised."""
    limits = {f"j{index}": limit for index, (_, _, limit, _, _) in enumerate(asked)}
    shares = {f"j{index}": share for index, (_, _, _, share, _) in enumerate(asked)}
    coming = sorted(
        (job(f"j{index}", NOW + delay, cpus, gpus=gpus, limit=limit) for index, (cpus, gpus, limit, _, delay) in
         enumerate(asked)), key=lambda one: one.created_at,
    )  # fmt: skip
    waiting: list[JobRecord] = []
    ends: dict[JobKey, tuple[float, JobRecord]] = {}
    promises: dict[JobKey, float] = {}
    now = NOW
    while coming or waiting or ends:
        times = [coming[0].created_at] if coming else []
        now = max(now, min(times + [end for end, _ in ends.values()]))
        ends = {key: (end, one) for key, (end, one) in ends.items() if end > now}
        while coming and coming[0].created_at <= now:
            waiting.append(coming.pop(0))
        plan = schedule(waiting, [one for _, one in ends.values()], ROOM, now)
        for one in [one for one in waiting if one.key in plan.placements]:
            assert now <= promises.get(one.key, now), "the head started later than it was promised"
            length = (limits[one.key.name] + GRACE) * shares[one.key.name] / 100
            ends[one.key] = (now + max(0.001, length), runs(one, now))
        waiting = [one for one in waiting if one.key not in plan.placements]
        taken = sum((one.placement.needs for _, one in ends.values()), Resources())
        assert taken.fits(ROOM)
        assert set(plan.reasons) == {one.key for one in waiting}
        if waiting:
            head = min(waiting, key=lambda one: (one.created_at, one.uid))
            assert plan.promised is not None
            assert plan.promised <= promises.get(head.key, plan.promised), "the promise was put off"
            promises[head.key] = plan.promised
