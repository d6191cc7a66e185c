"""amazon: what is sent to SageMaker and what is made of its answers, through botocore's own serialisers and parsers."""

from __future__ import annotations

import asyncio
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from tests.conformance.botocore_requests import PLACES as MEMBERS
from tests.conformance.whole_requests import SET_BY_THE_SERVICE, paths_in, whole_requests
from tests.fakes.aws import ACCOUNT, REGION, FakeAws, refusal

from trainyard.amazon.calling import Calling
from trainyard.amazon.changes import SWEEP, Changes
from trainyard.amazon.service import AmazonService
from trainyard.kit.clock import SystemClock
from trainyard.lifecycle.comparing import generic
from trainyard.model.errors import (
    ResourceInUse,
    ResourceNotFound,
    ServiceError,
    Transient,
    ValidationRefused,
)
from trainyard.model.job import Condition, JobSummary, ListQuery, SearchQuery
from trainyard.model.keys import Scope
from trainyard.model.ledger import Page
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import SecondaryStatus, TrainingJobStatus

ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/one"
REQUEST: dict[str, Any] = {
    "TrainingJobName": "one",
    "RoleArn": "arn:aws:iam::123456789012:role/trainer",
    "AlgorithmSpecification": {"TrainingImage": "image:1", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}
DESCRIBED: dict[str, Any] = {
    **REQUEST,
    "TrainingJobArn": ARN,
    "TrainingJobStatus": "InProgress",
    "SecondaryStatus": "Training",
    "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/out/one/output/model.tar.gz"},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out", "KmsKeyId": ""},
    "CreationTime": 1_700_000_000.123,
    "LastModifiedTime": 1_700_000_010.5,
    "EnableNetworkIsolation": False,
    "SecondaryStatusTransitions": [
        {"Status": "Starting", "StartTime": 1_700_000_000.123, "EndTime": 1_700_000_005, "StatusMessage": "Starting"},
        {"Status": "Training", "StartTime": 1_700_000_005, "StatusMessage": "Training image download completed."},
    ],
}


@pytest.fixture(scope="module")
def botocore() -> FakeAws:
    """Making clients is slow; one set serves the whole module."""
    return FakeAws()


@pytest.fixture(scope="module")
def session(botocore: FakeAws) -> boto3.Session:
    return botocore.session()


@pytest.fixture
def aws(botocore: FakeAws) -> FakeAws:
    botocore.answers.clear()
    botocore.sent.clear()
    botocore.answers["ListTags"] = [{"Tags": [{"Key": "team", "Value": "a"}]}]
    botocore.answers["DescribeTrainingJob"] = [DESCRIBED]
    botocore.answers["CreateTrainingJob"] = [{"TrainingJobArn": ARN}]
    return botocore


@pytest.fixture(scope="module")
def calling(session: boto3.Session) -> Calling:
    return Calling(session, user_agent="trainyard/test", tries=2)


@pytest.fixture
def service(calling: Calling, aws: FakeAws) -> AmazonService:
    return AmazonService(Scope(ACCOUNT, REGION), calling, SystemClock())


@pytest.mark.parametrize("request_", whole_requests(), ids=lambda one: one["TrainingJobName"])
async def test_every_member_is_passed_on(service: AmazonService, aws: FakeAws, request_: dict[str, Any]) -> None:
    spec = TrainingJobSpec.from_wire(request_)
    await service.create(spec)
    assert aws.requests("CreateTrainingJob") == [request_]


def test_those_requests_give_every_member_that_a_user_may_set() -> None:
    given = {path for request in whole_requests() for path in paths_in(request)}
    assert {generic(member.path) for member in MEMBERS} - given == SET_BY_THE_SERVICE


async def test_a_job_is_told_with_its_tags_and_without_what_we_do_not_know(
    service: AmazonService, aws: FakeAws
) -> None:
    aws.answers["DescribeTrainingJob"] = [{**DESCRIBED, "InventedLater": {"X": 1}}]
    job = await service.describe("one")
    assert job.tags == (("team", "a"),)
    assert job.description.creation_time == 1_700_000_000.123
    assert job.description.output_data_config is not None
    assert job.description.output_data_config.kms_key_id == ""
    assert (job.launcher, job.image, job.attempt, job.waiting) == ("sagemaker", "image:1", 1, None)


async def test_waiting_for_capacity_is_told(service: AmazonService, aws: FakeAws) -> None:
    message = "Insufficient capacity error from EC2 while launching instances, retrying!"
    history = [{"Status": "Starting", "StartTime": 1_700_000_000, "StatusMessage": message}]
    aws.answers["DescribeTrainingJob"] = [
        {**DESCRIBED, "SecondaryStatus": "Starting", "SecondaryStatusTransitions": history}
    ]
    assert (await service.describe("one")).waiting == message


async def test_tags_are_read_once_and_again_after_a_change(service: AmazonService, aws: FakeAws) -> None:
    aws.answers["AddTags"] = [{"Tags": []}]
    await service.describe("one")
    await service.describe("one")
    assert len(aws.requests("ListTags")) == 1
    await service.add_tags("one", [("x", "y")])
    assert aws.requests("AddTags") == [{"ResourceArn": ARN, "Tags": [{"Key": "x", "Value": "y"}]}]
    assert len(aws.requests("ListTags")) == 2


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (refusal("ValidationException", "Requested resource not found."), ResourceNotFound, "ValidationException"),
        (refusal("ValidationException", "No S3 objects found"), ValidationRefused, "ValidationException"),
        (refusal("AccessDeniedException", "not allowed"), ServiceError, "AccessDeniedException"),
        (refusal("ExpiredTokenException", "expired"), ServiceError, "ExpiredTokenException"),
    ],
)
async def test_a_refusal_keeps_its_code(
    service: AmazonService, aws: FakeAws, answer: Any, kind: type[ServiceError], code: str
) -> None:
    aws.answers["DescribeTrainingJob"] = [answer]
    with pytest.raises(kind) as refused:
        await service.describe("one")
    assert refused.value.code == code


async def test_what_may_pass_by_itself_says_nothing_of_the_job(service: AmazonService, aws: FakeAws) -> None:
    aws.answers["StopTrainingJob"] = [refusal("ThrottlingException", "Rate exceeded")]
    with pytest.raises(Transient):
        await service.stop("one")
    aws.answers["StopTrainingJob"] = [ReadTimeoutError(endpoint_url="https://x")]
    with pytest.raises(Transient):
        await service.stop("one")


async def test_a_create_whose_answer_was_lost_made_one_job(service: AmazonService, aws: FakeAws) -> None:
    taken = refusal("ResourceInUse", "a training job with this name already exists")
    aws.answers["CreateTrainingJob"] = [refusal("ServiceUnavailable", "x", 503), taken]
    job = await service.create(TrainingJobSpec.from_wire(REQUEST))
    assert job.description.training_job_arn == ARN
    aws.answers["CreateTrainingJob"] = [refusal("ServiceUnavailable", "x", 503), taken]
    with pytest.raises(ResourceInUse):
        await service.create(TrainingJobSpec.from_wire({**REQUEST, "HyperParameters": {"another": "job"}}))


async def test_a_name_that_was_taken_before_is_refused(service: AmazonService, aws: FakeAws) -> None:
    aws.answers["CreateTrainingJob"] = [refusal("ResourceInUse", "a training job with this name already exists")]
    with pytest.raises(ResourceInUse):
        await service.create(TrainingJobSpec.from_wire(REQUEST))


async def test_a_list_goes_on_until_it_has_what_was_asked(service: AmazonService, aws: FakeAws) -> None:
    def page(first: int, count: int) -> list[dict[str, Any]]:
        return [
            {
                "TrainingJobName": f"j{number}", "TrainingJobArn": ARN, "CreationTime": 1_700_000_000.5,
                "TrainingJobStatus": "Completed", "SecondaryStatus": "Completed",
            }
            for number in range(first, first + count)
        ]  # fmt: skip

    aws.answers["ListTrainingJobs"] = [
        {"TrainingJobSummaries": page(0, 100), "NextToken": "a"},
        {"TrainingJobSummaries": page(100, 50), "NextToken": "b"},
    ]
    found = await service.list(ListQuery(limit=150, status=TrainingJobStatus.COMPLETED, created_after=5.5))
    assert (len(found.items), found.token) == (150, "b")
    first, second = aws.requests("ListTrainingJobs")
    assert (first["MaxResults"], first["StatusEquals"], first["CreationTimeAfter"]) == (100, "Completed", 5.5)
    assert (second["MaxResults"], second["NextToken"]) == (50, "a")


async def test_a_search_is_passed_on(service: AmazonService, aws: FakeAws) -> None:
    aws.answers["Search"] = [{"Results": [{"TrainingJob": {**DESCRIBED, "Tags": [{"Key": "k", "Value": "v"}]}}]}]
    found = await service.search(SearchQuery(conditions=(Condition(name="Tags.k", value="v"),)))
    assert [job.tags for job in found.items] == [(("k", "v"),)]
    (sent,) = aws.requests("Search")
    assert sent["SearchExpression"] == {"Filters": [{"Name": "Tags.k", "Operator": "Equals", "Value": "v"}]}


async def test_lines_of_several_hosts_are_merged_and_read_on(service: AmazonService, aws: FakeAws) -> None:
    aws.answers["DescribeLogStreams"] = [
        {"logStreams": [{"logStreamName": "one/algo-1-5"}, {"logStreamName": "one/algo-2-5"}]}
    ]
    aws.answers["GetLogEvents"] = [
        {"events": [{"timestamp": 2000, "message": "b"}], "nextForwardToken": "f/1"},
        {"events": [{"timestamp": 1000, "message": "a"}], "nextForwardToken": "f/2"},
    ]
    page = await service.logs("one")
    assert [event.message for event in page.items] == ["a", "b"]
    aws.answers["GetLogEvents"] = [{"events": [], "nextForwardToken": "f/9"}]
    await service.logs("one", token=page.token)
    assert {request.get("nextToken") for request in aws.requests("GetLogEvents")[2:]} == {"f/1", "f/2"}
    with pytest.raises(ValidationRefused):
        await service.logs("one", token="!")


async def test_no_log_group_yet_is_no_lines_yet(service: AmazonService, aws: FakeAws) -> None:
    aws.answers["DescribeLogStreams"] = [
        refusal("ResourceNotFoundException", "The specified log group does not exist.")
    ]
    page = await service.logs("one")
    assert page.items == ()
    assert page.token is not None


async def test_changes_are_told_once_and_survive_a_failing_look(service: AmazonService, aws: FakeAws) -> None:
    line = {
        "TrainingJobName": "one", "TrainingJobArn": ARN, "CreationTime": 1_700_000_000.5,
        "TrainingJobStatus": "InProgress", "SecondaryStatus": "Training", "LastModifiedTime": 1_700_000_010.5,
    }  # fmt: skip
    done = {**line, "TrainingJobStatus": "Completed", "SecondaryStatus": "Completed", "LastModifiedTime": 1_700_000_020}
    aws.answers["ListTrainingJobs"] = [{"TrainingJobSummaries": [line]}]
    changes = Changes(service.scope, service.list, 1_700_000_000_000)
    assert [(one.name, one.revision) for one in await changes.look()] == [("one", 1_700_000_010_500)]
    assert await changes.look() == []
    aws.answers["ListTrainingJobs"] = [refusal("ThrottlingException", "Rate exceeded")]
    with pytest.raises(Transient):
        await changes.look()
    aws.answers["ListTrainingJobs"] = [{"TrainingJobSummaries": [done]}]
    assert [(one.name, one.revision) for one in await changes.look()] == [("one", 1_700_000_020_000)]


async def test_a_thousand_jobs_cost_one_look(service: AmazonService, aws: FakeAws) -> None:
    aws.answers["ListTrainingJobs"] = [{"TrainingJobSummaries": []}]
    stream = service.changes(await service.revision())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await anext(stream)
    assert [one["MaxResults"] for one in aws.requests("ListTrainingJobs")] == [1, 100]  # whether we may, and the look


async def test_an_instance_type_that_is_newer_than_we_are_is_sagemakers_to_judge(
    service: AmazonService, aws: FakeAws
) -> None:
    resources = {"InstanceType": "ml.z99.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    await service.create(TrainingJobSpec.from_wire({**REQUEST, "ResourceConfig": resources}))
    assert aws.requests("CreateTrainingJob")[0]["ResourceConfig"] == resources


async def test_a_plan_names_what_amazon_cannot_read(service: AmazonService) -> None:
    output = {"S3OutputPath": "file:///tmp/x"}
    plan = await service.plan(TrainingJobSpec.from_wire({**REQUEST, "OutputDataConfig": output}))
    assert any("OutputDataConfig.S3OutputPath is refused on sagemaker" in one.message for one in plan.problems)


def listed(count: int, *, more: bool = False) -> str:
    objects = "".join(f"<Contents><Key>in/{number}</Key><Size>10</Size></Contents>" for number in range(count))
    token = "<NextContinuationToken>next</NextContinuationToken>" if more else ""
    return f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{objects}</ListBucketResult>"


DENIED = (403, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
NO_BUCKET = (404, "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>")


@pytest.mark.parametrize(
    ("answers", "stage", "refused", "notice"),
    [
        ([listed(2)], (2, 20), "", ""),
        ([listed(2, more=True), listed(1)], (3, 30), "", ""),
        ([listed(1, more=True)], (None, None), "", ""),
        ([listed(0)], (0, 0), 'No S3 objects found under S3 URL "s3://bucket/in/"', ""),
        ([NO_BUCKET], (None, None), 'No S3 objects found under S3 URL "s3://bucket/in/"', ""),
        ([DENIED], (None, None), "", "cannot be looked at with these credentials: Access Denied"),
    ],
    ids=["there", "two pages", "too many to count", "nothing", "no bucket", "not allowed"],
)
async def test_a_plan_looks_for_the_inputs_where_it_may(
    service: AmazonService, aws: FakeAws, answers: list[Any], stage: tuple[Any, Any], refused: str, notice: str
) -> None:
    aws.answers["ListObjectsV2"] = answers
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in/"}}
    channel = {"ChannelName": "train", "DataSource": source}
    plan = await service.plan(TrainingJobSpec.from_wire({**REQUEST, "InputDataConfig": [channel]}))
    assert plan.stages == (("train", "s3://bucket/in/", *stage),)
    assert bool(refused) == bool(plan.problems)
    assert all(refused in one.message for one in plan.problems)
    assert bool(notice) == bool(plan.notices)
    assert all(notice in one for one in plan.notices)


class Listing:
    """An account whose list by time of change can leave lines out."""

    def __init__(self) -> None:
        self.lines: dict[str, JobSummary] = {}
        self.hidden: set[str] = set()

    def put(self, name: str, status: str, modified_at: float) -> None:
        known = TrainingJobStatus(status)
        secondary = SecondaryStatus("Training" if status == "InProgress" else status)
        self.lines[name] = JobSummary(
            name=name, arn=ARN, status=known, secondary=secondary, created_at=0.0, modified_at=modified_at
        )

    async def list(self, query: ListQuery) -> Page[JobSummary]:
        found = [
            line
            for name, line in self.lines.items()
            if query.status in (None, line.status)
            and (query.modified_after is None or (line.modified_at > query.modified_after and name not in self.hidden))
        ]
        return Page(tuple(found), None)


async def test_what_moves_between_the_two_lists_of_a_sweep_is_told_once() -> None:
    listing = Listing()

    async def lists(query: ListQuery) -> Page[JobSummary]:
        if query.status is not None:
            listing.put("job", "Completed", 1002.0)
        return await listing.list(query)

    changes = Changes(Scope(ACCOUNT, REGION), lists, 1_000_000)
    listing.put("job", "InProgress", 1001.0)
    assert [one.name for one in await changes.look()] == ["job"]
    found = [[one.name for one in await changes.look()] for _ in range(2 * SWEEP)]
    assert [names for names in found if names] == [["job"]]


async def test_what_a_late_list_passes_over_is_found_by_the_next_sweep() -> None:
    listing = Listing()
    changes = Changes(Scope(ACCOUNT, REGION), listing.list, 1_000_000)
    listing.put("old", "InProgress", 500.0)  # was so before we began: no news
    listing.put("late", "InProgress", 1001.0)
    listing.put("gone", "InProgress", 1002.0)
    assert [one.name for one in await changes.look()] == ["late", "gone"]
    listing.put("late", "Completed", 1003.0)
    del listing.lines["gone"]
    listing.hidden = {"late"}
    assert not any([await changes.look() for _ in range(SWEEP - 1)])
    assert sorted(one.name for one in await changes.look()) == ["gone", "late"]
    assert not any([await changes.look() for _ in range(2 * SWEEP)])
    listing.put("old", "Stopping", 1100.0)
    listing.hidden = {"old", "late"}
    found = [one.name for _ in range(2 * SWEEP) for one in await changes.look()]
    assert set(found) == {"old"}
