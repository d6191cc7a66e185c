"""The informer, against a server whose revisions do what those of servers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.fakes.apiserver import ApiServer

from trainyard.kit.clock import SystemClock
from trainyard.kubeapi.access import Access, Fixed
from trainyard.kubeapi.client import Client
from trainyard.kubeapi.informer import Informer
from trainyard.kubeapi.kinds import Kind

DEADLINE = 20.0
KIND = Kind("sagemaker.services.k8s.aws", "v1alpha1", "trainingjobs")
PLURAL = "trainingjobs"
Told = list[tuple[str, str | None]]


def put(api: ApiServer, name: str, word: str) -> None:
    known = api.objects[PLURAL].get(("default", name))
    metadata = {**known["metadata"]} if known else {"name": name, "namespace": "default"}
    api.put(PLURAL, {"metadata": metadata, "spec": {"word": word}})


@asynccontextmanager
async def an_informer(api: ApiServer) -> AsyncIterator[tuple[Informer, Told]]:
    """At work; every change that it told: key and the word, None where it is gone."""
    told: Told = []

    def listen(key: str, now: dict[str, Any] | None, _before: dict[str, Any] | None) -> None:
        told.append((key, now["spec"]["word"] if now else None))

    async with api.running() as url, Client(Access(server=url, credentials=Fixed()), SystemClock()) as client:
        informer = Informer(client, KIND, SystemClock(), listen)
        running = asyncio.create_task(informer.run())
        try:
            yield informer, told
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_server_whose_revisions_went_back_is_believed() -> None:
    """It was made anew from a backup: what it says is older by its numbers, and is so all the same."""
    api = ApiServer()
    api.revision = 1000
    for name in ("changed", "gone", "same"):
        put(api, name, "before")
    async with an_informer(api) as (informer, told):
        await until(informer.synced.is_set)
        api.revision = 10
        api.objects[PLURAL].pop(("default", "gone"))
        put(api, "changed", "restored")
        put(api, "same", "before")
        api.forget_history()
        api.oldest = 2000  # every watch is told 410
        await until(lambda: informer.relists > 0)
        api.oldest = api.revision
        await until(lambda: ("default/gone", None) in told)
        await until(lambda: ("default/changed", "restored") in told)
        assert (informer.get("default/changed") or {})["spec"]["word"] == "restored"
        assert sorted(informer.all_keys()) == ["default/changed", "default/same"]
        put(api, "changed", "after")  # and it is followed from where it stands
        await until(lambda: ("default/changed", "after") in told)


async def test_a_late_echo_of_an_older_revision_is_no_news() -> None:
    api = ApiServer()
    put(api, "one", "first")
    async with an_informer(api) as (informer, told):
        await until(informer.synced.is_set)
        later = {
            "metadata": {"name": "one", "namespace": "default", "resourceVersion": "900"},
            "spec": {"word": "ours"},
        }
        assert informer.wrote(later)
        put(api, "one", "older than what we wrote")
        put(api, "two", "a mark")
        await until(lambda: ("default/two", "a mark") in told)
        assert (informer.get("default/one") or {})["spec"]["word"] == "ours"
        assert not informer.wrote({**later, "metadata": {**later["metadata"], "resourceVersion": "899"}})  # type: ignore[dict-item]
