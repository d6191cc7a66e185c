"""The operator with `amazon` behind it, against our own SageMaker door: stock boto3, and every call counted."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from tests.amazon_world import an_amazon, places_at
from tests.aws_server import an_aws_server
from tests.fakes.yard import SCOPE
from tests.unit.operator.world import CLOCK, REQUEST, until

from trainyard.amazon.changes import SWEEP, Changes
from trainyard.model.errors import Transient
from trainyard.model.observation import Ending
from trainyard.model.spec import TrainingJobSpec
from trainyard.resource.names import PLURAL

JOBS = 250


async def test_a_resource_is_carried_out_over_there_to_its_end() -> None:
    async with an_amazon() as amazon:
        await amazon.apply("job", Tags=[{"Key": "team", "Value": "a"}])
        await amazon.reaches("job", "InProgress")
        metadata = amazon.status("job")["ackResourceMetadata"]
        assert metadata["arn"] == f"arn:aws:sagemaker:us-west-2:{SCOPE.account}:training-job/job"
        assert (metadata["ownerAccountID"], metadata["region"]) == (SCOPE.account, SCOPE.region)
        await until(lambda: bool(amazon.api.get(PLURAL, "job")["spec"]["outputDataConfig"].get("compressionType")))
        await amazon.train("job")
        await amazon.reaches("job", "Training")
        await amazon.end("job")
        await amazon.reaches("job", "Completed")
        assert amazon.condition("job", "ACK.ResourceSynced")["status"] == "True"
        assert amazon.changed_anything() == ["CreateTrainingJob"]
        tags = dict((await amazon.at_the_yard(amazon.aws.yard.service.describe("job"))).tags)
        assert (tags["team"], "services.k8s.aws/resource-uid" in tags) == ("a", True)


async def test_a_feed_starts_with_the_first_resource_and_stops_with_the_last() -> None:
    async with an_amazon() as amazon:
        assert not amazon.controller.feeds.followed()
        await amazon.apply("job")
        await amazon.reaches("job", "InProgress")
        assert len(amazon.controller.feeds.followed()) == 1
        await amazon.train("job")
        await amazon.end("job")
        await amazon.reaches("job", "Completed")
        await until(lambda: not amazon.controller.feeds.followed())
        await amazon.apply("other")
        await until(lambda: len(amazon.controller.feeds.followed()) == 1)


async def test_a_state_costs_no_call_for_a_job_that_does_not_move_and_one_for_one_that_does() -> None:
    count, moving = 60, 3
    async with an_amazon() as amazon:
        for number in range(count):
            await amazon.apply(f"job-{number}")
        for number in range(count):
            await amazon.reaches(f"job-{number}", "InProgress")
        for number in range(moving):
            await amazon.train(f"job-{number}")
            await amazon.reaches(f"job-{number}", "Training")
        await settled(amazon)
        amazon.aws.calls.clear()
        await until(lambda: amazon.aws.count("ListTrainingJobs") >= 10)
        assert {one.rpartition(".")[2] for one in amazon.aws.calls} == {"ListTrainingJobs"}
        amazon.aws.calls.clear()
        for number in range(moving):
            await amazon.end(f"job-{number}", Ending.FAILED, exit_code=1)
        for number in range(moving):
            await amazon.reaches(f"job-{number}", "Failed")
        await settled(amazon)
        assert amazon.aws.count("DescribeTrainingJob") <= moving
        assert amazon.changed_anything() == []


async def settled(amazon: Any) -> None:
    """Wait until a few looks in a row had nothing to tell, and no pass that met a conflict waits to be repeated."""
    quiet, before = 0, -1
    while quiet < 2 * SWEEP + 5:  # what a late list passed over, a sweep finds
        looks, now = amazon.aws.count("ListTrainingJobs"), amazon.aws.count("DescribeTrainingJob")
        await until(lambda seen=looks: amazon.aws.count("ListTrainingJobs") > seen)
        quiet, before = (quiet + 1 if now == before and rests(amazon.controller.queue) else 0), now


def rests(queue: Any) -> bool:
    """Whether no key is worked on, waits, or will come back within seconds."""
    soon = asyncio.get_running_loop().time() + 5
    return bool(queue.idle) and all(later.when() > soon for later in queue._later.values())


async def test_a_look_at_many_jobs_costs_a_fiftieth_of_their_number_and_two() -> None:
    with an_aws_server() as aws:

        async def make() -> None:
            for number in range(JOBS):
                spec = TrainingJobSpec.from_wire({**REQUEST, "TrainingJobName": f"job-{number}"})
                await aws.yard.service.create(spec)

        await asyncio.to_thread(aws.run, make())
        async with places_at(aws) as places:
            service = await places.service(places.home)
            changes = Changes(service.scope, service.list, int(CLOCK.now() * 1000))
            told, costs = set[str](), []
            for _ in range(2 * SWEEP):  # a sweep of each status among them
                aws.calls.clear()
                told |= {change.name for change in await changes.look()}
                costs.append(len(aws.calls))
        assert len(told) == JOBS
        assert max(costs) <= math.floor(JOBS / 50) + 2
        assert aws.count("DescribeTrainingJob") == 0


async def test_a_region_of_the_namespace_is_where_its_jobs_are_made() -> None:
    async with an_amazon() as amazon:
        await amazon.namespace("abroad", default_region="eu-west-1")
        await amazon.apply("job")
        await amazon.apply("job", "abroad")
        await amazon.apply("third", "abroad", annotations={"services.k8s.aws/region": "ap-south-1"})
        for name, namespace, region in (
            ("job", "default", "us-west-2"),
            ("job", "abroad", "eu-west-1"),
            ("third", "abroad", "ap-south-1"),
        ):
            await amazon.reaches(name, "InProgress", namespace)
            told = amazon.status(name, namespace)["ackResourceMetadata"]
            assert told["region"] == region
            assert told["arn"] == f"arn:aws:sagemaker:{region}:{SCOPE.account}:training-job/{name}"
        assert {place.region for place in amazon.controller.feeds.followed()} == {
            "us-west-2", "eu-west-1", "ap-south-1",
        }  # fmt: skip


async def test_an_account_without_a_role_is_waited_for_until_the_map_names_one() -> None:
    async with an_amazon() as amazon:
        await amazon.namespace("theirs", owner_account_id="222222222222")
        await amazon.apply("job", "theirs")
        await until(lambda: bool(amazon.condition("job", "ACK.ResourceSynced", "theirs")))
        told = amazon.condition("job", "ACK.ResourceSynced", "theirs")
        assert (told["status"], told["message"]) == ("False", "IAM Role is not available")
        assert told["reason"] == "CARM configmap not found"
        await amazon.role_map("ack-role-account-map", **{"333333333333": "arn:aws:iam::333333333333:role/x"})
        reason = "account ID not found in CARM configmap"
        await until(lambda: amazon.condition("job", "ACK.ResourceSynced", "theirs")["reason"] == reason)
        assert amazon.aws.calls == []


class Throttled:
    """A service that is asked too often."""

    def __init__(self, service: Any) -> None:
        self._service, self.busy = service, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    async def describe(self, name: str) -> Any:
        """The service's answer, or none."""
        if self.busy:
            raise Transient("Rate exceeded")
        return await self._service.describe(name)


async def test_a_service_that_has_no_time_is_told_and_nothing_is_touched() -> None:
    made: list[Throttled] = []

    def wrap(service: Any) -> Any:
        made.append(Throttled(service))
        return made[0]

    async with an_amazon(wrap=wrap) as amazon:
        await amazon.apply("job")
        await amazon.reaches("job", "InProgress")
        made[0].busy = True
        await amazon.train("job")
        await until(lambda: bool(amazon.condition("job", "ACK.Recoverable")))
        told = amazon.condition("job", "ACK.Recoverable")["message"]
        assert told.startswith("api error ServiceUnavailable: ")
        assert amazon.condition("job", "ACK.ResourceSynced")["status"] == "Unknown"
        assert amazon.status("job")["trainingJobStatus"] == "InProgress"
        made[0].busy = False
        await amazon.reaches("job", "Training")
        assert amazon.changed_anything() == ["CreateTrainingJob"]
