"""Lists in pages, where an HTTP client cannot arrange the circumstances."""

from __future__ import annotations

import pytest

from trainyard.doors.kube.builtin import CONFIG_MAP
from trainyard.doors.kube.errors import Refused
from trainyard.doors.kube.options import ListOptions
from trainyard.doors.kube.reading import Reading
from trainyard.doors.kube.registry import Registry
from trainyard.doors.kube.world import World
from trainyard.ports.resources import LOG_KEPT, ResourceKey
from trainyard.stores.memory.resources import MemoryResourceStore


def a_reading(store: MemoryResourceStore) -> Reading:
    return Reading(
        World(store=store, registry=Registry(store), now=lambda: 0.0, uid=lambda: "u", suffix=lambda: "s", hooks=())
    )


def key(name: str) -> ResourceKey:
    return ResourceKey(CONFIG_MAP.collection, "default", name)


async def put(store: MemoryResourceStore, *names: str) -> None:
    for name in names:
        await store.create(key(name), {"metadata": {"name": name, "namespace": "default"}})


@pytest.mark.parametrize("labels", ["", "!nothing"])
async def test_a_token_that_no_watch_could_follow_has_expired_and_comes_with_a_fresh_one(labels: str) -> None:
    store = MemoryResourceStore()
    reading = a_reading(store)
    await put(store, "a", "b", "c")
    first = await reading.list(CONFIG_MAP, "default", ListOptions(limit=1, labels=labels))
    token = first.metadata["continue"]
    revision = int(first.metadata["resourceVersion"])
    entry = await store.get(key("c"))
    assert entry is not None
    for number in range(LOG_KEPT):
        entry = await store.put(key("c"), {**entry.body, "data": {"n": str(number)}}, expect=entry.revision)
    page = await reading.list(CONFIG_MAP, "default", ListOptions(limit=1, token=token, labels=labels))
    assert [one["metadata"]["name"] for one in page.items] == ["b"]
    assert page.metadata["resourceVersion"] == str(revision)
    await put(store, "d")
    with pytest.raises(Refused) as refused:
        await reading.list(CONFIG_MAP, "default", ListOptions(limit=1, token=token, labels=labels))
    assert (refused.value.code, refused.value.reason) == (410, "Expired")
    fresh = refused.value.status()["metadata"]["continue"]
    rest = await reading.list(CONFIG_MAP, "default", ListOptions(token=fresh, labels=labels))
    assert [one["metadata"]["name"] for one in rest.items] == ["b", "c", "d"]
    assert rest.metadata["resourceVersion"] == str(await store.revision())


async def test_a_token_of_a_server_that_was_made_anew_has_expired() -> None:
    old, store = MemoryResourceStore(), MemoryResourceStore()
    await put(old, "a", "b", "c")
    first = await a_reading(old).list(CONFIG_MAP, "default", ListOptions(limit=1))
    with pytest.raises(Refused, match="too old"):
        await a_reading(store).list(CONFIG_MAP, "default", ListOptions(token=first.metadata["continue"]))
