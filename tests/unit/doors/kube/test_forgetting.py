"""Events whose time is over go, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest

from trainyard.doors.kube.builtin import CONFIG_MAP, EVENT, NAMESPACE
from trainyard.doors.kube.forgetting import KEPT, Forgetting
from trainyard.doors.kube.options import WriteOptions
from trainyard.doors.kube.registry import Registry
from trainyard.doors.kube.world import World
from trainyard.doors.kube.writing import Writing
from trainyard.kit.times import rfc3339
from trainyard.stores.memory.resources import MemoryResourceStore

NOW = 1_800_000_000.0
OPTIONS = WriteOptions(agent="test")


class Hour:
    """A door's world whose clock stands at `now`."""

    def __init__(self) -> None:
        self.now, self.store, uids = NOW, MemoryResourceStore(), iter(map(str, range(1000)))
        world = World(
            store=self.store, registry=Registry(self.store), now=lambda: self.now, uid=lambda: next(uids),
            suffix=lambda: "s", hooks=(),
        )  # fmt: skip
        self.writing = Writing(world)
        self.forgetting = Forgetting(world, self.writing)

    async def left(self) -> list[str]:
        """The events' names after a look."""
        await self.forgetting.look()
        return [entry.key.name for entry in (await self.store.list(EVENT.collection)).entries]


@pytest.fixture
async def hour() -> Hour:
    made = Hour()
    await made.writing.create(NAMESPACE, "", {"metadata": {"name": "default"}}, OPTIONS)
    return made


def event(name: str, **times: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "involvedObject": {"namespace": "default"}, **times}


async def test_an_event_goes_a_day_after_it_last_happened(hour: Hour) -> None:
    later = rfc3339(NOW + KEPT - 60)
    await hour.writing.create(CONFIG_MAP, "default", {"metadata": {"name": "stays"}}, OPTIONS)
    for one in (
        event("once"),
        event("repeated", lastTimestamp=later),
        event("new-style", eventTime=rfc3339(NOW), series={"count": 2, "lastObservedTime": later}),
        event("of-the-future", lastTimestamp="9999-01-01T00:00:00Z"),
    ):
        await hour.writing.create(EVENT, "default", one, OPTIONS)
    assert len(await hour.left()) == 4
    hour.now = NOW + KEPT + 1
    assert await hour.left() == ["new-style", "repeated"]
    hour.now += KEPT
    assert await hour.left() == []
    assert (await hour.store.list(CONFIG_MAP.collection)).entries


async def test_more_than_a_page_of_them_go(hour: Hour) -> None:
    for number in range(501):
        await hour.writing.create(EVENT, "default", event(f"n{number}"), OPTIONS)
    hour.now = NOW + KEPT + 1
    assert await hour.left() == []
