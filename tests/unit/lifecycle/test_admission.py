# ruff: noqa: E501 - one case, one line
"""Admission: constraints and rules, each with its path, code and words; nothing that is sent makes it raise."""

from __future__ import annotations

import copy
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.whole_requests import whole_requests

from trainyard.lifecycle.admission import admit
from trainyard.lifecycle.admission.patterns import matches
from trainyard.lifecycle.admission.words import validation_message

S3 = {"S3DataType": "S3Prefix", "S3Uri": "s3://b/p"}
CHANNEL = {"ChannelName": "train", "DataSource": {"S3DataSource": S3}}
FSX = {"FileSystemId": "fs-01234567", "FileSystemAccessMode": "ro", "FileSystemType": "FSxLustre", "DirectoryPath": "/"}
GROUP = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "InstanceGroupName": "a"}
RULE = {"RuleConfigurationName": "r", "RuleEvaluatorImage": "i"}
PREFERENCES = {"InstancePreferences": [{"InstanceType": "ml.m5.large"}], "VolumeSizeInGB": 1}
REQUEST: dict[str, Any] = {
    "TrainingJobName": "job",
    "RoleArn": "arn:aws:iam::123456789012:role/x",
    "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File"},
    "InputDataConfig": [CHANNEL],
    "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}


def request(**changes: Any) -> dict[str, Any]:
    """The good request with members replaced by dotted path (`__` for the dot); None takes one away."""
    wire = copy.deepcopy(REQUEST)
    for path, value in changes.items():
        *above, last = path.split("__")
        part: Any = wire
        for step in above:
            part = part[int(step)] if step.isdecimal() else part.setdefault(step, {})
        if value is None:
            part.pop(last)
        else:
            part[int(last) if last.isdecimal() else last] = value
    return wire


def source(**members: Any) -> dict[str, Any]:
    return {"InputDataConfig__0__DataSource__S3DataSource": {**S3, **members}}


def test_a_good_request_is_taken_as_it_is() -> None:
    admission = admit(REQUEST)
    assert admission.problems == ()
    assert admission.spec is not None
    assert admission.spec.to_wire() == REQUEST


CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("name pattern", {"TrainingJobName": "my_job"}, "TrainingJobName", "Value 'my_job' at 'trainingJobName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"),
    ("name length", {"RoleArn": "arn:aws:iam::123456789012:role/" + "x" * 2048}, "RoleArn", "Member must have length less than or equal to 2048"),
    ("instance type", {"ResourceConfig__InstanceType": "local"}, "ResourceConfig.InstanceType", "Member must satisfy enum value set: [ml.m4.xlarge, "),
    ("21 channels", {"InputDataConfig": [{**CHANNEL, "ChannelName": f"c{i}"} for i in range(21)]}, "InputDataConfig", "less than or equal to 20"),
    ("channel that leads out", {"InputDataConfig__0__ChannelName": ".."}, "InputDataConfig.0.ChannelName", "cannot be a folder"),
    ("channel on a list", {"InputDataConfig": [{**CHANNEL, "ChannelName": "a"}, {**CHANNEL, "ChannelName": "a-manifest"}]}, "InputDataConfig.1.ChannelName", "for the channel 'a'"),
    ("channel on a pipe", {"InputDataConfig": [{**CHANNEL, "ChannelName": "a", "InputMode": "Pipe"}, {**CHANNEL, "ChannelName": "a_1"}]}, "InputDataConfig.1.ChannelName", "for the channel 'a'"),
    ("same channel", {"InputDataConfig": [CHANNEL, CHANNEL]}, "InputDataConfig.1.ChannelName", "unique"),
    ("101 parameters", {"HyperParameters": {str(i): "" for i in range(101)}}, "HyperParameters", "less than or equal to 100"),
    ("long parameter", {"HyperParameters": {"k": "v" * 2501}}, "HyperParameters.k", "Map value must satisfy constraint: [Member must have length less than or equal to 2500, Member must have length greater than or equal to 0, Member must satisfy regular expression pattern: .*]"),
    ("environment key", {"Environment": {"1A": ""}}, "Environment.1A", "Map key must satisfy constraint: ["),
    ("spot wait", {"EnableManagedSpotTraining": True, "StoppingCondition__MaxWaitTimeInSeconds": 59}, "StoppingCondition.MaxWaitTimeInSeconds", "Invalid MaxWaitTimeInSeconds. It must be present and"),
    ("wait alone", {"StoppingCondition__MaxWaitTimeInSeconds": 90}, "StoppingCondition.MaxWaitTimeInSeconds", "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"),
    ("28 days", {"StoppingCondition__MaxRuntimeInSeconds": 2419201}, "StoppingCondition.MaxRuntimeInSeconds", "28 days"),
    ("no vpc", {"InputDataConfig__0__DataSource": {"FileSystemDataSource": FSX}}, "VpcConfig", "VpcConfig is required"),
    ("file system mode", {"VpcConfig": {"SecurityGroupIds": ["a"], "Subnets": ["b"]}, "InputDataConfig__0__DataSource": {"FileSystemDataSource": FSX}, "InputDataConfig__0__InputMode": "Pipe"}, "InputDataConfig.0.DataSource.FileSystemDataSource", "File"),
    ("fast manifest", {"InputDataConfig__0__InputMode": "FastFile", **source(S3DataType="ManifestFile")}, "InputDataConfig.0.DataSource.S3DataSource.S3DataType", "S3Prefix"),
    ("augmented", source(S3DataType="AugmentedManifestFile", AttributeNames=["a"]), "InputDataConfig.0.DataSource.S3DataSource.S3DataType", "Pipe"),
    ("attributes", source(AttributeNames=["a"]), "InputDataConfig.0.DataSource.S3DataSource.AttributeNames", "AugmentedManifestFile"),
    ("RecordIO", {"InputDataConfig__0__RecordWrapperType": "RecordIO"}, "InputDataConfig.0.RecordWrapperType", "Pipe mode"),
    ("Gzip", {"InputDataConfig__0__CompressionType": "Gzip"}, "InputDataConfig.0.CompressionType", "Pipe mode"),
    ("two sources", {"InputDataConfig__0__DataSource__FileSystemDataSource": FSX, "VpcConfig": {"SecurityGroupIds": ["a"], "Subnets": ["b"]}}, "InputDataConfig.0.DataSource", "Exactly one"),
    ("partial groups", {"ResourceConfig": {"InstanceGroups": [GROUP], "VolumeSizeInGB": 1}, "InputDataConfig": [{**CHANNEL, "ChannelName": "a", "DataSource": {"S3DataSource": {**S3, "InstanceGroupNames": ["a"]}}}, {**CHANNEL, "ChannelName": "b"}]}, "InputDataConfig", "Some channels have assigned instance groups: [a] while others not: [b]"),
    ("type and groups", {"ResourceConfig__InstanceGroups": [GROUP]}, "ResourceConfig.InstanceGroups", "InstanceType or InstanceCount cannot be specified with InstanceGroups"),
    ("same group", {"ResourceConfig": {"InstanceGroups": [GROUP, GROUP], "VolumeSizeInGB": 1}}, "ResourceConfig.InstanceGroups.1.InstanceGroupName", "unique"),
    ("key on NVMe", {"ResourceConfig__InstanceType": "ml.g4dn.xlarge", "ResourceConfig__VolumeKmsKeyId": "k"}, "ResourceConfig.VolumeKmsKeyId", "NVMe"),
    ("no instances", {"ResourceConfig__InstanceCount": 0}, "ResourceConfig.InstanceCount", "1"),
    ("warm spot", {"EnableManagedSpotTraining": True, "StoppingCondition__MaxWaitTimeInSeconds": 60, "ResourceConfig__KeepAlivePeriodInSeconds": 60}, "ResourceConfig.KeepAlivePeriodInSeconds", "KeepAlive"),
    ("preferences", {"ResourceConfig__InstancePreferences": [{"InstanceType": "ml.m5.large"}]}, "ResourceConfig.InstancePreferences", "InstanceType cannot"),
    ("long tag", {"Tags": [{"Key": "k" * 129, "Value": ""}]}, "Tags.0.Key", "128"),
    ("51 tags", {"Tags": [{"Key": str(i), "Value": ""} for i in range(51)]}, "Tags", "50"),
    ("same tag", {"Tags": [{"Key": "a", "Value": ""}] * 2}, "Tags.1.Key", "Duplicate tag keys"),
    ("no algorithm", {"AlgorithmSpecification": None}, "AlgorithmSpecification", "Value null at 'algorithmSpecification' failed to satisfy constraint: Member must not be null"),
    ("no image", {"AlgorithmSpecification__TrainingImage": None}, "AlgorithmSpecification", "One of"),
    ("both", {"AlgorithmSpecification__AlgorithmName": "x"}, "AlgorithmSpecification", "Only one of"),
    ("number as text", {"ResourceConfig__InstanceCount": "1"}, "ResourceConfig.InstanceCount", "a whole number"),
    ("parameter not text", {"HyperParameters": {"eta": 0.1}}, "HyperParameters.eta", "a string"),
    ("relative folder", {"CheckpointConfig": {"S3Uri": "s3://b/c", "LocalPath": "x"}}, "CheckpointConfig.LocalPath", "absolute"),
    ("reserved folder", {"CheckpointConfig": {"S3Uri": "s3://b/c", "LocalPath": "/opt/ml/model/"}}, "CheckpointConfig.LocalPath", "reserved"),
    ("private registry", {"AlgorithmSpecification__TrainingImageConfig": {"TrainingRepositoryAccessMode": "Vpc"}}, "VpcConfig", "VpcConfig is required when TrainingRepositoryAccessMode is Vpc"),
    ("spot wait below the default runtime", {"EnableManagedSpotTraining": True, "StoppingCondition": {"MaxWaitTimeInSeconds": 86399}}, "StoppingCondition.MaxWaitTimeInSeconds", "greater than or equal to MaxRuntimeInSeconds"),
    ("unknown group", {"ResourceConfig": {"InstanceGroups": [GROUP], "VolumeSizeInGB": 1}, **source(InstanceGroupNames=["b"])}, "InputDataConfig.0.DataSource.S3DataSource.InstanceGroupNames.0", "'b' is not among the InstanceGroups"),
    ("empty group", {"ResourceConfig": {"InstanceGroups": [{**GROUP, "InstanceCount": 0}], "VolumeSizeInGB": 1}}, "ResourceConfig.InstanceGroups.0.InstanceCount", "greater than or equal to 1"),
    ("warm groups", {"ResourceConfig": {"InstanceGroups": [GROUP], "VolumeSizeInGB": 1, "KeepAlivePeriodInSeconds": 60}}, "ResourceConfig.KeepAlivePeriodInSeconds", "cannot be specified with InstanceGroups"),
    ("spot preferences", {"EnableManagedSpotTraining": True, "StoppingCondition__MaxWaitTimeInSeconds": 60, "ResourceConfig": {**PREFERENCES, "InstanceCount": 1}}, "ResourceConfig.InstancePreferences", "EnableManagedSpotTraining cannot be used"),
    ("placed preferences", {"ResourceConfig": {**PREFERENCES, "InstanceCount": 1, "InstancePlacementConfig": {"EnableMultipleJobs": True}}}, "ResourceConfig.InstancePreferences", "InstancePlacementConfig cannot be specified with InstancePreferences"),
    ("uncounted preferences", {"ResourceConfig": PREFERENCES}, "ResourceConfig.InstancePreferences", "InstanceCount must be specified either"),
    ("chosen type", {"ResourceConfig__SelectedInstanceType": "ml.m5.large"}, "ResourceConfig.SelectedInstanceType", "set by the service"),
    ("nameless attributes", {"InputDataConfig__0__InputMode": "Pipe", **source(S3DataType="AugmentedManifestFile")}, "InputDataConfig.0.DataSource.S3DataSource.AttributeNames", "AttributeNames must be specified"),
    ("fast Gzip", {"InputDataConfig__0__InputMode": "FastFile", "InputDataConfig__0__CompressionType": "Gzip"}, "InputDataConfig.0.CompressionType", "In FastFile mode"),
    ("shuffled file system", {"VpcConfig": {"SecurityGroupIds": ["a"], "Subnets": ["b"]}, "InputDataConfig__0__DataSource": {"FileSystemDataSource": FSX}, "InputDataConfig__0__ShuffleConfig": {"Seed": 1}}, "InputDataConfig.0.ShuffleConfig", "only supported for channels with an S3DataSource"),
    ("no source", {"InputDataConfig__0__DataSource": {}}, "InputDataConfig.0.DataSource", "Exactly one of"),
    ("same rule", {"DebugRuleConfigurations": [RULE, RULE]}, "DebugRuleConfigurations.1.RuleConfigurationName", "must be unique"),
    ("same profiler rule", {"ProfilerRuleConfigurations": [RULE, RULE]}, "ProfilerRuleConfigurations.1.RuleConfigurationName", "must be unique"),
    ("reserved tag", {"Tags": [{"Key": "aws:x", "Value": ""}]}, "Tags.0.Key", "aws: prefixed"),
    ("upward folder", {"DebugHookConfig": {"S3OutputPath": "s3://b/c", "LocalPath": "/a/../opt"}}, "DebugHookConfig.LocalPath", "absolute"),
    ("interval", {"ProfilerConfig": {"ProfilingIntervalInMilliseconds": 3}}, "ProfilerConfig.ProfilingIntervalInMilliseconds", "one of"),
    ("other scheme", {"OutputDataConfig__S3OutputPath": "gs://b"}, "OutputDataConfig.S3OutputPath", "(https|s3)://"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "path", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_fault_is_told_at_its_place(changes: dict[str, Any], path: str, words: str) -> None:
    admission = admit(request(**changes))
    assert admission.spec is None
    assert [(".".join(map(str, p.path)), words in p.message) for p in admission.problems] == [(path, True)]


def test_a_long_name_breaks_its_length_and_its_pattern() -> None:
    length, pattern = admit(request(TrainingJobName="a" * 64)).problems
    assert length.message.endswith("Member must have length less than or equal to 63")
    assert pattern.code == "pattern"


def test_a_missing_volume_size_refuses_a_job_of_the_services_and_is_a_notice_here() -> None:
    (there,) = admit(request(ResourceConfig__VolumeSizeInGB=None), place="sagemaker").problems
    (here,) = admit(request(ResourceConfig__VolumeSizeInGB=None)).problems
    assert (there.severity, here.severity, there.message) == ("error", "notice", here.message)
    own_disk = request(ResourceConfig__VolumeSizeInGB=None, ResourceConfig__InstanceType="ml.g4dn.xlarge")
    assert admit(own_disk, place="sagemaker").problems == ()


def test_two_faults_are_one_message() -> None:
    problems = admit(request(TrainingJobName="my_job", RoleArn=None)).problems
    text = validation_message(problems)
    assert text.startswith("2 validation errors detected: Value 'my_job' at 'trainingJobName'")
    assert "; Value null at 'roleArn' failed to satisfy constraint: Member must not be null" in text
    assert validation_message(problems[:1]).startswith("1 validation error detected: ")


def test_a_misspelt_field_names_the_nearest_and_a_list_place_counts_from_one() -> None:
    problems = admit(request(Envronment={}, InputDataConfig__0__ChannelName="a b")).problems
    assert [p.suggestion for p in problems if p.code == "unknown-field"] == ["Environment"]
    assert any("'inputDataConfig.1.member.channelName'" in p.message for p in problems)


def test_local_places_are_for_our_own_yard() -> None:
    wire = request(OutputDataConfig__S3OutputPath="file:///tmp/x", **source(S3Uri="./data"))
    assert admit(wire).problems == ()
    assert len(admit(wire, place="sagemaker").problems) == 2


def test_channels_may_be_numbered_where_no_pipe_is() -> None:
    assert admit(request(InputDataConfig=[{**CHANNEL, "ChannelName": name} for name in ("a", "a_1")])).problems == ()


def test_a_nameless_request_is_taken_where_that_is_asked_for() -> None:
    admission = admit(request(TrainingJobName=None), nameless=True)
    assert admission.spec is not None
    assert admission.spec.training_job_name == ""
    assert admit(request(TrainingJobName=None)).spec is None
    assert admit(request(TrainingJobName="a_b"), nameless=True).spec is None


@pytest.mark.parametrize("path", ["TrainingJobName", "RoleArn", "OutputDataConfig__S3OutputPath"])
def test_a_huge_value_is_told_shortly(path: str) -> None:
    problems = admit(request(**{path: "_\n" * 50_000})).problems
    assert problems
    assert all(len(p.message) < 1000 for p in problems)


def test_unicode_classes_are_the_services() -> None:
    for code in range(0x3000):
        letter = chr(code)
        wanted = unicodedata.category(letter)[0] in "LZN" or letter in "_.:/=+-@"
        assert matches(r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", letter) == wanted, hex(code)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*REQUEST, *S3, "DataSource"]), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.one_of(st.sampled_from(list(REQUEST)), st.text(max_size=5)), JSON, max_size=6))
def test_no_request_raises(wire: dict[str, Any]) -> None:
    for candidate in (wire, {**REQUEST, **wire}):
        admission = admit(candidate)
        assert (admission.spec is None) or not [p for p in admission.problems if p.severity.value == "error"]
        validation_message(admission.problems)


@pytest.mark.parametrize("name", ["Unknown", "TrainingJobName"])
def test_a_member_that_there_is_not_is_refused_with_no_value_too(name: str) -> None:
    good = whole_requests()[0]
    assert admit(good).spec is not None
    admission = admit({**good, "ResourceConfig": {**good["ResourceConfig"], name: None}})
    assert [(one.path, one.code) for one in admission.problems] == [(("ResourceConfig", name), "unknown-field")]


def test_of_twenty_thousand_faults_a_hundred_are_told_and_the_rest_counted() -> None:
    wire = {**request(TrainingJobName="my_job"), **{f"Unknown{number}": 1 for number in range(20_000)}}
    admission = admit(wire)
    assert len(admission.problems) == 101
    assert admission.problems[-1].message.startswith("and 19901 more problems")
    assert len(validation_message(admission.problems)) < 20_000
    assert [p.code for p in admit(request(TrainingJobName="my_job")).problems] == ["pattern"]


def test_a_notice_is_told_beside_any_number_of_faults() -> None:
    wire = {**request(ResourceConfig__VolumeSizeInGB=None), **{f"Unknown{number}": 1 for number in range(200)}}
    told = admit(wire).problems
    assert [str(p.severity) for p in told if p.code == "volume-size"] == ["notice"]
    assert told[-1].code == "more"


def test_a_bare_path_means_nothing_to_a_service() -> None:
    from trainyard.lifecycle.admission import objections
    from trainyard.model.spec import TrainingJobSpec

    wire = {
        "TrainingJobName": "a", "RoleArn": "arn:aws:iam::123456789012:role/x",
        "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File"},
        "InputDataConfig": [
            {"ChannelName": "c", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "data/"}}}
        ],
        "OutputDataConfig": {"S3OutputPath": "models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    }  # fmt: skip
    told = objections(TrainingJobSpec.from_wire(wire))
    assert [problem.path[-1] for problem in told] == ["S3Uri", "S3OutputPath"]
    wire["OutputDataConfig"] = {"S3OutputPath": "file:///models"}
    del wire["InputDataConfig"]
    assert objections(TrainingJobSpec.from_wire(wire)) == ()
