"""ACK's update scenarios (its fixtures' names), row by row, with its own texts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.lifecycle import updating
from trainyard.lifecycle.comparing import differences
from trainyard.lifecycle.transitions import enter
from trainyard.lifecycle.updating import Ask, Refuse, judge
from trainyard.model.keys import JobKey
from trainyard.model.record import JobRecord, Placement
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import SecondaryStatus
from trainyard.model.update import TrainingJobUpdate

RULE = {"RuleConfigurationName": "overfit", "RuleEvaluatorImage": "image"}
OTHER = {"RuleConfigurationName": "loss", "RuleEvaluatorImage": "image"}
PROFILER = {"S3OutputPath": "s3://b/p", "ProfilingIntervalInMilliseconds": 500}
SPEC: dict[str, Any] = {
    "TrainingJobName": "job",
    "RoleArn": "arn:aws:iam::123456789012:role/role",
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "HyperParameters": {"eta": "1"},
    "InputDataConfig": [
        {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/t"}}}
    ],
}
WITH_PROFILER = {**SPEC, "ProfilerConfig": PROFILER, "ProfilerRuleConfigurations": [RULE]}
WITH_POOL = {**SPEC, "ResourceConfig": {**SPEC["ResourceConfig"], "KeepAlivePeriodInSeconds": 100}}


def told(
    spec: dict[str, Any], status: str = "InProgress", secondary: str = "Downloading", **more: Any
) -> dict[str, Any]:
    channel = {**SPEC["InputDataConfig"][0], "CompressionType": "None", "RecordWrapperType": "None"}
    echoed = {**spec, "InputDataConfig": [channel], "EnableNetworkIsolation": False, "TrainingJobStatus": status}
    echoed["OutputDataConfig"] = {**spec["OutputDataConfig"], "KmsKeyId": "", "CompressionType": "GZIP"}
    return {**echoed, "SecondaryStatus": secondary, **more}


def pool(seconds: int | None) -> dict[str, Any]:
    kept = {} if seconds is None else {"KeepAlivePeriodInSeconds": seconds}
    return {**SPEC, "ResourceConfig": {**SPEC["ResourceConfig"], **kept}}


def without(spec: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name not in names}


def available(status: str) -> dict[str, Any]:
    return {"WarmPoolStatus": {"Status": status}}


OFF = {"ProfilerConfig": {"DisableProfiler": True}}
FASTER = {**PROFILER, "ProfilingIntervalInMilliseconds": 200}
SCENARIOS = {
    "nothing changed": (SPEC, told(SPEC), None),
    "RemoveProfilerBothParams": (SPEC, told(WITH_PROFILER), OFF),
    "RemoveProfilerRule": (without(WITH_PROFILER, "ProfilerRuleConfigurations"), told(WITH_PROFILER), OFF),
    "RemoveProfilerConfig": (without(WITH_PROFILER, "ProfilerConfig"), told(WITH_PROFILER), OFF),
    "BothProfiler": (
        {**WITH_PROFILER, "ProfilerConfig": FASTER, "ProfilerRuleConfigurations": [RULE, OTHER]},
        told(WITH_PROFILER),
        {"ProfilerConfig": FASTER, "ProfilerRuleConfigurations": [OTHER]},
    ),
    "ProfilerConfig": ({**WITH_PROFILER, "ProfilerConfig": FASTER}, told(WITH_PROFILER), {"ProfilerConfig": FASTER}),
    "UpdateProfilerRule": (
        {**WITH_PROFILER, "ProfilerRuleConfigurations": [RULE, OTHER]},
        told(WITH_PROFILER),
        {"ProfilerConfig": PROFILER, "ProfilerRuleConfigurations": [OTHER]},
    ),
    "AddProfiler": (
        WITH_PROFILER,
        told(SPEC),
        {"ProfilerConfig": PROFILER, "ProfilerRuleConfigurations": [RULE]},
    ),
    "ProfilerStarting": (
        {**WITH_PROFILER, "ProfilerConfig": FASTER},
        told(WITH_PROFILER, secondary="Starting"),
        Refuse(updating.STARTING, later=True),
    ),
    "ProfilerTerminal": (
        {**WITH_PROFILER, "ProfilerConfig": FASTER},
        told(WITH_PROFILER, "Completed", "Completed"),
        Refuse(updating.PROFILER_OVER),
    ),
    "profiler while Stopping": (
        {**WITH_PROFILER, "ProfilerConfig": FASTER},
        told(WITH_PROFILER, "Stopping", "Stopping"),
        Refuse(updating.PROFILER_OVER),
    ),
    "RemoveOneProfilerRule": (
        {**WITH_PROFILER, "ProfilerRuleConfigurations": [RULE]},
        told({**WITH_PROFILER, "ProfilerRuleConfigurations": [RULE, OTHER]}),
        Refuse(updating.RULES_SHORTER),
    ),
    "RemoveAddProfilerRule": (
        {**WITH_PROFILER, "ProfilerRuleConfigurations": [OTHER, {**OTHER, "RuleConfigurationName": "third"}]},
        told(WITH_PROFILER),
        Refuse(updating.RULE_REMOVED),
    ),
    "modified rule in a longer list": (
        {**WITH_PROFILER, "ProfilerRuleConfigurations": [RULE, RULE]},
        told(WITH_PROFILER),
        Refuse(updating.RULE_MODIFIED),
    ),
    "profiling is off already": (SPEC, told(WITH_PROFILER, ProfilingStatus="Disabled"), None),
    "WarmPool": (
        pool(200),
        told(pool(100), "Completed", "Completed", **available("Available")),
        {"ResourceConfig": {"KeepAlivePeriodInSeconds": 200}},
    ),
    "WarmPool in use": (
        pool(200),
        told(pool(100), "Completed", "Completed", **available("InUse")),
        {"ResourceConfig": {"KeepAlivePeriodInSeconds": 200}},
    ),
    "a removed keep-alive ends the pool": (
        pool(None),
        told(pool(100), "Completed", "Completed", **available("InUse")),
        {"ResourceConfig": {"KeepAlivePeriodInSeconds": 0}},
    ),
    "WarmPoolInProgress": (pool(200), told(pool(100)), Refuse(updating.POOL_LATER, later=True)),
    "WarmPool not told yet": (
        pool(200),
        told(pool(100), "Completed", "Completed"),
        Refuse(updating.POOL_LATER, later=True),
    ),
    "WarmPoolTerminal": (
        pool(200),
        told(pool(100), "Completed", "Completed", **available("Terminated")),
        Refuse(updating.POOL_GONE),
    ),
    "WarmPool reused": (
        pool(200),
        told(pool(100), "Completed", "Completed", **available("Reused")),
        Refuse(updating.POOL_GONE),
    ),
    "WarmPool of a failed job": (pool(200), told(pool(100), "Failed", "Failed"), Refuse(updating.POOL_NEVER)),
    "WarmPool of a stopping job": (pool(200), told(pool(100), "Stopping", "Stopping"), Refuse(updating.POOL_NEVER)),
    "AddWarmPool": (pool(200), told(SPEC), Refuse(updating.NO_POOL)),
    "WarmPoolAndProfiler": ({**pool(200), "ProfilerConfig": PROFILER}, told(pool(100)), Refuse(updating.BOTH)),
    "Invalid update": ({**SPEC, "HyperParameters": {"eta": "2"}}, told(SPEC), Refuse(updating.ONLY)),
    "a removed hyperparameter": (without(SPEC, "HyperParameters"), told(SPEC), Refuse(updating.ONLY)),
    "another channel": ({**SPEC, "InputDataConfig": SPEC["InputDataConfig"] * 2}, told(SPEC), Refuse(updating.ONLY)),
    "a longer run": ({**SPEC, "StoppingCondition": {"MaxRuntimeInSeconds": 61}}, told(SPEC), Refuse(updating.ONLY)),
    "tags and metrics are not looked at": (
        {
            **SPEC,
            "Tags": [{"Key": "a", "Value": "b"}],
            "AlgorithmSpecification": {
                **SPEC["AlgorithmSpecification"],
                "MetricDefinitions": [{"Name": "n", "Regex": "r"}],
            },
        },
        told(SPEC),
        None,
    ),
    "remote debugging by itself": (
        {**SPEC, "RemoteDebugConfig": {"EnableRemoteDebug": True}},
        told(SPEC),
        {"RemoteDebugConfig": {"EnableRemoteDebug": True}},
    ),
    "remote debugging of a job that is over": (
        {**SPEC, "RemoteDebugConfig": {"EnableRemoteDebug": True}},
        told(SPEC, "Completed", "Completed"),
        Refuse(updating.DEBUG_OVER),
    ),
    "remote debugging goes along": (
        {**WITH_PROFILER, "ProfilerConfig": FASTER, "RemoteDebugConfig": {"EnableRemoteDebug": True}},
        told(WITH_PROFILER),
        {"ProfilerConfig": FASTER, "RemoteDebugConfig": {"EnableRemoteDebug": True}},
    ),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_matrix(scenario: str) -> None:
    wanted, observed, expected = SCENARIOS[scenario]
    verdict = judge(wanted, observed)
    if isinstance(expected, dict):
        assert isinstance(verdict, Ask)
        assert verdict.update.to_wire() == {"TrainingJobName": "job", **expected}
    else:
        assert verdict == expected


def test_security_groups_are_a_set_and_channels_are_a_list() -> None:
    network = {"SecurityGroupIds": ["a", "b"], "Subnets": ["x"]}
    turned = {**network, "SecurityGroupIds": ["b", "a"]}
    assert differences({**SPEC, "VpcConfig": network}, told({**SPEC, "VpcConfig": turned})) == ()
    two = [{**SPEC["InputDataConfig"][0], "ChannelName": name} for name in ("a", "b")]
    found = differences({**SPEC, "InputDataConfig": two}, {**told(SPEC), "InputDataConfig": two[::-1]})
    assert {one.member for one in found} == {"InputDataConfig[].ChannelName"}


def test_a_difference_says_what_is_wanted_and_what_is() -> None:
    (found,) = differences({**SPEC, "HyperParameters": {"eta": "2"}}, told(SPEC))
    assert (found.path, found.wanted, found.observed) == (("HyperParameters", "eta"), "2", "1")


def record(wire: dict[str, Any], secondary: SecondaryStatus) -> JobRecord:
    placement = Placement(launcher="fake", image="", needs=Resources())
    blank = JobRecord(
        key=JobKey("1", "r", "job"), uid="u", spec=TrainingJobSpec.from_wire(wire), placement=placement,
        created_at=1, modified_at=1,
    )  # fmt: skip
    return enter(enter(blank, SecondaryStatus.STARTING, 1), secondary, 2)


UPDATES = {
    "profiler of a running job": (WITH_PROFILER, SecondaryStatus.TRAINING, {"ProfilerConfig": FASTER}, None),
    "profiler of a job that is over": (WITH_PROFILER, SecondaryStatus.COMPLETED, OFF, updating.PROFILER_OVER),
    "no pool was asked for": (
        SPEC,
        SecondaryStatus.COMPLETED,
        {"ResourceConfig": {"KeepAlivePeriodInSeconds": 1}},
        updating.NO_POOL,
    ),
    "a pool that is gone": (
        WITH_POOL,
        SecondaryStatus.COMPLETED,
        {"ResourceConfig": {"KeepAlivePeriodInSeconds": 1}},
        updating.POOL_GONE,
    ),
    "a pool to come": (
        WITH_POOL,
        SecondaryStatus.TRAINING,
        {"ResourceConfig": {"KeepAlivePeriodInSeconds": 1}},
        updating.POOL_NEVER,
    ),
    "debugging of a job that is over": (
        SPEC,
        SecondaryStatus.FAILED,
        {"RemoteDebugConfig": {"EnableRemoteDebug": False}},
        updating.DEBUG_OVER,
    ),
}


@pytest.mark.parametrize("scenario", UPDATES)
def test_what_a_record_takes(scenario: str) -> None:
    wire, secondary, change, objection = UPDATES[scenario]
    update = TrainingJobUpdate.from_wire({"TrainingJobName": "job", **change})
    assert updating.objection(record(wire, secondary), update) == objection


@given(st.sampled_from([OFF, {"ProfilerConfig": FASTER}, {"ProfilerRuleConfigurations": [OTHER]}]))
def test_an_update_repeated_changes_nothing(change: dict[str, Any]) -> None:
    update = TrainingJobUpdate.from_wire({"TrainingJobName": "job", **change})
    once = updating.updated(record(WITH_PROFILER, SecondaryStatus.TRAINING), update, 9)
    assert once.modified_at == 9
    twice = updating.updated(once, update, 10)
    assert twice == once
    wire = once.spec.to_wire()
    assert judge(wire, told(wire)) is None
