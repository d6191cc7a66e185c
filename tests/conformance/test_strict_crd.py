"""The strict definition beside admission: it refuses nothing that admission takes, nor an edit that a job takes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from trainyard.doors.kube.rules import broken_rules
from trainyard.doors.kube.schema import causes_of, pruned
from trainyard.lifecycle.admission import admit
from trainyard.model.casing import to_ack
from trainyard.model.members import Shape, members_of
from trainyard.model.problems import Severity
from trainyard.model.shapes import Items, Mapped, Number, OneOf, Structure, Text
from trainyard.model.spec import TrainingJobSpec
from trainyard.resource.crd import resource_schema
from trainyard.resource.schemas import SERVICE_ONLY

ROOT = Path(__file__).parents[2]
STRICT, ACK = resource_schema(strict=True), resource_schema(strict=False)
EXAMPLES = [
    document
    for path in sorted(ROOT.glob("examples/**/*.yaml"))
    for document in YAML(typ="safe", pure=True).load_all(path.read_text())
    if isinstance(document, dict) and document.get("kind") == "TrainingJob"
]
WORDS = ("", "a", "a-b", "A_1", "-", "s3://bucket/key", "https://host/x", "file:///data", "data/here", "ftp://host/x",
         "arn:aws:iam::123456789012:role/x", "arn:aws:iam::1:role/x", "ml.m5.large", "ml.new9.large",
         "fs-0123456789abcdef", "AWS:x", "aws:x", "é", "a b", "x\ny", "100K", "Pipe", "File", "None", "/opt/ml/x",
         "arn:aws:sagemaker:us-west-2:123456789012:training-plan/p")  # fmt: skip
REQUEST = {
    "TrainingJobName": "job",
    "RoleArn": "arn:aws:iam::123456789012:role/x",
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}


def strictly(spec: dict[str, Any], **rest: Any) -> list[str]:
    body = {"metadata": {"name": "n"}, "spec": spec, **rest}
    causes = causes_of(body, STRICT) or broken_rules(body, STRICT)
    return [cause.told() for cause in causes]


def texts(text: Text) -> st.SearchStrategy[str]:
    ends = [
        size
        for size in (text.min - 1, text.min, text.max, (text.max or 0) + 1)
        if size is not None and 0 <= size < 3000
    ]
    return st.sampled_from([*WORDS, *("a" * size for size in ends)])


def values(shape: Shape) -> st.SearchStrategy[Any]:
    limits = shape.constraint
    if shape.structure is not None:
        return structures(shape.structure)
    if shape.item is not None:
        most = limits.max if isinstance(limits, Items) and limits.max else 3
        few = st.lists(values(shape.item), max_size=3)
        return few | st.builds(
            lambda item, count: [item] * count, values(shape.item), st.sampled_from([most, most + 1])
        )
    if isinstance(limits, OneOf):
        return st.sampled_from([*limits.values[:6], "Other", ""])
    if isinstance(limits, Mapped):
        return st.dictionaries(texts(limits.key), texts(limits.value), max_size=3)
    if isinstance(limits, Number):
        ends = [limits.min, limits.max]
        return st.sampled_from(
            [0, 1, 2, 60, 100, *(end + step for end in ends if end is not None for step in (-1, 0, 1))]
        )
    if shape.kind == "boolean":
        return st.booleans()
    if shape.kind == "integer":
        return st.sampled_from([0, 1, 99, 100, 500, -1])
    return texts(limits) if isinstance(limits, Text) else st.sampled_from(WORDS)


def structures(structure: type[Structure]) -> st.SearchStrategy[dict[str, Any]]:
    members = {
        name: values(member.shape)
        for name, member in members_of(structure).items()
        if f"{structure.__name__}.{name}" not in SERVICE_ONLY
    }
    required = {name: members[name] for name, member in members_of(structure).items() if member.required}
    rest = {name: strategy for name, strategy in members.items() if name not in required}
    return st.fixed_dictionaries(required, optional=rest)


MEMBERS = {name: values(member.shape) for name, member in members_of(TrainingJobSpec).items()}
CHANGES = st.lists(st.sampled_from(sorted(MEMBERS)), min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: MEMBERS[name] for name in names})
)


@given(CHANGES, st.sets(st.sampled_from(sorted(REQUEST)), max_size=1))
@settings(max_examples=400)
def test_what_the_strict_definition_refuses_admission_refuses_too(changes: dict[str, Any], left_out: set[str]) -> None:
    request = {name: value for name, value in {**REQUEST, **changes}.items() if name not in left_out}
    refused = strictly(to_ack(request))
    if refused:
        problems = admit(request, nameless="TrainingJobName" not in request).problems
        assert any(problem.severity is Severity.ERROR for problem in problems), refused


def test_the_examples_pass() -> None:
    assert EXAMPLES
    for document in EXAMPLES:
        assert strictly(document["spec"]) == []
        assert pruned(document, STRICT)[1] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"TrainingJobName": "a_b"}, "spec.trainingJobName: Invalid value"),
        ({"RoleArn": "role"}, "spec.roleARN: Invalid value"),
        ({"Tags": [{"Key": "a", "Value": ""}] * 2}, "tag keys must be unique"),
        ({"Tags": [{"Key": "Aws:a", "Value": ""}]}, "aws:"),
        ({"OutputDataConfig": {"S3OutputPath": "gs://bucket"}}, "must be an s3://"),
        ({"StoppingCondition": {"MaxWaitTimeInSeconds": 60}}, "only supported when enableManagedSpotTraining"),
        ({"EnableManagedSpotTraining": True}, "maxWaitTimeInSeconds must be present"),
        ({"AlgorithmSpecification": {"TrainingInputMode": "File"}}, "exactly one of trainingImage and algorithmName"),
        ({"AlgorithmSpecification": {"TrainingInputMode": "file", "TrainingImage": "i"}}, "Unsupported value"),
        ({"ResourceConfig": {"InstanceType": "m5.large", "InstanceCount": 1}}, "should match"),
        ({"ResourceConfig": {"InstanceCount": 1}}, "instanceType and instanceCount are required"),
        ({"InputDataConfig": [{"ChannelName": "c", "DataSource": {}}]}, "exactly one of s3DataSource"),
        ({"ProfilerConfig": {"ProfilingIntervalInMilliseconds": 7}}, "Unsupported value"),
        ({"RetryStrategy": {"MaximumRetryAttempts": 31}}, "less than or equal to 30"),
        ({"Environment": {"A" * 513: "x"}}, "at most 512 characters"),
    ],
)
def test_what_the_service_would_refuse_is_refused_at_the_door(change: dict[str, Any], said: str) -> None:
    assert strictly(to_ack(REQUEST)) == []
    assert said in " ".join(strictly(to_ack({**REQUEST, **change})))


def test_spec_may_be_absent_and_may_not_be_empty() -> None:
    for schema in (STRICT, ACK):
        assert causes_of({"metadata": {"name": "n"}}, schema) == []
        assert broken_rules({"metadata": {"name": "n"}}, schema) == []
        assert causes_of({"metadata": {"name": "n"}, "spec": {}}, schema) != []


JOB = {
    **to_ack(REQUEST),
    "profilerConfig": {"s3OutputPath": "s3://b/p"},
    "hyperParameters": {"eta": "1"},
    "inputDataConfig": [{"channelName": "c", "dataSource": {"s3DataSource": {"s3DataType": "S3Prefix", "s3URI": "s3://b/c"}}}],
}  # fmt: skip
ARN = "arn:aws:sagemaker:us-west-2:123456789012:training-job/job"
RUNNING = {
    "ackResourceMetadata": {"arn": ARN, "ownerAccountID": "123456789012", "region": "us-west-2"},
    "conditions": [],
}


def edited(path: str, value: Any, status: dict[str, Any]) -> list[str]:
    new: dict[str, Any] = copy.deepcopy(JOB)
    *above, last = path.split(".")
    inner = new
    for step in above:
        inner = inner.setdefault(step, {})
    if value is None:
        inner.pop(last)
    else:
        inner[last] = value
    body = {"metadata": {"name": "n"}, "spec": new, "status": status}
    return [cause.told() for cause in broken_rules(body, STRICT, {**body, "spec": JOB})]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("tags", [{"key": "a", "value": "b"}]),
        ("resourceConfig.keepAlivePeriodInSeconds", 60),
        ("profilerConfig", None),
        ("profilerConfig.profilingIntervalInMilliseconds", 200),
        ("profilerRuleConfigurations", [{"ruleConfigurationName": "r", "ruleEvaluatorImage": "i"}]),
        ("remoteDebugConfig", {"enableRemoteDebug": True}),
        # late initialisation, and its undoing by whoever replaces the whole spec
        ("enableNetworkIsolation", False),
        ("outputDataConfig.compressionType", "GZIP"),
        ("outputDataConfig.kmsKeyID", ""),
        ("algorithmSpecification.enableSageMakerMetricsTimeSeries", False),
        ("resourceConfig.instanceCount", None),
        ("algorithmSpecification.metricDefinitions", []),
    ],
)
def test_a_running_job_takes_the_edits_that_the_service_takes(path: str, value: Any) -> None:
    assert [told for told in edited(path, value, RUNNING) if "cannot change" in told] == []


FIXED = [
    ("trainingJobName", "other"),
    ("trainingJobName", None),
    ("roleARN", "arn:aws:iam::123456789012:role/y"),
    ("hyperParameters.eta", "2"),
    ("hyperParameters", None),
    ("inputDataConfig", None),
    ("outputDataConfig.s3OutputPath", "s3://bucket/other"),
    ("outputDataConfig.compressionType", "NONE"),
    ("enableNetworkIsolation", True),
    ("algorithmSpecification.trainingImage", "other"),
    ("resourceConfig.instanceType", "ml.m5.xlarge"),
    ("resourceConfig.instanceCount", 2),
    ("stoppingCondition.maxRuntimeInSeconds", 61),
    ("vpcConfig", {"subnets": ["s"], "securityGroupIDs": ["g"]}),
    ("environment", {"A": "b"}),
]


@pytest.mark.parametrize(("path", "value"), FIXED)
def test_a_running_job_takes_no_other_edit(path: str, value: Any) -> None:
    assert "cannot change once the job exists" in " ".join(edited(path, value, RUNNING))


@pytest.mark.parametrize(("path", "value"), FIXED)
def test_before_the_job_exists_everything_may_be_mended(path: str, value: Any) -> None:
    assert edited(path, value, {}) == []


def stuck(message: str) -> dict[str, Any]:
    return {**RUNNING, "conditions": [{"type": "ACK.Terminal", "status": "True", "message": message}]}


@pytest.mark.parametrize(("path", "value"), FIXED)
def test_a_terminal_resource_may_be_mended_but_not_made_another_job(path: str, value: Any) -> None:
    assert bool(edited(path, value, stuck("InvalidParameterValue: x"))) is (path == "trainingJobName")
    assert edited(path, value, stuck("Resource already exists")) == []
