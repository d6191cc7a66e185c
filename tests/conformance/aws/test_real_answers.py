"""What real SageMaker was seen to answer, replayed by botocore's Stubber, which holds requests and answers to the API.

Names and account numbers are examples; times, texts and the order of things are those of real jobs of 2020 to 2026.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from tests.unit.operator.builders import UID, a_resource, settled
from tests.unit.operator.world import CLOCK

from trainyard.amazon.calling import Calling
from trainyard.amazon.service import AmazonService
from trainyard.model.casing import to_ack
from trainyard.model.errors import ResourceInUse, ResourceNotFound, ServiceError
from trainyard.model.job import Condition, Job, SearchQuery
from trainyard.model.keys import Scope
from trainyard.model.spec import TrainingJobSpec
from trainyard.operator.case import Case, Roaming, Rules, Seen
from trainyard.operator.decide import decide
from trainyard.operator.faults import fault_of
from trainyard.operator.steps import Patch, Settle

ACCOUNT, REGION = "123456789012", "us-east-2"
NAME = "finetune-distilbert-base-cased"
ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{NAME}"
BUCKET = f"s3://sagemaker-{REGION}-{ACCOUNT}/"
RULE = "ProfilerReport-1645031653"
RULE_JOB = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:processing-job/finetune-distilbert-base-c-profilerreport-799b88e2"


def at(text: str) -> datetime:
    """A time of that day in February 2022."""
    return datetime.fromisoformat(f"2022-02-16T{text}").replace(tzinfo=UTC)


def step(status: str, begin: str, end: str | None, message: str) -> dict[str, Any]:
    known = {"Status": status, "StartTime": at(begin), "StatusMessage": message}
    return known if end is None else {**known, "EndTime": at(end)}


ASKED: dict[str, Any] = {
    "TrainingJobName": NAME,
    "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/trainer",
    "AlgorithmSpecification": {"TrainingImage": "registry/huggingface:4", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": BUCKET},
    "ResourceConfig": {"InstanceType": "ml.p3.2xlarge", "InstanceCount": 2, "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 36_000},
    "DebugHookConfig": {"S3OutputPath": BUCKET, "CollectionConfigurations": []},
    "ProfilerConfig": {"S3OutputPath": BUCKET},
    "ProfilerRuleConfigurations": [
        {
            "RuleConfigurationName": RULE,
            "RuleEvaluatorImage": "915447279597.dkr.ecr.us-east-2.amazonaws.com/sagemaker-debugger-rules:latest",
            "RuleParameters": {"rule_to_invoke": "ProfilerReport"},
        }
    ],
}
FINISHED: dict[str, Any] = {
    **ASKED,
    "TrainingJobArn": ARN,
    "ModelArtifacts": {"S3ModelArtifacts": f"{BUCKET}{NAME}/output/model.tar.gz"},
    "TrainingJobStatus": "Completed",
    "SecondaryStatus": "Completed",
    "OutputDataConfig": {"KmsKeyId": "", "S3OutputPath": BUCKET},
    "CreationTime": at("17:14:13.461"),
    "TrainingStartTime": at("17:15:47.782"),
    "TrainingEndTime": at("18:06:18.005"),
    "LastModifiedTime": at("18:06:18.005"),
    "SecondaryStatusTransitions": [
        step("Starting", "17:14:13.461", "17:15:47.782", "Preparing the instances for training"),
        step("Downloading", "17:15:47.782", "17:16:08.568", "Downloading input data"),
        step("Training", "17:16:08.568", "17:51:10.623", "Training image download completed. Training in progress."),
        step("Uploading", "17:51:10.623", "18:06:18.005", "Uploading generated training model"),
        step("Completed", "18:06:18.005", "18:06:18.005", "Training job completed"),
    ],
    "FinalMetricDataList": [
        {"MetricName": "loss", "Value": 0.003599999938160181, "Timestamp": at("17:49:13")},
        {"MetricName": "eval_loss", "Value": 0.21, "Timestamp": at("17:50:01")},
    ],
    "EnableNetworkIsolation": False,
    "EnableInterContainerTrafficEncryption": False,
    "EnableManagedSpotTraining": False,
    "TrainingTimeInSeconds": 3031,
    "BillableTimeInSeconds": 3031,
    "ProfilerConfig": {"S3OutputPath": BUCKET, "ProfilingIntervalInMilliseconds": 500},
    "ProfilerRuleConfigurations": [{**ASKED["ProfilerRuleConfigurations"][0], "VolumeSizeInGB": 0}],
    "ProfilerRuleEvaluationStatuses": [
        {
            "RuleConfigurationName": RULE,
            "RuleEvaluationJobArn": RULE_JOB,
            "RuleEvaluationStatus": "InProgress",
            "LastModifiedTime": at("18:06:19"),
        }
    ],
    "ProfilingStatus": "Enabled",
}


class Replay:
    """The service over clients whose answers, and whose requests, are given beforehand."""

    def __init__(self) -> None:
        session = boto3.Session("AKIDEXAMPLE", "secret", region_name=REGION)
        self.calling = Calling(session, user_agent="trainyard/test", tries=1)
        self.service = AmazonService(Scope(ACCOUNT, REGION), self.calling, CLOCK)
        self.stubs = {name: Stubber(self.calling._client(name)) for name in ("sagemaker", "logs")}
        for stub in self.stubs.values():
            stub.activate()

    def describes(self, answer: dict[str, Any], name: str = NAME) -> None:
        """One look at a job, and at its tags."""
        self.stubs["sagemaker"].add_response("describe_training_job", answer, {"TrainingJobName": name})
        tags = [{"Key": "services.k8s.aws/resource-uid", "Value": UID}]
        self.stubs["sagemaker"].add_response("list_tags", {"Tags": tags}, {"ResourceArn": answer["TrainingJobArn"]})

    async def job(self, answer: dict[str, Any]) -> Job:
        """The job that such an answer tells of."""
        self.describes(answer)
        return await self.service.describe(NAME)


@pytest.fixture
def replay() -> Iterator[Replay]:
    made = Replay()
    yield made
    for stub in made.stubs.values():
        stub.assert_no_pending_responses()


CREATED = {
    "TrainingJobName": "cli-job", "AlgorithmSpecification": {"TrainingImage": "img:1", "TrainingInputMode": "File"},
    "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r12345678", "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}  # fmt: skip
CREATED_ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/cli-job"


async def test_a_request_goes_out_as_the_cli_sends_it(replay: Replay) -> None:
    replay.stubs["sagemaker"].add_response("create_training_job", {"TrainingJobArn": CREATED_ARN}, CREATED)
    begun = {
        **CREATED, "TrainingJobArn": CREATED_ARN, "TrainingJobStatus": "InProgress", "SecondaryStatus": "Starting",
        "ModelArtifacts": {"S3ModelArtifacts": ""}, "CreationTime": at("17:00:00"),
    }  # fmt: skip
    named = {"TrainingJobName": "cli-job"}
    replay.stubs["sagemaker"].add_response("describe_training_job", begun, named)
    job = await replay.service.create(TrainingJobSpec.from_wire(CREATED))  # and its tags are known, not asked for
    assert (job.description.training_job_arn, job.tags) == (CREATED_ARN, ())


TAKEN = (
    "Training job names must be unique within an AWS account and region, and a training job with this name already "
    f"exists ({CREATED_ARN})"
)


async def test_a_name_that_is_taken_ends_terminal_in_the_services_words(replay: Replay) -> None:
    replay.stubs["sagemaker"].add_client_error("create_training_job", "ResourceInUse", TAKEN)
    with pytest.raises(ResourceInUse) as refused:
        await replay.service.create(TrainingJobSpec.from_wire(CREATED))
    fault = fault_of(refused.value)
    assert (fault.message, fault.terminal) == (f"ResourceInUse: {TAKEN}", True)


@pytest.mark.parametrize(
    ("code", "text", "status", "message"),
    [
        (
            "ValidationException",
            "1 validation error detected: Value 'my_job' at 'trainingJobName' failed to satisfy constraint",
            400,
            "api error ValidationException: 1 validation error detected: Value 'my_job'",
        ),
        ("ThrottlingException", "Rate exceeded", 400, "api error ThrottlingException: Rate exceeded"),
        ("ServiceUnavailable", "try later", 503, "api error ServiceUnavailable: try later"),
        ("AccessDeniedException", "User: x is not authorized", 400, "api error AccessDeniedException: User: x is not"),
        ("ResourceLimitExceeded", "The account-level service limit", 400, "ResourceLimitExceeded: The account-level"),
    ],
)
async def test_what_may_pass_is_recoverable_in_the_sdks_words(
    replay: Replay, code: str, text: str, status: int, message: str
) -> None:
    replay.stubs["sagemaker"].add_client_error("create_training_job", code, text, http_status_code=status)
    with pytest.raises(Exception) as refused:  # noqa: PT011 - of either branch of our tree
        await replay.service.create(TrainingJobSpec.from_wire(CREATED))
    fault = fault_of(refused.value)  # type: ignore[arg-type]
    assert fault.message.startswith(message)
    assert not fault.terminal


async def test_no_such_job_is_the_services_validation_exception(replay: Replay) -> None:
    text = "Requested resource not found."
    replay.stubs["sagemaker"].add_client_error("describe_training_job", "ValidationException", text)
    with pytest.raises(ResourceNotFound):
        await replay.service.describe("gone")


async def test_rules_where_they_are_no_longer_served_are_named_in_the_refusal(replay: Replay) -> None:
    text = "SageMaker Debugger is not available for this account"
    replay.stubs["sagemaker"].add_client_error("create_training_job", "ValidationException", text)
    with pytest.raises(ServiceError) as refused:
        await replay.service.create(TrainingJobSpec.from_wire(ASKED))
    assert refused.value.code == "ValidationException"
    assert "leave debugRuleConfigurations and profilerRuleConfigurations out" in str(refused.value)


async def test_a_finished_job_is_told_to_the_millisecond(replay: Replay) -> None:
    told = (await replay.job(FINISHED)).description
    assert told.creation_time == at("17:14:13.461").timestamp()
    assert told.training_end_time == at("18:06:18.005").timestamp()
    assert [one.value for one in told.final_metric_data_list or ()] == [0.003599999938160181, 0.21]
    assert told.output_data_config is not None
    assert told.output_data_config.kms_key_id == ""
    history = told.secondary_status_transitions or ()
    assert [one.end_time for one in history][:-1] == [one.start_time for one in history][1:]


def resource_of(spec: dict[str, Any], **status: Any) -> dict[str, Any]:
    metadata = {"arn": ARN, "ownerAccountID": ACCOUNT, "region": REGION}
    return a_resource(to_ack(spec), status={"ackResourceMetadata": metadata, "trainingJobName": NAME, **status})


def decided(resource: dict[str, Any], job: Job) -> Any:
    rules = Rules(scope=Scope(ACCOUNT, REGION), half_told=True, roaming=Roaming())
    return decide(Case(resource=resource, sight=Seen(job), rules=rules, now=at("18:07:00").timestamp()))


async def settles(resource: dict[str, Any], job: Job) -> tuple[dict[str, Any], Settle]:
    """The resource's status in the end, late initialisation carried out on the way."""
    late = decided(resource, job)
    if isinstance(late, Patch):
        spec = {**resource["spec"]}
        for name, value in late.body["spec"].items():
            spec[name] = {**spec[name], **value} if isinstance(value, dict) else value
        resource = {**resource, "spec": spec}
    end = decided(resource, job)
    assert isinstance(end, Settle), end
    found: dict[str, Any] = settled(resource, end.status)["status"]
    return found, end


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {one["type"]: (one["status"], one.get("message", "")) for one in status["conditions"]}


async def test_late_initialisation_takes_what_the_answer_tells_and_the_default_of_what_it_does_not(
    replay: Replay,
) -> None:
    patch = decided(resource_of(ASKED), await replay.job(FINISHED))
    assert isinstance(patch, Patch)
    assert patch.body["spec"] == {
        "enableInterContainerTrafficEncryption": False, "enableManagedSpotTraining": False,
        "enableNetworkIsolation": False, "algorithmSpecification": {"enableSageMakerMetricsTimeSeries": False},
        "outputDataConfig": {"kmsKeyID": "", "compressionType": "GZIP"},
    }  # fmt: skip


async def test_a_job_that_is_over_while_its_rule_goes_on_is_not_at_rest_and_is_asked_for_again(replay: Replay) -> None:
    status, end = await settles(resource_of(ASKED), await replay.job(FINISHED))
    assert conditions(status)["ACK.ResourceSynced"] == ("False", "ProfilerRule is in InProgress status.")
    assert status["trainingJobStatus"] == "Completed"
    assert end.after == 30.0  # no change of the job's tells of it
    over = {**FINISHED["ProfilerRuleEvaluationStatuses"][0], "RuleEvaluationStatus": "NoIssuesFound"}
    replay.stubs["sagemaker"].add_response(
        "describe_training_job", {**FINISHED, "ProfilerRuleEvaluationStatuses": [over]}, {"TrainingJobName": NAME}
    )
    status, end = await settles(resource_of(ASKED), await replay.service.describe(NAME))
    assert conditions(status)["ACK.ResourceSynced"] == ("True", "TrainingJob is in Completed status.")
    assert end.after is None
    assert status["creationTime"] == "2022-02-16T17:14:13Z"


async def test_what_the_service_fills_in_is_no_difference(replay: Replay) -> None:
    status, _ = await settles(resource_of(ASKED), await replay.job(FINISHED))
    assert "drift" not in status
    assert "ACK.Terminal" not in conditions(status)


async def test_a_kept_pool_is_asked_for_as_ack_does(replay: Replay) -> None:
    resources = {**ASKED["ResourceConfig"], "KeepAlivePeriodInSeconds": 600}
    asked = {name: value for name, value in ASKED.items() if not name.startswith("Profiler")}
    plain = {name: value for name, value in FINISHED.items() if not name.startswith("Profil")}
    pool = {"Status": "Available", "ResourceRetainedBillableTimeInSeconds": 12}
    job = await replay.job({**plain, "ResourceConfig": resources, "WarmPoolStatus": pool})
    status, end = await settles(resource_of({**asked, "ResourceConfig": resources}), job)
    assert status["warmPoolStatus"] == {"status": "Available", "resourceRetainedBillableTimeInSeconds": 12}
    assert end.after == 300.0


# What people saw their jobs go through, as (secondary status, its message).
STORIES: dict[str, list[tuple[str, str]]] = {
    "2020": [
        ("Starting", "Starting the training job"),
        ("Starting", "Launching requested ML instances"),
        ("Starting", "Preparing the instances for training"),
        ("Downloading", "Downloading input data"),
        ("Training", "Downloading the training image"),
        ("Training", "Training image download completed. Training in progress."),
        ("Uploading", "Uploading generated training model"),
        ("Completed", "Training job completed"),
    ],
    "2024 to 2026": [
        ("Starting", "Starting the training job"),
        ("Pending", "Training job waiting for capacity"),
        ("Pending", "Preparing the instances for training"),
        ("Downloading", "Downloading input data"),
        ("Downloading", "Downloading the training image"),
        ("Training", "Training image download completed. Training in progress."),
        ("Uploading", "Uploading generated training model"),
        ("Completed", "Training job completed"),
    ],
    "stopped while it downloads": [
        ("Starting", "Preparing the instances for training"),
        ("Downloading", "Downloading input data"),
        ("Stopping", "Stopping the training job"),
        ("Stopped", "Training job stopped"),
    ],
    "failed": [
        ("Starting", "Preparing the instances for training"),
        ("Downloading", "Downloading input data"),
        ("Training", "Training image download completed. Training in progress."),
        ("Uploading", "Uploading generated training model"),
        ("Failed", "Training job failed"),
    ],
}
FAILURE = (
    "AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage \"KeyError: 'x'\"\n"
    'Command "/opt/conda/bin/python train.py", exit code: 1'
)


def moments(story: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """The answers that a watcher gets, one after each step of a story."""
    plain = {name: value for name, value in FINISHED.items() if not name.startswith(("Profil", "Final", "Training"))}
    for count in range(1, len(story) + 1):
        secondary = story[count - 1][0]
        final = secondary in ("Completed", "Failed", "Stopped")
        status = secondary if final or secondary == "Stopping" else "InProgress"
        steps = [
            step(one, f"17:{place:02}:00", f"17:{place + 1:02}:00" if place < count - 1 else None, message)
            for place, (one, message) in enumerate(story[:count])
        ]
        yield {
            **plain, "TrainingJobName": NAME, "TrainingJobArn": ARN, "TrainingJobStatus": status,
            "SecondaryStatus": secondary, "SecondaryStatusTransitions": steps, "LastModifiedTime": at("17:30:00"),
            **({"FailureReason": FAILURE} if secondary == "Failed" else {}),
        }  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
async def test_every_story_is_told_step_by_step(replay: Replay, story: str) -> None:
    spec = {name: value for name, value in ASKED.items() if not name.startswith("Profiler")}
    resource, told, final = resource_of(spec), list[str](), ("Completed", "Failed", "Stopped")
    for answer in moments(STORIES[story]):
        replay.stubs["sagemaker"].add_response("describe_training_job", answer, {"TrainingJobName": NAME})
        if not told:
            tags = [{"Key": "services.k8s.aws/resource-uid", "Value": UID}]
            replay.stubs["sagemaker"].add_response("list_tags", {"Tags": tags}, {"ResourceArn": ARN})
        job = await replay.service.describe(NAME)
        assert (job.waiting is not None) == (answer["SecondaryStatus"] == "Pending")
        status, end = await settles(resource, job)
        resource = {**resource, "status": status}
        told.append(end.tale.message if end.tale is not None else "")
        at_rest = "True" if answer["TrainingJobStatus"] in final else "False"
        text = f"TrainingJob is in {answer['TrainingJobStatus']} status."
        assert conditions(status)["ACK.ResourceSynced"] == conditions(status)["Ready"] == (at_rest, text)
        assert end.after is None  # its change is told
    assert resource["status"].get("failureReason") == (FAILURE if story == "failed" else None)
    assert told[-1] == (FAILURE if story == "failed" else STORIES[story][-1][1])


@pytest.mark.parametrize("secondary", ["LaunchingMLInstances", "PreparingTrainingStack", "DownloadingTrainingImage"])
async def test_a_word_that_is_retired_is_told_as_it_is(replay: Replay, secondary: str) -> None:
    job = await replay.job({**FINISHED, "TrainingJobStatus": "InProgress", "SecondaryStatus": secondary})
    status, _ = await settles(resource_of(ASKED), job)
    assert status["secondaryStatus"] == secondary


async def test_events_are_the_history(replay: Replay) -> None:
    *_, last = moments(STORIES["failed"])
    replay.stubs["sagemaker"].add_response("describe_training_job", last, {"TrainingJobName": NAME})
    events = (await replay.service.events(NAME)).items
    assert [(one.reason, one.message) for one in events[:-1]] == STORIES["failed"][:-1]
    assert (events[-1].warning, events[-1].message) == (True, f"Training job failed: {FAILURE}")


async def test_a_spot_jobs_savings_are_told(replay: Replay) -> None:
    answer = {**FINISHED, "EnableManagedSpotTraining": True, "TrainingTimeInSeconds": 143, "BillableTimeInSeconds": 43}
    told = (await replay.job(answer)).description
    assert (told.training_time_in_seconds, told.billable_time_in_seconds) == (143, 43)


GROUP, STREAM = "/aws/sagemaker/TrainingJobs", f"{NAME}/algo-1-1645031760"
STREAMS = {"logGroupName": GROUP, "logStreamNamePrefix": f"{NAME}/", "limit": 50}


async def test_lines_are_read_on_by_tokens_that_stay_the_same_where_nothing_is_new(replay: Replay) -> None:
    stream = {
        "logStreamName": STREAM, "creationTime": 1, "firstEventTimestamp": 1, "lastEventTimestamp": 2,
        "lastIngestionTime": 3, "uploadSequenceToken": "0", "storedBytes": 0,
        "arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}:log-stream:{STREAM}",
    }  # fmt: skip
    event = {"timestamp": 1_645_031_761_000, "message": "epoch 1", "ingestionTime": 1_645_031_762_000}
    asked = {"logGroupName": GROUP, "logStreamName": STREAM, "limit": 10_000, "startFromHead": True}
    pages: list[tuple[dict[str, Any], list[Any]]] = [(asked, [event]), ({**asked, "nextToken": "f/1"}, [])]
    for request, events in pages:
        replay.stubs["logs"].add_response("describe_log_streams", {"logStreams": [stream]}, STREAMS)
        answer = {"events": events, "nextForwardToken": "f/1", "nextBackwardToken": "b/1"}
        replay.stubs["logs"].add_response("get_log_events", answer, request)
    first = await replay.service.logs(NAME)
    assert [(one.stream, one.message) for one in first.items] == [(STREAM, "epoch 1")]
    second = await replay.service.logs(NAME, token=first.token)
    assert (second.items, second.token) == ((), first.token)


async def test_a_log_group_that_is_not_made_yet_is_no_lines_yet(replay: Replay) -> None:
    text = "The specified log group does not exist."
    replay.stubs["logs"].add_client_error("describe_log_streams", "ResourceNotFoundException", text)
    assert (await replay.service.logs(NAME)).items == ()


async def test_a_search_goes_out_as_the_console_sends_it(replay: Replay) -> None:
    expected = {
        "Resource": "TrainingJob",
        "SearchExpression": {
            "Filters": [
                {"Name": "HyperParameters.lr", "Operator": "GreaterThan", "Value": "0.01"},
                {"Name": "Tags.team", "Operator": "Equals", "Value": "a"},
            ]
        },
        "SortBy": "Metrics.validation:error", "SortOrder": "Ascending", "MaxResults": 10,
    }  # fmt: skip
    job = {name: value for name, value in FINISHED.items() if not name.startswith(("ProfilerRule", "Profiling"))}
    answer = {"Results": [{"TrainingJob": {**job, "Tags": [{"Key": "team", "Value": "a"}]}}]}
    replay.stubs["sagemaker"].add_response("search", answer, expected)
    conditions_ = (
        Condition(name="HyperParameters.lr", operator="GreaterThan", value="0.01"),
        Condition(name="Tags.team", value="a"),
    )
    query = SearchQuery(conditions=conditions_, sort_by="Metrics.validation:error", descending=False, limit=10)
    (found,) = (await replay.service.search(query)).items
    assert (found.description.training_job_name, found.tags) == (NAME, (("team", "a"),))
