"""What every store of Kubernetes-style objects keeps: one revision, compare-and-swap, pages in order, a bounded log."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, closing, contextmanager
from pathlib import Path

import pytest

from trainyard.ports.resources import (
    Advance,
    Collection,
    Deed,
    Occurrence,
    ResourceConflict,
    ResourceExists,
    ResourceKey,
    ResourceStore,
    RevisionExpired,
)
from trainyard.stores.memory.resources import MemoryResourceStore
from trainyard.stores.sqlite.database import Database
from trainyard.stores.sqlite.resources import SqliteResourceStore

JOBS = Collection("example.com", "jobs")
OTHERS = Collection("", "configmaps")
KEPT = 50  # lines of log
Maker = Callable[[], ResourceStore]


@contextmanager
def memory(_folder: Path) -> Iterator[Maker]:
    yield lambda: MemoryResourceStore(log_kept=KEPT, progress=0.02)


@contextmanager
def sqlite(folder: Path) -> Iterator[Maker]:
    database = Database(folder / "jobs.db")
    with closing(database):
        yield lambda: SqliteResourceStore(database, log_kept=KEPT, progress=0.02)


@pytest.fixture(params=[memory, sqlite])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Maker]:
    with request.param(tmp_path) as maker:
        yield maker


@pytest.fixture
async def store(make: Maker) -> ResourceStore:
    return make()


def key(name: str, namespace: str = "one", collection: Collection = JOBS) -> ResourceKey:
    return ResourceKey(collection, namespace, name)


def body(name: str, **rest: object) -> dict[str, object]:
    return {"metadata": {"name": name}, **rest}


async def seen(watching: AsyncGenerator[Advance], wanted: int) -> tuple[list[Occurrence], int]:
    """The first so many occurrences and the revision that they reach."""
    found: list[Occurrence] = []
    async with asyncio.timeout(10), aclosing(watching):
        async for advance in watching:
            found += advance.occurrences
            if len(found) >= wanted:
                return found, advance.revision
    raise AssertionError("the watch ended")


async def test_an_object_is_kept_whole_and_every_write_takes_the_next_revision(store: ResourceStore) -> None:
    assert await store.revision() == 0
    whole = body("a", spec={"deep": [{"é": None, "n": 1.5}, []]})
    first = await store.create(key("a"), whole)
    second = await store.put(key("a"), body("a", spec=2), expect=first.revision)
    gone = await store.delete(key("a"), expect=second.revision)
    assert (first.revision, second.revision, gone.revision, await store.revision()) == (1, 2, 3, 3)
    assert (first.body, gone.body) == (whole, body("a", spec=2))
    assert await store.get(key("a")) is None


async def test_a_taken_name_is_refused_and_other_namespaces_and_collections_are_other_objects(
    store: ResourceStore,
) -> None:
    await store.create(key("a"), body("a"))
    with pytest.raises(ResourceExists):
        await store.create(key("a"), body("a"))
    await store.create(key("a", "two"), body("a"))
    await store.create(key("a", collection=OTHERS), body("a"))
    assert list(await store.collections()) == [OTHERS, JOBS]


async def test_a_writer_that_was_overtaken_changes_nothing(store: ResourceStore) -> None:
    entry = await store.create(key("a"), body("a"))
    await store.put(key("a"), body("a", by="other"), expect=entry.revision)
    with pytest.raises(ResourceConflict):
        await store.put(key("a"), body("a", by="me"), expect=entry.revision)
    with pytest.raises(ResourceConflict):
        await store.delete(key("a"), expect=entry.revision)
    with pytest.raises(ResourceConflict):
        await store.put(key("b"), body("b"), expect=entry.revision)
    found = await store.get(key("a"))
    assert found is not None
    assert found.body["by"] == "other"


async def test_of_two_racing_writers_one_wins(store: ResourceStore) -> None:
    entry = await store.create(key("a"), body("a"))
    results = await asyncio.gather(
        *(store.put(key("a"), body("a", by=n), expect=entry.revision) for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(result, ResourceConflict) for result in results) == 19


async def test_an_equal_body_writes_nothing_but_json_types_count(store: ResourceStore) -> None:
    entry = await store.create(key("a"), body("a", n=1))
    assert await store.put(key("a"), body("a", n=1), expect=entry.revision) == entry
    assert await store.revision() == entry.revision
    changed = await store.put(key("a"), body("a", n=True), expect=entry.revision)
    assert changed.revision > entry.revision
    assert changed.body["n"] is True


async def test_pages_cover_everything_once_in_order(store: ResourceStore) -> None:
    places = [(namespace, f"n{number:02}") for namespace in ("a", "a-b", "b") for number in range(7)]
    for namespace, name in reversed(places):
        await store.create(key(name, namespace), body(name))
    found, after, remaining = [], None, []
    while True:
        page = await store.list(JOBS, limit=4, after=after)
        found += [(entry.key.namespace, entry.key.name) for entry in page.entries]
        remaining.append(page.remaining)
        if (after := page.after) is None:
            break
    assert found == places
    assert remaining == [17, 13, 9, 5, 1, 0]


async def test_a_namespace_is_listed_alone(store: ResourceStore) -> None:
    for namespace in ("a", "aa", "a-"):
        await store.create(key("x", namespace), body("x"))
    page = await store.list(JOBS, namespace="a", limit=1)
    assert [entry.key.namespace for entry in page.entries] == ["a"]
    assert (page.after, page.remaining, page.revision) == (None, 0, 3)


async def test_a_page_goes_on_where_the_last_one_ended_though_its_last_object_is_gone(store: ResourceStore) -> None:
    for name in ("a", "b", "c"):
        await store.create(key(name), body(name))
    page = await store.list(JOBS, limit=2)
    await store.delete(key("b"), expect=2)
    rest = await store.list(JOBS, limit=2, after=page.after)
    assert [entry.key.name for entry in rest.entries] == ["c"]


async def test_a_watch_tells_the_past_then_the_present(store: ResourceStore) -> None:
    first = await store.create(key("a"), body("a"))
    await store.create(key("x", collection=OTHERS), body("x"))
    second = await store.put(key("a"), body("a", n=2), expect=first.revision)
    watching = asyncio.create_task(seen(store.watch(JOBS, since=first.revision), 2))
    await asyncio.sleep(0)
    await store.delete(key("a"), expect=second.revision)
    occurrences, revision = await watching
    assert [(one.deed, one.entry.revision, one.before) for one in occurrences] == [
        (Deed.MODIFIED, 3, body("a")),
        (Deed.DELETED, 4, body("a", n=2)),
    ]
    assert revision == 4


async def test_a_watch_of_everything_and_one_of_a_namespace(store: ResourceStore) -> None:
    await store.create(key("a", "one"), body("a"))
    await store.create(key("b", "two"), body("b"))
    await store.create(key("c", "one", OTHERS), body("c"))
    everything, _ = await seen(store.watch(since=0), 3)
    assert [one.entry.key.name for one in everything] == ["a", "b", "c"]
    alone, _ = await seen(store.watch(JOBS, namespace="two", since=0), 1)
    assert [one.entry.key.name for one in alone] == ["b"]


async def test_a_silent_watch_tells_of_others_progress(store: ResourceStore) -> None:
    async with asyncio.timeout(10), aclosing(store.watch(JOBS, since=0)) as watching:
        await store.create(key("x", collection=OTHERS), body("x"))
        async for advance in watching:
            if advance.revision == 1:
                assert advance.occurrences == ()
                break


async def test_a_watch_whose_neighbours_never_rest_tells_of_their_progress_all_the_same(store: ResourceStore) -> None:
    async def never_rest() -> None:
        for number in itertools.count():
            await store.create(key(f"n{number}", collection=OTHERS), body("n"))
            await asyncio.sleep(0)

    resting_never = asyncio.create_task(never_rest())
    told: set[int] = set()
    try:
        async with asyncio.timeout(30), aclosing(store.watch(JOBS, since=0)) as watching:
            async for advance in watching:
                assert advance.occurrences == ()
                told.add(advance.revision)
                if len(told - {0}) == 2:  # the first silence may be over before the first write is
                    break
    finally:
        resting_never.cancel()


async def test_a_revision_that_the_log_has_forgotten_has_expired(store: ResourceStore) -> None:
    for number in range(4 * KEPT):
        await store.create(key(f"n{number}"), body("n"))
    with pytest.raises(RevisionExpired):
        await seen(store.watch(JOBS, since=1), 1)
    recent, _ = await seen(store.watch(JOBS, since=4 * KEPT - KEPT // 2), KEPT // 2)
    assert recent[0].entry.key.name == f"n{4 * KEPT - KEPT // 2}"


async def test_a_reader_that_falls_behind_the_log_is_told(store: ResourceStore) -> None:
    await store.create(key("first"), body("first"))
    async with asyncio.timeout(10), aclosing(store.watch(JOBS, since=0)) as watching:
        await anext(watching)
        for number in range(4 * KEPT):
            await store.create(key(f"n{number}"), body("n"))
        with pytest.raises(RevisionExpired):
            await anext(watching)


async def test_a_revision_of_the_future_has_expired(store: ResourceStore) -> None:
    with pytest.raises(RevisionExpired):
        await seen(store.watch(JOBS, since=99), 1)


async def test_another_process_s_writes_are_seen_and_everything_outlives_the_process(tmp_path: Path) -> None:
    database, other = Database(tmp_path / "jobs.db"), Database(tmp_path / "jobs.db")
    with closing(database), closing(other):
        here, there = SqliteResourceStore(database), SqliteResourceStore(other)
        watching = asyncio.create_task(seen(here.watch(JOBS, since=0), 1))
        await there.create(key("a"), body("a"))
        occurrences, _ = await watching
        assert occurrences[0].entry.key.name == "a"
        assert await here.get(key("a")) == await there.get(key("a"))
    with closing(Database(tmp_path / "jobs.db")) as again:
        kept = SqliteResourceStore(again)
        assert await kept.revision() == 1
        assert [entry.body for entry in (await kept.list(JOBS)).entries] == [body("a")]
        assert (await kept.delete(key("a"), expect=1)).revision == 2


async def test_revisions_go_on_though_every_object_and_most_of_the_log_is_gone(make: Maker) -> None:
    store = make()
    for _ in range(KEPT * 2):
        entry = await store.create(key("a"), body("a"))
        await store.delete(key("a"), expect=entry.revision)
    assert await store.revision() == KEPT * 4
