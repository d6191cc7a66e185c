"""The operator with a Trainyard elsewhere, and bad weather on the way: law 2 holds, and nothing is done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.fakes.yard import SCOPE, a_running_yard
from tests.unit.operator.world import World, a_controller, an_api, until

from trainyard.access.guard import nobody_else
from trainyard.doors.control.jobs import jobs_app
from trainyard.operator.controller import running
from trainyard.operator.reconciler import TRAINING_JOBS
from trainyard.remote import connection as module
from trainyard.remote.connection import Address, Connection
from trainyard.remote.service import RemoteService
from trainyard.wiring.answering import answering
from trainyard.wiring.sockets import unix_listener


class Weather:
    """Something between a client and the job API. `kind`: fine, or what becomes of requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self.kind, self.spoilt = app, "fine", 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if self.kind == "fine":
            await self._app(scope, receive, send)
            return
        self.spoilt += 1
        if self.kind == "silent":
            await asyncio.Event().wait()  # half-open: the request arrived, and no answer ever comes
        if self.kind == "lost":

            async def nowhere(_message: Any) -> None:
                """The answer is lost after the deed."""

            await asyncio.wait_for(self._app(scope, receive, nowhere), 5)
        status, headers = (429, {"retry-after": "1"}) if self.kind == "busy" else (503, {})
        await PlainTextResponse("<html>not now</html>", status, headers)(scope, receive, send)


@asynccontextmanager
async def a_world_afar(folder: Path) -> AsyncIterator[tuple[World, Weather]]:
    async with a_running_yard() as yard, an_api() as (api, client):
        closing = asyncio.Event()
        weather = Weather(jobs_app(lambda _scope: yard.service, closing, nobody_else))
        with unix_listener(folder, "control.sock") as listener:
            async with (
                answering(weather, listener, grace=1),
                Connection(Address(socket=folder / "control.sock")) as connection,
            ):
                controller = a_controller(client, RemoteService(SCOPE, connection))
                async with running(controller):
                    yield World(api, yard, client, controller), weather
                closing.set()


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.5)
    monkeypatch.setattr(module, "_WHOLE", aiohttp.ClientTimeout(total=1.0))


@pytest.mark.parametrize("kind", ["unavailable", "busy", "lost", "silent"])
async def test_bad_weather_neither_doubles_a_job_nor_touches_it(tmp_path: Path, kind: str) -> None:
    async with a_world_afar(tmp_path) as (world, weather):
        weather.kind = kind
        await world.apply("job")
        await until(lambda: world.condition("job", "ACK.Recoverable") == "True" or weather.spoilt > 2)
        weather.kind = "fine"
        await world.reaches("job", "InProgress")
        await until(lambda: bool(world.yard.runtime.runs) and world.condition("job", "ACK.Recoverable") != "True")
        weather.kind = kind
        await world.client.patch(TRAINING_JOBS, "default", "job", {"metadata": {"annotations": {"look": "again"}}})
        await until(lambda: world.condition("job", "ACK.Recoverable") == "True")
        assert world.status("job")["trainingJobStatus"] == "InProgress"
        assert (await world.yard.record("job")).stop is None
        weather.kind = "fine"
        await until(lambda: world.condition("job", "ACK.Recoverable") != "True")
        await world.yard.end("job")
        await world.reaches("job", "Completed")
        assert len(world.yard.runtime.launches) == 1


async def test_a_resource_that_is_deleted_while_its_job_cannot_be_seen_waits(tmp_path: Path) -> None:
    async with a_world_afar(tmp_path) as (world, weather):
        await world.apply("job")
        await world.reaches("job", "InProgress")
        weather.kind = "unavailable"
        await world.client.delete(TRAINING_JOBS, "default", "job")
        await until(lambda: weather.spoilt > 2)
        assert not world.is_gone("job")
        assert (await world.yard.record("job")).stop is None
        weather.kind = "fine"
        await until(lambda: world.is_gone("job"))
        assert (await world.yard.record("job")).status.is_final


async def test_changes_are_followed_on_from_where_the_stream_broke(tmp_path: Path) -> None:
    async with a_world_afar(tmp_path) as (world, weather):
        await world.apply("job")
        await world.reaches("job", "InProgress")
        await until(lambda: bool(world.yard.runtime.runs))
        weather.kind = "unavailable"  # the stream that runs goes on; it falls silent, for 0.5 s are less than a sign
        await until(lambda: weather.spoilt > 0)
        await world.yard.end("job")
        weather.kind = "fine"
        await world.reaches("job", "Completed")
