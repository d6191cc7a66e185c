# ruff: noqa: E501 - one station, one line
"""What DescribeTrainingJob tells at each station of a job's life: which members are there, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest

from trainyard.lifecycle.decide import decide, place, request_stop, wait
from trainyard.lifecycle.describing import description_of
from trainyard.lifecycle.transitions import enter
from trainyard.model.description import TrainingJobDescription
from trainyard.model.keys import JobKey
from trainyard.model.members import members_of
from trainyard.model.observation import Ending, Lost, Milestone, Outcome, Reached, Seen, StopCause
from trainyard.model.record import JobRecord, Metric, Placement
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import Fault, SecondaryStatus

MINIMAL: dict[str, Any] = {
    "TrainingJobName": "Job-1",
    "RoleArn": "arn:aws:iam::123456789012:role/role",
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out/"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
}
SPOT = {"EnableManagedSpotTraining": True, "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 90}}
KEPT = {**MINIMAL["ResourceConfig"], "KeepAlivePeriodInSeconds": 600}

ALWAYS = {
    "TrainingJobName", "TrainingJobArn", "ModelArtifacts", "TrainingJobStatus", "SecondaryStatus",
    "SecondaryStatusTransitions", "HyperParameters", "AlgorithmSpecification", "RoleArn", "OutputDataConfig",
    "ResourceConfig", "StoppingCondition", "CreationTime", "LastModifiedTime", "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining",
}  # fmt: skip
STARTED = {"TrainingStartTime"}
OVER = {"TrainingEndTime"}
TIMED = {"TrainingTimeInSeconds", "BillableTimeInSeconds"}
REASON = {"FailureReason"}
ORDER = tuple(one for one in Milestone if one is not Milestone.PULLING)  # which containers alone have


def created(**members: Any) -> JobRecord:
    record = JobRecord(
        key=JobKey("123456789012", "us-west-2", "Job-1"),
        uid="uid",
        spec=TrainingJobSpec.from_wire({**MINIMAL, **members}),
        placement=Placement(launcher="process", image="image", needs=Resources(cpus=1)),
        created_at=10.0,
        modified_at=10.0,
    )
    return enter(record, SecondaryStatus.STARTING, 10.0)


def seen(count: int, ending: Ending | None = None, at: float = 40.5, **members: Any) -> Seen:
    reached = tuple(Reached(milestone, 20.0 + place) for place, milestone in enumerate(ORDER[:count]))
    return Seen(milestones=reached, outcome=Outcome(ending=ending, at=at, **members) if ending else None)


def at(observation: Seen | Lost, record: JobRecord | None = None, now: float = 41.0) -> JobRecord:
    return decide(record or place(created(), 15.0), observation, now).record


def running() -> JobRecord:
    return at(seen(3), now=23.0)


def asked_to_stop() -> JobRecord:
    return request_stop(running(), StopCause.REQUESTED, 30.0)


def waited_too_long() -> JobRecord:
    return decide(created(**SPOT), Seen(milestones=()), 500.0).record


FAILED_ALONE = {"fault": Fault.ALGORITHM, "exit_code": 1}


@dataclass(frozen=True)
class Station:
    """Where a job stands: how it came there, what is said of it, and which members are there beside ALWAYS."""

    name: str
    record: Callable[[], JobRecord]
    status: str
    secondary: str
    message: str
    members: set[str]
    reason: str | None = None


TRAINING = "Training image download completed. Training in progress."
DONE = STARTED | OVER | TIMED
LIFE = (
    Station("accepted", created, "InProgress", "Starting", "Starting the training job", set()),
    Station("queued", lambda: wait(created(), "no room", 11.0), "InProgress", "Pending", "Training job waiting for capacity", set()),
    Station("placed", lambda: place(created(), 15.0), "InProgress", "Starting", "Starting the training job", set()),
    Station("prepared", lambda: at(seen(1)), "InProgress", "Downloading", "Downloading input data", STARTED),
    Station("staging", lambda: at(seen(2)), "InProgress", "Downloading", "Downloading input data", STARTED),
    Station("training", running, "InProgress", "Training", TRAINING, STARTED),
    Station("stopping", asked_to_stop, "Stopping", "Stopping", "Stopping the training job", STARTED),
    Station("uploading", lambda: at(Seen(milestones=(*seen(3).milestones, Reached(Milestone.UPLOADING, 30.0)))), "InProgress", "Uploading", "Uploading generated training model", STARTED),
    Station("uploading what was stopped", lambda: at(seen(5), asked_to_stop()), "Stopping", "Uploading", "Uploading generated training model", STARTED),
    Station("completed", lambda: at(seen(3, Ending.COMPLETED)), "Completed", "Completed", "Training job completed", DONE),
    Station("completed with a pool to keep", lambda: at(seen(3, Ending.COMPLETED), place(created(ResourceConfig=KEPT), 15.0)), "Completed", "Completed", "Training job completed", DONE | {"WarmPoolStatus"}),
    Station("failed", lambda: at(seen(3, Ending.FAILED, **FAILED_ALONE)), "Failed", "Failed", "Training job failed", DONE | REASON, "AlgorithmError: Exit Code: 1"),
    Station("failed with words", lambda: at(seen(3, Ending.FAILED, **FAILED_ALONE, detail="bad data")), "Failed", "Failed", "Training job failed", DONE | REASON, "AlgorithmError: bad data, exit code: 1"),
    Station("killed", lambda: at(seen(3, Ending.FAILED, exit_code=137)), "Failed", "Failed", "Training job failed", DONE | REASON, "AlgorithmError: Exit Code: 137"),
    Station("blamed on the client", lambda: at(seen(3, Ending.FAILED, fault=Fault.CLIENT, exit_code=2, detail="eta")), "Failed", "Failed", "Training job failed", DONE | REASON, "ClientError: eta, exit code: 2"),
    Station("not downloaded", lambda: at(seen(2, Ending.FAILED, fault=Fault.CLIENT, detail="Data download failed:gone")), "Failed", "Failed", "Training job failed", DONE | REASON, "ClientError: Data download failed:gone"),
    Station("lost before it began", lambda: at(Lost("the machine was restarted", 40.0)), "Failed", "Failed", "Training job failed", OVER | REASON, "InternalServerError: We encountered an internal error. Please try again. (the machine was restarted)"),
    Station("stopped", lambda: at(seen(5, Ending.STOPPED), asked_to_stop()), "Stopped", "Stopped", "Training job stopped", DONE),
    Station("stopped, and the program failed", lambda: at(seen(4, Ending.FAILED, exit_code=1), asked_to_stop()), "Stopped", "Stopped", "Training job stopped", DONE),
    Station("stopped in the queue", lambda: at(Seen(milestones=()), request_stop(created(), StopCause.REQUESTED, 12.0)), "Stopped", "Stopped", "Training job stopped", OVER),
    Station("out of time", lambda: at(seen(4, Ending.MAX_RUNTIME)), "Stopped", "MaxRuntimeExceeded", "Training job runtime exceeded MaxRuntimeInSeconds provided", DONE),
    Station("out of patience", waited_too_long, "Stopped", "MaxWaitTimeExceeded", "Training job wait time exceeded MaxWaitTimeInSeconds provided", OVER),
    Station("interrupted", lambda: at(seen(3, Ending.INTERRUPTED), place(created(**SPOT), 15.0)), "InProgress", "Starting", "Starting the training job", STARTED),
    Station("measured", lambda: replace(running(), final_metrics=(Metric(name="loss", value=0.0036, at=30.7),)), "InProgress", "Training", TRAINING, STARTED | {"FinalMetricDataList"}),
)  # fmt: skip
STATIONS = pytest.mark.parametrize("station", LIFE, ids=lambda station: station.name)


@STATIONS
def test_what_is_told_and_what_is_not(station: Station) -> None:
    told = description_of(station.record()).to_wire()
    assert set(told) == ALWAYS | station.members
    assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == (station.status, station.secondary)
    assert told["SecondaryStatusTransitions"][-1]["StatusMessage"] == station.message
    assert told.get("FailureReason") == station.reason
    assert {name for name, member in members_of(TrainingJobDescription).items() if member.required} <= set(told)


@pytest.mark.case(67, 68)
@STATIONS
def test_times_add_up(station: Station) -> None:
    told = description_of(station.record()).to_wire()
    entries = told["SecondaryStatusTransitions"]
    assert all(one["EndTime"] == two["StartTime"] for one, two in pairwise(entries))
    assert told["CreationTime"] == entries[0]["StartTime"]
    assert entries[0]["Status"] == "Starting"
    assert all(entry["StartTime"] <= entry.get("EndTime", entry["StartTime"]) for entry in entries)
    if "TrainingStartTime" in told:
        assert told["TrainingStartTime"] == next(e["StartTime"] for e in entries if e["Status"] == "Downloading")
    if "TrainingEndTime" not in told:
        assert "EndTime" not in entries[-1]
        return
    assert told["TrainingEndTime"] == entries[-1]["StartTime"] == entries[-1]["EndTime"] <= told["LastModifiedTime"]
    if "TrainingStartTime" in told:
        assert told["TrainingTimeInSeconds"] == int(told["TrainingEndTime"] - told["TrainingStartTime"])
        assert told["BillableTimeInSeconds"] == told["TrainingTimeInSeconds"]


def test_the_histories() -> None:
    def history(record: JobRecord) -> list[str]:
        return [str(entry.status) for entry in record.transitions]

    whole = [*seen(3).milestones, Reached(Milestone.UPLOADING, 30.0)]
    done = Seen(milestones=tuple(whole), outcome=Outcome(ending=Ending.COMPLETED, at=40.0))
    assert history(at(done)) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    failed = replace(done, outcome=Outcome(ending=Ending.FAILED, at=40.0, exit_code=1))
    assert history(at(failed)) == ["Starting", "Downloading", "Training", "Uploading", "Failed"]
    assert at(done).transitions[0].message == "Preparing the instances for training"
    queued = at(done, place(wait(created(), "no room", 11.0), 15.0))
    assert history(queued) == ["Starting", "Pending", "Downloading", "Training", "Uploading", "Completed"]
    assert queued.transitions[1].message == "Preparing the instances for training"
    twice = at(done, place(at(seen(3, Ending.INTERRUPTED, at=35.0), place(created(**SPOT), 15.0)), 36.0))
    assert history(twice)[:5] == ["Starting", "Downloading", "Training", "Interrupted", "Starting"]


def test_what_the_service_fills_in() -> None:
    told = description_of(created()).to_wire()
    assert told["TrainingJobArn"] == "arn:aws:sagemaker:us-west-2:123456789012:training-job/job-1"
    assert told["ModelArtifacts"] == {"S3ModelArtifacts": "s3://bucket/out/Job-1/output/model.tar.gz"}
    assert told["AlgorithmSpecification"] == {
        **MINIMAL["AlgorithmSpecification"], "EnableSageMakerMetricsTimeSeries": False,
    }  # fmt: skip
    assert told["OutputDataConfig"] == {**MINIMAL["OutputDataConfig"], "KmsKeyId": "", "CompressionType": "GZIP"}
    assert (told["StoppingCondition"], told["HyperParameters"]) == ({"MaxRuntimeInSeconds": 86400}, {})
    switches = ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining")
    assert [told[name] for name in switches] == [False, False, False]


def test_what_ack_waits_for_is_never_null() -> None:
    groups = [{"InstanceType": "ml.m5.large", "InstanceCount": 1, "InstanceGroupName": "a"}]
    told = description_of(created(ResourceConfig={"InstanceGroups": groups, "VolumeSizeInGB": 1})).to_wire()
    assert told["ResourceConfig"] == {"InstanceCount": 0, "InstanceGroups": groups, "VolumeSizeInGB": 1}


def test_a_definition_alone_wants_the_time_series() -> None:
    defined = {**MINIMAL["AlgorithmSpecification"], "MetricDefinitions": [{"Name": "a", "Regex": "a=(.*)"}]}
    told = description_of(created(AlgorithmSpecification=defined)).to_wire()
    assert told["AlgorithmSpecification"]["EnableSageMakerMetricsTimeSeries"] is True


def test_what_was_given_is_echoed_and_nothing_else() -> None:
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://b/p"}
    given: dict[str, Any] = {
        "HyperParameters": {"b": "1", "a": "2"},
        "InputDataConfig": [{"ChannelName": "c", "DataSource": {"S3DataSource": source}}],
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        "DebugHookConfig": {"S3OutputPath": "s3://b/d"},
        "ProfilerConfig": {"S3OutputPath": "s3://b/p"},
        "ExperimentConfig": {"RunName": "r"},
        "Environment": {"A": ""},
        "RetryStrategy": {"MaximumRetryAttempts": 1},
        "Tags": [{"Key": "k", "Value": "v"}],
    }
    told = description_of(created(**given)).to_wire()
    assert set(told) == ALWAYS | (set(given) - {"Tags"}) | {"ProfilingStatus"}
    (channel,) = told["InputDataConfig"]
    assert channel == {"CompressionType": "None", "RecordWrapperType": "None", **given["InputDataConfig"][0]}
    assert list(told["HyperParameters"]) == ["a", "b"]
    assert told["ProfilerConfig"] == {"S3OutputPath": "s3://b/p", "ProfilingIntervalInMilliseconds": 500}
    echoed = ("VpcConfig", "DebugHookConfig", "ExperimentConfig", "Environment", "RetryStrategy")
    assert {name: told[name] for name in echoed} == {name: given[name] for name in echoed}


def test_final_metrics_are_single_precision_at_whole_seconds() -> None:
    record = replace(running(), final_metrics=(Metric(name="loss", value=0.0036, at=30.7),))
    assert description_of(record).to_wire()["FinalMetricDataList"] == [
        {"MetricName": "loss", "Value": 0.003599999938160181, "Timestamp": 30.0}
    ]
