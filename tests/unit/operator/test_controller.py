"""The controller at work: what it writes, how often, and what it does when things go wrong around it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web
from tests.fakes.apiserver import ApiServer, refusal
from tests.fakes.yard import TestYard, a_running_yard
from tests.unit.operator.world import CLOCK, REQUEST, World, a_client, a_controller, a_manifest, a_world, an_api, until

from trainyard.kubeapi.client import Client
from trainyard.kubeapi.lease import Lease, NotLeading, Terms
from trainyard.model.errors import Transient
from trainyard.model.job import Job
from trainyard.model.observation import Ending, Milestone
from trainyard.operator.case import Rules
from trainyard.operator.controller import Controller, running
from trainyard.operator.reconciler import TRAINING_JOBS
from trainyard.ports.places import OnlyPlace
from trainyard.resource.names import FINALIZER, PLURAL
from trainyard.resource.status_schema import ack_members


def status_writes(world: World, name: str) -> int:
    return sum(what == ("PATCH", f"{PLURAL}/default/{name}/status") for what in world.api.log)


async def trained(world: World, name: str = "job") -> None:
    """Take a job to its end."""
    await world.reaches(name, "InProgress")
    await until(lambda: bool(world.yard.runtime.runs))
    await world.yard.reach(name, Milestone.STAGING, Milestone.TRAINING)
    await world.reaches(name, "Training")
    await world.yard.end(name)
    await world.reaches(name, "Completed")


async def test_a_resource_is_carried_out_to_its_end_and_then_left_alone() -> None:
    async with a_world() as world:
        await world.apply("job")
        await trained(world)
        assert world.condition("job", "ACK.ResourceSynced") == "True"
        assert world.condition("job", "Ready") == "True"
        assert world.resource("job")["metadata"]["finalizers"] == [FINALIZER]
        assert world.resource("job")["spec"]["outputDataConfig"]["compressionType"] == "GZIP"
        await until(lambda: world.controller.queue.idle)
        writes, calls = resource_writes(world), described(world)
        await world.client.patch(TRAINING_JOBS, "default", "job", {"metadata": {"labels": {"a": "b"}}})
        await until(lambda: described(world) > calls)  # an edit of a label is noticed, and needs nothing
        await until(lambda: world.controller.queue.idle)
        assert resource_writes(world) == writes + 1  # the edit's own


async def test_a_job_that_measures_is_not_held_for_edited() -> None:
    """The service keeps metrics as series by itself where a job defines some: nobody edited anything."""
    algorithm = {**REQUEST["AlgorithmSpecification"], "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*)"}]}
    async with a_world() as world:
        await world.apply("job", AlgorithmSpecification=algorithm)
        await trained(world)
        assert world.condition("job", "ACK.Terminal") is None
        assert "drift" not in world.status("job")
        assert world.resource("job")["spec"]["algorithmSpecification"]["enableSageMakerMetricsTimeSeries"] is True


def resource_writes(world: World) -> int:
    return sum(what.startswith(f"{PLURAL}/") for _, what in world.api.log)


def described(world: World) -> float:
    counted = world.controller.metrics.calls.labels("sagemaker", "READ_ONE", "DescribeTrainingJob")
    return float(counted._value.get())


async def test_one_change_is_one_write_and_one_event() -> None:
    async with a_world() as world:
        await world.apply("job")
        await world.reaches("job", "InProgress")
        await until(lambda: bool(world.yard.runtime.runs))
        await until(lambda: world.controller.queue.idle)
        before = status_writes(world, "job")
        await world.yard.reach("job", Milestone.STAGING)
        await world.reaches("job", "Downloading")
        await until(lambda: world.controller.queue.idle)
        assert status_writes(world, "job") <= before + 1
        reasons = lambda: [event["reason"] for event in world.api.objects["events"].values()]  # noqa: E731
        await until(lambda: "Downloading" in reasons())
        assert set(reasons()) <= {"Downloading", "Starting"}


async def test_deleting_a_running_job_stops_it_and_waits() -> None:
    async with a_world() as world:
        await world.apply("job")
        await until(lambda: bool(world.yard.runtime.runs))
        await world.client.delete(TRAINING_JOBS, "default", "job")
        await until(lambda: world.is_gone("job"))
        assert (await world.yard.service.describe("job")).description.training_job_status == "Stopped"


async def test_delete_and_recreate_under_one_name_does_not_take_the_old_job_over() -> None:
    async with a_world() as world:
        await world.apply("job")
        await trained(world)
        await world.client.delete(TRAINING_JOBS, "default", "job")
        await until(lambda: world.is_gone("job"))
        await world.apply("job")
        await until(lambda: world.condition("job", "ACK.Terminal") == "True")
        assert (
            "finalizers" not in world.resource("job")["metadata"] or not world.resource("job")["metadata"]["finalizers"]
        )
        assert len(world.yard.runtime.launches) == 1
        await world.yard.service.delete("job")  # the outside cause goes away: then the job is made after all
        await world.reaches("job", "InProgress")
        assert world.condition("job", "ACK.Terminal") is None


async def test_a_bad_edit_does_not_stop_tracking() -> None:
    async with a_world() as world:
        await world.apply("job")
        await until(lambda: bool(world.yard.runtime.runs))
        await world.edit("job", {"spec": {"hyperParameters": {"eta": "1"}}})
        await until(lambda: world.condition("job", "ACK.Terminal") == "True")
        await world.yard.reach("job", Milestone.STAGING, Milestone.TRAINING)
        await world.yard.end("job", Ending.FAILED, exit_code=1)
        await world.reaches("job", "Failed")
        await world.edit("job", {"spec": {"hyperParameters": None}})
        await until(lambda: world.condition("job", "ACK.Terminal") is None)


async def test_tags_follow_the_resource() -> None:
    async with a_world() as world:
        await world.apply("job", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        await world.reaches("job", "InProgress")
        await world.yard.service.add_tags("job", [("theirs", "x")])
        await world.edit("job", {"spec": {"tags": [{"key": "a", "value": "3"}]}})
        await until(lambda: world.status("job").get("managedTagKeys") == ["a"])
        tags = dict((await world.yard.service.describe("job")).tags)
        assert (tags["a"], tags["theirs"], "b" in tags) == ("3", "x", False)


class Ill:
    """A service that can be out of order."""

    def __init__(self, yard: TestYard) -> None:
        self._service, self.down = yard.service, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    async def describe(self, name: str) -> Job:
        """The service's answer, or none."""
        if self.down:
            raise Transient("out of order")
        return await self._service.describe(name)


async def test_a_service_that_cannot_be_reached_is_told_and_nothing_is_touched() -> None:
    made: list[Ill] = []

    def ill(yard: TestYard) -> Any:
        made.append(Ill(yard))
        return made[0]

    async with a_world(service=ill) as world:
        await world.apply("job")
        await world.reaches("job", "InProgress")
        await until(lambda: bool(world.yard.runtime.launches))
        made[0].down = True
        await world.edit("job", {"metadata": {"labels": {"look": "now"}}})
        await until(lambda: world.condition("job", "ACK.Recoverable") == "True")
        assert world.status("job")["trainingJobStatus"] == "InProgress"
        assert "unseenSince" in world.status("job")
        await world.client.delete(TRAINING_JOBS, "default", "job")
        await until(lambda: "deletionTimestamp" in world.resource("job")["metadata"])
        made[0].down = False
        await until(lambda: world.is_gone("job"))
        assert len(world.yard.runtime.launches) == 1


async def test_a_job_is_not_made_again_after_it_was_forgotten() -> None:
    async with a_world() as world:
        await world.apply("job")
        await trained(world)
        await until(lambda: world.controller.queue.idle)
        await world.yard.service.delete("job")
        await until(lambda: bool(world.status("job").get("notices")))
        assert world.status("job")["trainingJobStatus"] == "Completed"
        assert world.condition("job", "ACK.ResourceSynced") == "True"
        assert len(world.yard.runtime.launches) == 1


async def drop(request: web.BaseRequest) -> web.StreamResponse | None:
    """Cut the connection."""
    assert request.transport is not None
    request.transport.abort()
    raise web.HTTPBadGateway


async def hang(_request: web.BaseRequest) -> web.StreamResponse | None:
    """Never answer; the client's patience is two seconds."""
    await asyncio.sleep(30)
    return None


def answering(status: int, reason: str, **headers: str) -> Any:
    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        return refusal(status, reason, **headers)

    return answer


TROUBLES = {
    "500": answering(500, "InternalError"),
    "503": answering(503, "ServiceUnavailable"),
    "429 with Retry-After": answering(429, "TooManyRequests", **{"Retry-After": "1"}),
    "409 on everything": answering(409, "Conflict"),
    "410 on everything": answering(410, "Expired"),
    "cut connections": drop,
    "no answer": hang,
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_the_api_servers_trouble_passes_and_nothing_is_lost_or_made_twice(trouble: str) -> None:
    async with a_world() as world:
        await world.apply("before")
        await until(lambda: len(world.yard.runtime.runs) == 1)
        met = 0

        async def for_a_while(request: web.BaseRequest) -> web.StreamResponse | None:
            nonlocal met
            if met >= 6:
                return None
            met += 1
            answer: web.StreamResponse | None = await TROUBLES[trouble](request)
            return answer

        world.api.trouble = for_a_while
        world.api.put(PLURAL, with_namespace(a_manifest("during")))
        await world.yard.reach("before", Milestone.STAGING, Milestone.TRAINING)
        await world.reaches("before", "Training")
        await world.reaches("during", "InProgress")
        await until(lambda: len(world.yard.runtime.runs) == 2)
        assert len(world.yard.runtime.launches) == 2
        assert met > 0


def with_namespace(manifest: dict[str, Any]) -> dict[str, Any]:
    manifest["metadata"]["namespace"] = "default"
    return manifest


async def test_a_watch_that_died_silently_is_replaced() -> None:
    async with a_world() as world:
        await world.apply("job")
        await until(lambda: bool(world.yard.runtime.runs))
        world.api.deaf = True  # from now on no watch says anything
        world.api.put(PLURAL, with_namespace(a_manifest("unheard")))
        await until(lambda: world.controller.watch_age() > 0.5)
        world.api.deaf = False
        await world.reaches("unheard", "InProgress")


async def test_a_compacted_history_is_listed_again_and_deletions_are_found() -> None:
    async with a_world() as world:
        await world.apply("job")
        await trained(world)
        await until(lambda: world.controller.queue.idle)
        world.api.objects[PLURAL].pop(("default", "job"))
        world.api.revision += 1
        world.api.forget_history()
        await until(lambda: not world.controller.index.keys_of("job"))


async def test_the_api_server_restarts_under_an_operator_that_goes_on() -> None:
    api = ApiServer(bookmarks=0.2)
    api.put("namespaces", {"metadata": {"name": "default"}})
    async with a_running_yard() as yard, AsyncExitStack() as first:
        url = await first.enter_async_context(api.running())
        async with a_client(url) as client:
            controller = a_controller(client, yard.service)
            world = World(api, yard, client, controller)
            async with running(controller):
                await world.apply("job")
                await until(lambda: bool(yard.runtime.runs))
                await first.aclose()
                await yard.reach("job", Milestone.STAGING, Milestone.TRAINING)
                await until(lambda: controller.watch_age() > 1.0)
                assert len(yard.runtime.launches) == 1
                async with api.running(api.port):
                    await world.reaches("job", "Training")
                    await world.apply("later")
                    await world.reaches("later", "InProgress")
                    await until(lambda: len(yard.runtime.launches) == 2)


async def test_a_service_that_was_exchanged_has_no_job_made_again() -> None:
    async with a_running_yard() as yard, an_api() as (api, client):
        controller = a_controller(client, yard.service)
        async with running(controller):
            world = World(api, yard, client, controller)
            await world.apply("job")
            await world.reaches("job", "InProgress")  # the resource knows whose job it is
            await until(lambda: controller.queue.idle)
        port = api.port
    async with a_running_yard() as other, api.running(port) as url, a_client(url) as again:
        controller = a_controller(again, other.service)
        async with running(controller):
            world = World(api, other, again, controller)
            await until(lambda: world.condition("job", "ACK.Terminal") == "True")  # another service: the job is gone
            assert not other.runtime.launches


async def test_two_operators_at_once_make_one_job() -> None:
    async with a_running_yard() as yard, an_api() as (api, client):
        first, second = (a_controller(client, yard.service) for _ in range(2))
        async with running(first), running(second):
            world = World(api, yard, client, first)
            await asyncio.gather(*(world.apply(f"job-{number}") for number in range(10)))
            for number in range(10):
                await world.reaches(f"job-{number}", "InProgress")
            await until(lambda: len(yard.runtime.runs) == 10)
            for number in range(10):
                assert world.condition(f"job-{number}", "ACK.Terminal") is None
        assert len(yard.runtime.launches) == 10


async def test_who_lost_the_lease_writes_nothing() -> None:
    async with a_running_yard() as yard, an_api() as (api, client):
        lease = Lease(
            client, a_controller(client, yard.service)._clock, namespace="default", name="lease", identity="one",
            terms=Terms(duration=2.0, renew_within=1.0, retry=0.2),
        )  # fmt: skip
        controller = a_controller(client, yard.service)
        controller.guard = lease.check  # never taken
        api.put(PLURAL, with_namespace(a_manifest("job")))
        with pytest.raises(ExceptionGroup) as raised:
            await controller.run()
        assert raised.group_contains(NotLeading)
        assert not yard.runtime.launches
        assert "status" not in api.get(PLURAL, "job")


def pruned(value: Any, schema: Any) -> Any:
    """What is left of a value under a structural schema."""
    if isinstance(value, dict) and "properties" in schema:
        members = schema["properties"]
        return {name: pruned(member, members[name]) for name, member in value.items() if name in members}
    return [pruned(item, schema["items"]) for item in value] if isinstance(value, list) else value


async def test_a_definition_that_prunes_what_we_say_is_not_told_it_again_and_again() -> None:
    async with a_world(ttl=None) as world:
        world.api.keeps = lambda status: pruned(status, {"properties": ack_members()})
        await world.apply("job")
        await trained(world)
        await until(lambda: world.controller.queue.idle)
        assert "observedGeneration" not in world.status("job")
        writes, calls = status_writes(world, "job"), described(world)
        for number in range(3):
            await world.edit("job", {"metadata": {"labels": {"look": str(number)}}})
            await until(lambda calls=calls, number=number: described(world) > calls + number)
            await until(lambda: world.controller.queue.idle)
        assert status_writes(world, "job") == writes


async def test_a_definition_that_prunes_does_not_keep_a_resource_beyond_its_time() -> None:
    async with a_world(ttl=0.5) as world:
        world.api.keeps = lambda status: pruned(status, {"properties": ack_members()})
        await world.apply("job")
        await until(lambda: bool(world.yard.runtime.runs))
        await world.yard.reach("job", Milestone.STAGING, Milestone.TRAINING)
        await world.yard.end("job")
        await until(lambda: world.is_gone("job"))


async def test_the_time_to_live_takes_the_resource_and_leaves_the_job() -> None:
    async with a_world(ttl=0.5) as world:
        await world.apply("job")
        await until(lambda: bool(world.yard.runtime.runs))
        await world.yard.reach("job", Milestone.STAGING, Milestone.TRAINING)
        await world.yard.end("job")
        await until(lambda: world.is_gone("job"))
        assert (await world.yard.service.describe("job")).description.training_job_status == "Completed"


async def test_a_namespace_that_retains_is_known_before_anything_in_it_is_met() -> None:
    async with a_running_yard() as yard, an_api() as (api, client):
        async with running(a_controller(client, yard.service)):
            api.put(PLURAL, with_namespace(a_manifest("job")))
            await until(lambda: bool(yard.runtime.runs))
        annotations = {"sagemaker.services.k8s.aws/deletion-policy": "retain"}
        api.put("namespaces", {"metadata": {"name": "default", "annotations": annotations}})
        await client.delete(TRAINING_JOBS, "default", "job")
        met = 0

        async def slow_to_tell_of_namespaces(request: web.BaseRequest) -> web.StreamResponse | None:
            nonlocal met
            met += "namespaces" in request.path and PLURAL not in request.path
            return refusal(503, "ServiceUnavailable") if met in range(1, 4) and PLURAL not in request.path else None

        api.trouble = slow_to_tell_of_namespaces
        async with running(a_controller(client, yard.service)):
            await until(lambda: ("default", "job") not in api.objects[PLURAL])
        assert met >= 3
        assert (await yard.service.describe("job")).description.training_job_status == "InProgress"


async def test_what_a_namespace_asks_for_and_does_not_get_is_told_as_soon_as_it_asks() -> None:
    async with a_world() as world:
        await world.apply("job")
        await world.reaches("job", "InProgress")
        annotations = {"services.k8s.aws/owner-account-id": "999999999999"}
        world.api.put("namespaces", {"metadata": {"name": "default", "annotations": annotations}})
        await until(lambda: any("999999999999" in one for one in world.status("job").get("notices", ())))
        world.api.put("namespaces", {"metadata": {"name": "default"}})
        await until(lambda: not any("999999999999" in one for one in world.status("job").get("notices", ())))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", range(1, 10))
async def test_killed_at_any_write_the_next_operator_comes_to_the_same_end(write: int, when: str) -> None:
    """Tags, an update, the end of the job, its deletion: at the nth write the operator is gone, mid-request."""
    async with a_running_yard() as yard, an_api() as (api, client):
        killed, count = asyncio.Event(), 0

        async def kill(request: web.BaseRequest) -> web.StreamResponse | None:
            nonlocal count
            mine = request.method in ("PATCH", "DELETE") and "Person" not in request.headers.get("User-Agent", "")
            count += mine and f"/{PLURAL}/" in request.path
            if count != write or killed.is_set():
                return None
            killed.set()
            if when == "after":
                await api.handle(request)
            assert request.transport is not None
            request.transport.abort()
            raise web.HTTPBadGateway

        api.trouble = kill
        async with a_client(f"http://127.0.0.1:{api.port}", user_agent="Person") as person:
            world = World(api, yard, person, a_controller(client, yard.service))
            living = asyncio.create_task(lives(killed, client, yard))
            await world.apply("job", Tags=[{"Key": "a", "Value": "1"}])
            await world.reaches("job", "InProgress")
            await until(lambda: bool(yard.runtime.runs))
            await world.edit("job", {"spec": {"tags": [{"key": "b", "value": "2"}]}})
            await until(lambda: world.status("job").get("managedTagKeys") == ["b"])
            await world.edit("job", {"spec": {"remoteDebugConfig": {"enableRemoteDebug": True}}})
            await yard.reach("job", Milestone.STAGING, Milestone.TRAINING)
            await world.reaches("job", "Training")
            await world.edit("job", {"metadata": {"labels": {"look": "again"}}})
            await yard.end("job")
            await world.reaches("job", "Completed")
            tags = dict((await yard.service.describe("job")).tags)
            assert ("a" in tags, tags["b"]) == (False, "2")
            await person.delete(TRAINING_JOBS, "default", "job")
            await until(lambda: world.is_gone("job"))
            assert len(yard.runtime.launches) == 1
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)


async def lives(killed: asyncio.Event, client: Client, yard: TestYard) -> None:
    """An operator until it is killed, then another."""
    async with running(a_controller(client, yard.service)):
        await killed.wait()
    async with running(a_controller(client, yard.service)):
        await asyncio.Event().wait()


class Wrong:
    """A clock whose wall time is wrong by so many seconds; what it measures between two moments is right."""

    def __init__(self, by: float) -> None:
        self._by = by

    def now(self) -> float:
        """Wrong."""
        return CLOCK.now() + self._by

    def boottime(self) -> float:
        """Right."""
        return CLOCK.boottime()


@pytest.mark.parametrize("by", [-1e8, 1e8])
async def test_a_clock_that_is_wrong_stops_makes_and_deletes_nothing(by: float) -> None:
    async with a_running_yard() as yard, an_api() as (api, client):
        controller = Controller(client, OnlyPlace(yard.service), Rules(scope=yard.service.scope), Wrong(by))
        async with running(controller):
            world = World(api, yard, client, controller)
            await world.apply("job")
            await trained(world)
            await until(lambda: controller.queue.idle)
        writes = resource_writes(world)
        async with running(a_controller(client, yard.service)):  # a right clock sees nothing to mend
            await world.edit("job", {"metadata": {"labels": {"a": "b"}}})
            await until(lambda: world.controller.queue.idle)
        assert resource_writes(world) == writes + 1
        assert len(yard.runtime.launches) == 1
