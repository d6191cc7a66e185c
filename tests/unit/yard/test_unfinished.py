"""The leader's picture of unfinished jobs: whole, followed, and never older than what it wrote itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest
from tests.fakes.records import a_record, finished

from trainyard.model.keys import JobKey
from trainyard.model.record import JobRecord
from trainyard.model.spec import StoppingCondition
from trainyard.stores.memory.shelf import Shelf
from trainyard.stores.memory.store import MemoryJobStore
from trainyard.yard.unfinished import Unfinished


class CountingStore(MemoryJobStore):
    """Counts the records that are read, and lets the test write between a reading and its answer."""

    def __init__(self) -> None:
        super().__init__(Shelf())
        self.read = 0
        self.meanwhile: list[JobRecord] = []
        self.known: Unfinished | None = None

    async def some(self, keys: Collection[JobKey]) -> Sequence[JobRecord]:
        found = await super().some(keys)
        self.read += len(found)
        for record in self.meanwhile:
            written = await self.put(record, expect=record.version)
            assert self.known is not None
            self.known.take(written)
        self.meanwhile = []
        return found


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


def done(record: JobRecord) -> JobRecord:
    return replace(finished(record), released=True, final_metrics=())


def told(known: Unfinished) -> dict[str, int]:
    return {record.key.name: record.version for record in known.records()}


async def test_only_what_moved_is_read_again(store: CountingStore) -> None:
    for number in range(1200):
        await store.create(a_record(f"j{number}"))
    known = Unfinished(store)
    assert not known.is_whole
    await known.compare()
    assert (len(known.records()), store.read, known.is_whole) == (1200, 1200, True)
    moved = known.records()[0]
    await store.put(moved, expect=1)
    await known.compare()
    assert (told(known)[moved.key.name], store.read) == (2, 1201)


async def test_what_ends_or_goes_is_forgotten_by_either_way(store: CountingStore) -> None:
    records = [await store.create(a_record(name)) for name in ("ends", "goes", "ends too", "stays")]
    known = Unfinished(store)
    await known.compare()
    await store.put(done(records[0]), expect=1)
    await store.delete(records[1].key, expect=1)
    assert await known.hear([records[0].key, records[1].key]) == []
    assert sorted(told(known)) == ["ends too", "stays"]
    await store.put(done(records[2]), expect=1)
    await known.compare()
    assert sorted(told(known)) == ["stays"]
    assert known.key_of(records[3].uid) == records[3].key
    assert known.key_of(records[2].uid) is None


async def test_a_name_used_again_is_another_job(store: CountingStore) -> None:
    first = await store.put(await store.create(a_record("job")), expect=1)
    known = Unfinished(store)
    await known.compare()
    await store.delete(first.key, expect=2)
    second = await store.create(a_record("job", uid="another"))
    await known.compare()
    assert (known.key_of("another"), known.key_of(first.uid)) == (second.key, None)


@pytest.mark.parametrize("ends", [False, True])
async def test_what_was_read_before_a_write_of_our_own_does_not_undo_it(store: CountingStore, ends: bool) -> None:
    first = await store.create(a_record("job"))
    known = store.known = Unfinished(store)
    await known.compare()
    store.meanwhile = [done(first) if ends else replace(first, attempt=1)]
    await known.hear([first.key])
    assert told(known) == ({} if ends else {"job": 2})


async def test_an_older_reading_is_not_taken(store: CountingStore) -> None:
    first = await store.create(a_record("job"))
    known = Unfinished(store)
    known.take(replace(first, version=2))
    known.take(first)
    assert told(known) == {"job": 2}


async def test_who_waits_without_an_end_to_it_rests_until_he_moves(store: CountingStore) -> None:
    patient, deadline = a_record("patient"), StoppingCondition(max_pending_time_in_seconds=7200)
    hasty = a_record("hasty")
    hasty = replace(hasty, spec=hasty.spec.model_copy(update={"stopping_condition": deadline}))
    known = Unfinished(store)
    for record in (patient, hasty):
        known.take(await store.create(record))
    assert [record.key.name for record in known.restless()] == ["hasty"]
    known.take(placed := replace(patient, attempt=1, placed=True, version=2))
    assert placed in known.restless()
    known.take(replace(done(placed), version=3))
    assert [record.key.name for record in known.restless()] == ["hasty"]
