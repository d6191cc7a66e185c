"""Events: in the order in which they were told, repetitions counted, and never in anybody's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from tests.fakes.apiserver import ApiServer, refusal
from tests.fakes.runtime import ManualClock

from trainyard.kit.clock import SystemClock
from trainyard.kubeapi.access import Access, Fixed
from trainyard.kubeapi.client import Client
from trainyard.kubeapi.recorder import WAITING, Recorder

ABOUT = {
    "apiVersion": "sagemaker.services.k8s.aws/v1alpha1", "kind": "TrainingJob",
    "metadata": {"name": "one", "namespace": "red", "uid": "u", "resourceVersion": "7"},
}  # fmt: skip


@asynccontextmanager
async def a_recorder(api: ApiServer, clock: ManualClock) -> AsyncIterator[Recorder]:
    async with api.running() as url, Client(Access(server=url, credentials=Fixed()), SystemClock()) as client:
        recorder = Recorder(client, clock, component="test")
        telling = asyncio.create_task(recorder.run())
        try:
            yield recorder
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)


def listed(api: ApiServer) -> list[dict[str, Any]]:
    """As a list of the server has them: by name."""
    return [item for _, item in sorted(api.objects["events"].items())]


async def test_what_happened_within_one_second_is_listed_in_its_order() -> None:
    api, reasons = ApiServer(), ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    async with a_recorder(api, ManualClock()) as recorder:
        for reason in reasons:
            recorder.tell(ABOUT, reason, f"TrainingJob is in {reason} status.")
        await recorder.drained()
    assert [event["reason"] for event in listed(api)] == reasons
    assert {event["metadata"]["namespace"] for event in listed(api)} == {"red"}


async def test_a_clock_that_is_set_back_changes_no_order() -> None:
    api, clock = ApiServer(), ManualClock()
    async with a_recorder(api, clock) as recorder:
        recorder.tell(ABOUT, "First", "")
        clock.at -= 500
        recorder.tell(ABOUT, "Second", "")
        await recorder.drained()
    assert [event["reason"] for event in listed(api)] == ["First", "Second"]


async def test_the_same_again_is_counted_in_one_event() -> None:
    api, clock = ApiServer(), ManualClock()
    async with a_recorder(api, clock) as recorder:
        for _ in range(3):
            recorder.tell(ABOUT, "Recoverable", "no answer", warning=True)
            await recorder.drained()
            clock.at += 10
    (event,) = listed(api)
    assert (event["count"], event["type"]) == (3, "Warning")
    assert (event["firstTimestamp"], event["lastTimestamp"]) == (
        "1970-01-01T00:16:40.000000Z", "1970-01-01T00:17:00.000000Z",
    )  # fmt: skip


async def test_an_event_whose_time_in_the_server_was_over_is_begun_anew() -> None:
    api, clock = ApiServer(), ManualClock()
    async with a_recorder(api, clock) as recorder:
        for _ in range(3):
            recorder.tell(ABOUT, "Recoverable", "no answer")
            await recorder.drained()
            api.objects["events"].clear()
    assert (recorder.sent, recorder.dropped) == (2, 1)


async def test_one_object_cannot_flood_the_server() -> None:
    api = ApiServer()
    async with a_recorder(api, ManualClock()) as recorder:
        for number in range(100):
            recorder.tell(ABOUT, "Loud", f"line {number}")
        await recorder.drained()
    assert (recorder.sent, recorder.dropped) == (25, 75)


async def test_a_burst_of_as_many_as_there_is_room_for_loses_none() -> None:
    api = ApiServer()
    async with a_recorder(api, ManualClock()) as recorder:
        for number in range(WAITING + 5):
            metadata = {**ABOUT["metadata"], "uid": f"u{number}"}  # type: ignore[dict-item]
            recorder.tell({**ABOUT, "metadata": metadata}, "Completed", "")
        assert recorder.dropped == 5


async def test_a_server_that_refuses_events_loses_them_and_nothing_else() -> None:
    api = ApiServer()

    async def refuse(_request: web.BaseRequest) -> web.StreamResponse | None:
        return refusal(403, "Forbidden")

    async with a_recorder(api, ManualClock()) as recorder:
        api.trouble = refuse
        recorder.tell(ABOUT, "First", "")
        await recorder.drained()
        api.trouble = None
        recorder.tell(ABOUT, "First", "")
        await recorder.drained()
    assert (recorder.sent, recorder.dropped) == (1, 1)
    assert [event["count"] for event in listed(api)] == [1]
