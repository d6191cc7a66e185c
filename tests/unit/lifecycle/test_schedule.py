"""Who gets a place: never more than there is, nobody waits for ever, every wait has its reason."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainyard.lifecycle.schedule import schedule
from trainyard.model.keys import JobKey
from trainyard.model.record import JobRecord, Placement
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec

ROOM = Resources(cpus=8, gpus=1)


def job(name: str, at: float, cpus: float, *, gpus: int = 0, spot: bool = False) -> JobRecord:
    spec = TrainingJobSpec.from_wire(
        {
            "TrainingJobName": name,
            "RoleArn": "arn:aws:iam::123456789012:role/role",
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "StoppingCondition": {},
            "EnableManagedSpotTraining": spot,
        }
    )
    needs = Resources(cpus=cpus, gpus=gpus)
    placement = Placement(launcher="fake", image="", needs=needs)
    key = JobKey("1", "r", name)
    return JobRecord(key=key, uid=name, spec=spec, placement=placement, created_at=at, modified_at=at)


def test_a_wait_has_its_reason() -> None:
    running, waiting = job("a", 1, 1, gpus=1), job("b", 2, 1, gpus=1)
    assert schedule([waiting], [running], ROOM).reasons == {waiting.key: "waiting for 1 GPU, 0 of 1 free"}


def test_small_jobs_do_not_overtake_the_head() -> None:
    head, small = job("head", 2, 8), job("small", 3, 1)
    plan = schedule([small, head], [job("a", 1, 4)], ROOM)
    assert plan.placements == ()
    assert plan.reasons[small.key] == "waiting for its turn behind head"


def test_spot_gives_way_to_on_demand_and_never_to_spot() -> None:
    spot = job("spot", 1, 8, spot=True)
    assert schedule([job("b", 2, 8)], [spot], ROOM).victims == (spot.key,)
    assert schedule([job("c", 2, 8, spot=True)], [spot], ROOM).victims == ()


@given(st.lists(st.tuples(st.integers(1, 8), st.booleans()), max_size=12))
def test_everyone_gets_a_place_in_the_end_and_never_more_than_there_is(sizes: list[tuple[int, bool]]) -> None:
    waiting = [job(f"j{index}", index, cpus, spot=spot) for index, (cpus, spot) in enumerate(sizes)]
    for _ in range(len(sizes)):
        plan = schedule(waiting, [], ROOM)
        chosen = [one for one in waiting if one.key in plan.placements]
        assert sum(one.placement.needs.cpus for one in chosen) <= ROOM.cpus
        assert chosen or not waiting
        waiting = [one for one in waiting if one.key not in plan.placements]
        assert set(plan.reasons) == {one.key for one in waiting}
    assert not waiting


def test_first_come_first_served_and_on_demand_before_spot() -> None:
    spot, late, early = job("spot", 1, 3, spot=True), job("late", 3, 3), job("early", 2, 3)
    plan = schedule([spot, late, early], [], ROOM)
    assert plan.placements == (early.key, late.key)
    assert plan.reasons == {spot.key: "waiting for 3 vCPU, 2 of 8 free"}


def test_no_victim_without_use() -> None:
    spots = [job("old", 1, 3, spot=True), job("new", 2, 3, spot=True)]
    assert schedule([job("fits", 3, 2)], spots, ROOM).victims == ()
    assert schedule([job("one", 3, 4)], spots, ROOM).victims == (spots[1].key,)
    assert schedule([job("never", 3, 8)], [*spots, job("on-demand", 1, 2)], ROOM).victims == ()
    holder, bystander = job("holder", 1, 1, gpus=1, spot=True), job("bystander", 2, 1, spot=True)
    assert schedule([job("b", 3, 1, gpus=1)], [holder, bystander], ROOM).victims == (holder.key,)
