"""Our model against botocore's own, member by member."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from trainyard.model.casing import ack_name, to_ack, to_api
from trainyard.model.description import TrainingJobDescription
from trainyard.model.members import Shape, paths_of
from trainyard.model.shapes import Items, Mapped, Number, OneOf, Structure, Text
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.update import TrainingJobUpdate

KINDS = {"long": "integer", "timestamp": "float", "double": "float"}


def theirs(shape: Any, prefix: str = "") -> Iterator[tuple[str, bool, Any]]:
    for name, member in shape.members.items():
        path = prefix + name
        yield path, name in shape.required_members, member
        inner = member
        if member.type_name == "list":
            path, inner = f"{path}[]", member.member
            yield path, False, inner
        if inner.type_name == "structure":
            yield from theirs(inner, f"{path}.")


def their_constraint(shape: Any) -> Any:
    meta = shape.metadata
    if shape.type_name == "string" and shape.enum:
        return OneOf(tuple(shape.enum))
    if shape.type_name == "string":
        text = Text(meta.get("min", 0), meta.get("max"), meta.get("pattern"))
        return None if text == Text() else text
    if shape.type_name in ("integer", "long"):
        number = Number(meta.get("min"), meta.get("max"))
        return None if number == Number() else number
    if shape.type_name == "list":
        items = Items(meta.get("min", 0), meta.get("max"))
        return None if items == Items() else items
    if shape.type_name == "map":
        return Mapped(meta["max"], their_constraint(shape.key), their_constraint(shape.value))
    return None


def ours(structure: type[Structure]) -> dict[str, tuple[bool, str, Any]]:
    def told(shape: Shape) -> tuple[str, Any]:
        return shape.kind, shape.constraint

    return {path: (member is not None and member.required, *told(shape)) for path, member, shape in paths_of(structure)}


@pytest.mark.parametrize(
    ("operation", "side", "structure"),
    [
        ("CreateTrainingJob", "input_shape", TrainingJobSpec),
        ("DescribeTrainingJob", "output_shape", TrainingJobDescription),
        ("UpdateTrainingJob", "input_shape", TrainingJobUpdate),
    ],
)
def test_every_member_is_botocores(operation: str, side: str, structure: type[Structure]) -> None:
    service = botocore.session.get_session().get_service_model("sagemaker")
    shape = getattr(service.operation_model(operation), side)
    expected = {
        path: (required, KINDS.get(member.type_name, member.type_name), their_constraint(member))
        for path, required, member in theirs(shape)
    }
    found = ours(structure)
    assert set(found) == set(expected)
    wrong = {path: (found[path], expected[path]) for path in expected if found[path] != expected[path]}
    assert wrong == {}


SPELLINGS = {
    "RoleArn": "roleARN", "KmsKeyId": "kmsKeyID", "S3Uri": "s3URI", "VolumeSizeInGB": "volumeSizeInGB",
    "VolumeKmsKeyId": "volumeKMSKeyID", "SecurityGroupIds": "securityGroupIDs", "S3OutputPath": "s3OutputPath",
    "HyperParameters": "hyperParameters", "TensorBoardOutputConfig": "tensorBoardOutputConfig",
    "EnableSageMakerMetricsTimeSeries": "enableSageMakerMetricsTimeSeries", "HubContentArn": "hubContentARN",
    "UltraServerId": "ultraServerID", "AcceptEula": "acceptEula", "FileSystemId": "fileSystemID",
    "RuleEvaluationJobArn": "ruleEvaluationJobARN", "VpcConfig": "vpcConfig", "S3DataSource": "s3DataSource",
    "S3ModelArtifacts": "s3ModelArtifacts",
}  # fmt: skip


@pytest.mark.parametrize(("api", "ack"), SPELLINGS.items())
def test_a_name_is_spelt_as_ack_spells_it(api: str, ack: str) -> None:
    assert ack_name(api) == ack


def test_mixed_spellings_become_the_apis_and_a_users_keys_stay() -> None:
    mixed = {"roleArn": "r", "InputDataConfig": [{"channelName": "c", "DataSource": {"s3DataSource": {"s3Uri": "u"}}}]}
    document = {**mixed, "hyperParameters": {"roleArn": "1"}, "nonsense": {"roleARN": 1}}
    converted = to_api(document)
    assert converted == {
        "RoleArn": "r",
        "InputDataConfig": [{"ChannelName": "c", "DataSource": {"S3DataSource": {"S3Uri": "u"}}}],
        "HyperParameters": {"roleArn": "1"},
        "nonsense": {"roleARN": 1},
    }
    assert to_api(to_ack(converted)) == converted


def as_seed(structure: type[Structure], part: str) -> set[str]:
    """Every path in the seed resource's manner: ACK's spelling, list places left out."""
    paths = (path.replace("[]", "") for path, _, _ in paths_of(structure))
    return {".".join([part, *map(ack_name, path.split("."))]) for path in paths}


def test_the_seed_resources_fields_have_a_place() -> None:
    resource_only = ("status.ackResourceMetadata", "status.conditions")  # the resource's own, not the API's
    fields = (Path(__file__).parent / "seed_fields.txt").read_text().split()
    seed = {field for field in fields if not field.startswith(resource_only)}
    assert len(fields) > 100
    assert seed - as_seed(TrainingJobSpec, "spec") - as_seed(TrainingJobDescription, "status") == set()
