"""Writes, where an HTTP client cannot arrange the circumstances."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from trainyard.doors.kube.builtin import CONFIG_MAP, NAMESPACE
from trainyard.doors.kube.errors import Refused
from trainyard.doors.kube.options import WriteOptions
from trainyard.doors.kube.registry import Registry
from trainyard.doors.kube.world import World
from trainyard.doors.kube.writing import TRIES, Writing
from trainyard.stores.memory.resources import MemoryResourceStore

OPTIONS = WriteOptions(agent="test")


async def writing(suffixes: Iterator[str]) -> Writing:
    store = MemoryResourceStore()
    world = World(
        store=store, registry=Registry(store), now=lambda: 0.0, uid=lambda: "u", suffix=lambda: next(suffixes), hooks=()
    )
    made = Writing(world)
    await made.create(NAMESPACE, "", {"metadata": {"name": "default"}}, OPTIONS)
    return made


async def test_a_generated_name_that_is_taken_is_made_anew() -> None:
    made = await writing(iter(["aaaaa", "aaaaa", "aaaaa", "bbbbb"]))
    for name in ("x-aaaaa", "x-bbbbb"):
        outcome = await made.create(CONFIG_MAP, "default", {"metadata": {"generateName": "x-"}}, OPTIONS)
        assert outcome.body["metadata"]["name"] == name


async def test_names_that_are_all_taken_are_refused_in_the_end() -> None:
    made = await writing(iter(["aaaaa"] * (TRIES + 1)))
    await made.create(CONFIG_MAP, "default", {"metadata": {"generateName": "x-"}}, OPTIONS)
    with pytest.raises(Refused) as refusal:
        await made.create(CONFIG_MAP, "default", {"metadata": {"generateName": "x-"}}, OPTIONS)
    assert (refusal.value.code, refusal.value.reason) == (409, "AlreadyExists")
