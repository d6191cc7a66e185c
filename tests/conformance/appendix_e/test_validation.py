"""What a request is refused for, each case with the service's own words where they are known."""

from __future__ import annotations

from typing import Any

import pytest

from trainyard.lifecycle.admission import admit
from trainyard.lifecycle.admission.words import validation_message
from trainyard.model.problems import Severity

S3 = {"S3DataType": "S3Prefix", "S3Uri": "s3://b/p"}
CHANNEL = {"ChannelName": "c", "DataSource": {"S3DataSource": S3}}
HOSTS = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
GROUP = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "InstanceGroupName": "a"}
REQUEST: dict[str, Any] = {
    "TrainingJobName": "job",
    "RoleArn": "arn:aws:iam::123456789012:role/x",
    "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
    "ResourceConfig": HOSTS,
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}
FAILED = "failed to satisfy constraint: "


def refusal(**members: Any) -> str:
    """The one message for a request with these members; None takes a member away."""
    wire = {name: value for name, value in {**REQUEST, **members}.items() if value is not None}
    admission = admit(wire, place="sagemaker")
    assert admission.spec is None
    return validation_message(admission.problems)


def channels(*given: dict[str, Any]) -> dict[str, Any]:
    return {"InputDataConfig": [{**CHANNEL, "ChannelName": f"c{place}", **one} for place, one in enumerate(given)]}


def source(**members: Any) -> dict[str, Any]:
    return {"DataSource": {"S3DataSource": {**S3, **members}}}


def test_the_request_that_all_cases_begin_with_is_sound() -> None:
    assert [p for p in admit(REQUEST, place="sagemaker").problems if p.severity is Severity.ERROR] == []


@pytest.mark.case(15)
def test_name_pattern() -> None:
    assert refusal(TrainingJobName="my_job") == (
        "1 validation error detected: Value 'my_job' at 'trainingJobName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
    )


@pytest.mark.case(16)
def test_name_length() -> None:
    name = "a" * 64
    assert f"Value '{name}' at 'trainingJobName' {FAILED}Member must have length less than or equal to 63" in refusal(
        TrainingJobName=name
    )


@pytest.mark.case(17)
def test_instance_type_of_the_sdk_alone() -> None:
    assert refusal(ResourceConfig={**HOSTS, "InstanceType": "local"}).startswith(
        "1 validation error detected: Value 'local' at 'resourceConfig.instanceType' failed to satisfy constraint: "
        "Member must satisfy enum value set: ["
    )


@pytest.mark.case(18)
def test_two_faults() -> None:
    text = refusal(TrainingJobName="my_job", RoleArn="x" * 20)
    assert text.startswith("2 validation errors detected: Value 'my_job' at 'trainingJobName' ")
    assert "; Value 'xxxxxxxxxxxxxxxxxxxx' at 'roleArn' " in text


@pytest.mark.case(19)
def test_21_channels() -> None:
    text = refusal(**channels(*[{}] * 21))
    assert text.startswith("1 validation error detected: Value '[{")
    assert text.endswith(f"at 'inputDataConfig' {FAILED}Member must have length less than or equal to 20")


@pytest.mark.case(20)
def test_channels_of_one_name() -> None:
    assert "Channel names must be unique" in refusal(InputDataConfig=[CHANNEL, CHANNEL])


@pytest.mark.case(21)
def test_101_hyperparameters() -> None:
    text = refusal(HyperParameters={str(number): "" for number in range(101)})
    assert text.endswith(f"at 'hyperParameters' {FAILED}Member must have length less than or equal to 100")


@pytest.mark.case(22)
def test_long_hyperparameter() -> None:
    text = refusal(HyperParameters={"k": "v" * 2501})
    assert text.startswith("1 validation error detected: Value '{k=vvv")
    assert text.endswith(
        f"' at 'hyperParameters' {FAILED}Map value must satisfy constraint: [Member must have length less than or "
        "equal to 2500, Member must have length greater than or equal to 0, Member must satisfy regular expression "
        "pattern: .*]"
    )


@pytest.mark.case(23)
def test_variable_that_begins_with_a_digit() -> None:
    assert refusal(Environment={"1A": "x"}) == (
        "1 validation error detected: Value '{1A=x}' at 'environment' failed to satisfy constraint: Map key must "
        "satisfy constraint: [Member must have length less than or equal to 512, Member must have length greater than "
        "or equal to 0, Member must satisfy regular expression pattern: [a-zA-Z_][a-zA-Z0-9_]*]"
    )


@pytest.mark.case(24)
def test_spot_wait_below_runtime() -> None:
    limits = {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59}
    text = refusal(EnableManagedSpotTraining=True, StoppingCondition=limits)
    assert text.startswith("Invalid MaxWaitTimeInSeconds. ")
    assert "Invalid MaxWaitTimeInSeconds. " in refusal(EnableManagedSpotTraining=True)


@pytest.mark.case(25)
def test_wait_without_spot() -> None:
    assert refusal(StoppingCondition={"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}) == (
        "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"
    )


@pytest.mark.case(26)
def test_file_system_without_network() -> None:
    lustre = {
        "FileSystemId": "fs-01234567", "FileSystemAccessMode": "ro", "FileSystemType": "FSxLustre", "DirectoryPath": "/"
    }  # fmt: skip
    assert "VpcConfig is required" in refusal(**channels({"DataSource": {"FileSystemDataSource": lustre}}))


@pytest.mark.case(27)
def test_fast_file_over_a_manifest() -> None:
    text = refusal(**channels({"InputMode": "FastFile", **source(S3DataType="ManifestFile")}))
    assert "S3DataType must be S3Prefix" in text


@pytest.mark.case(28)
def test_augmented_manifest_in_file_mode() -> None:
    text = refusal(**channels(source(S3DataType="AugmentedManifestFile", AttributeNames=["a"])))
    assert "can only be used if the Channel's input mode is Pipe" in text


@pytest.mark.case(29)
def test_record_io_in_file_mode() -> None:
    assert "In File mode, leave it unset or set it to None" in refusal(**channels({"RecordWrapperType": "RecordIO"}))


@pytest.mark.case(30)
def test_groups_on_some_channels() -> None:
    text = refusal(
        ResourceConfig={"InstanceGroups": [GROUP], "VolumeSizeInGB": 1},
        **channels(source(InstanceGroupNames=["a"]), {}, {}),
    )
    assert text == "Some channels have assigned instance groups: [c0] while others not: [c1, c2]"


@pytest.mark.case(31)
def test_type_beside_groups() -> None:
    assert refusal(ResourceConfig={**HOSTS, "InstanceGroups": [GROUP]}) == (
        "InstanceType or InstanceCount cannot be specified with InstanceGroups"
    )


@pytest.mark.case(32)
def test_volume_key_on_local_disk() -> None:
    own_disk = {**HOSTS, "InstanceType": "ml.g4dn.xlarge", "VolumeKmsKeyId": "k"}
    assert "ml.g4dn.xlarge" in refusal(ResourceConfig=own_disk)


@pytest.mark.case(37)
def test_long_tag_key() -> None:
    text = refusal(Tags=[{"Key": "k" * 129, "Value": ""}])
    assert text.endswith(f"at 'tags.1.member.key' {FAILED}Member must have length less than or equal to 128")


@pytest.mark.case(38)
def test_51_tags() -> None:
    text = refusal(Tags=[{"Key": str(number), "Value": ""} for number in range(51)])
    assert text.endswith(f"at 'tags' {FAILED}Member must have length less than or equal to 50")


@pytest.mark.case(39)
def test_no_algorithm() -> None:
    assert refusal(AlgorithmSpecification=None) == (
        f"1 validation error detected: Value null at 'algorithmSpecification' {FAILED}Member must not be null"
    )
