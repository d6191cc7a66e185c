"""Requests made of botocore's own CreateTrainingJob shape: a sound one with any one member at any value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import botocore.session

ROOT = botocore.session.get_session().get_service_model("sagemaker").operation_model("CreateTrainingJob").input_shape
REQUEST: dict[str, Any] = {
    "TrainingJobName": "job",
    "RoleArn": "arn:aws:iam::123456789012:role/x",
    "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
}
ARN = "arn:aws:sagemaker:us-east-1:123456789012:"
HUB = "arn:aws:sagemaker:us-"
# For each pattern: what a text begins with, what it may be filled with to any length, what it ends with, and a bad one.
PATTERNS = {
    r".*": ("", "x", "", "a\nb"),
    r".+": ("", "x", "", "a\rb"),
    r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}": ("", "a", "", "a_b"),
    r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}": ("", "a", "", "a-"),
    r"(arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:[a-z\-]*\/)?([a-zA-Z0-9]([a-zA-Z0-9-]){0,62})(?<!-)":
        (ARN, "a", "/n", "a-"),
    r"arn:[\p{Alnum}\-]+:lambda:[\p{Alnum}\-]+:[0-9]{12}:function:.*":
        ("arn:aws:lambda:us-east-1:123456789012:function:", "x", "", "arn:aws:lambda:us_east:123456789012:function:x"),
    r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+":
        ("arn:aws:iam::123456789012:role/", "x", "", "arn:aws:iam::12345678901:role/x"),
    r"[A-Za-z0-9\.\-_]+": ("", "x", "", "a b"),
    r"(https|s3)://([^/]+)/?(.*)": ("s3://b/", "x", "", "ftp://b/x"),
    r"(fs-[0-9a-f]{8,})": ("fs-", "0", "", "fs-0123456g"),
    r"(arn:[a-z0-9-\.]{1,63}:sagemaker:\w+(?:-\w+)+:(\d{12}|aws):hub-content\/)[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
    r"\/DataSet\/[a-zA-Z0-9](-*[a-zA-Z0-9]){0,63}(\/\d{1,4}.\d{1,4}.\d{1,4})?":
        (HUB, "e", ":aws:hub-content/h/DataSet/d", "arn:x"),
    r"(arn:[a-z0-9-\.]{1,63}:sagemaker:\w+(?:-\w+)+:(\d{12}|aws):hub-content\/)[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
    r"\/Model\/[a-zA-Z0-9](-*[a-zA-Z0-9]){0,63}(\/\d{1,4}.\d{1,4}.\d{1,4})?":
        (HUB, "e", ":aws:hub-content/h/Model/m/1.2.3", "arn:x"),
    r"[a-zA-Z0-9:/_-]*": ("", "x", "", "a.b"),
    r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:training-plan/.*": (f"{ARN}training-plan/", "x", "", "x" * 60),
    r"[-0-9a-zA-Z]+": ("", "x", "", "a_b"),
    r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)": ("", "ü", "", "a;b"),
    r"[a-zA-Z_][a-zA-Z0-9_]*": ("_", "9", "", "9_"),
    r"[\S\s]*": ("", "\n", "", None),
    r"\d+K": ("", "1", "K", "8k"),
    r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:mlflow-[a-zA-Z-]*/.*": (f"{ARN}mlflow-app/", "x", "", f"{ARN}x/"),
    r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]{9,16}:[0-9]{12}:model-package-group/[\S]{1,2048}":
        (f"{ARN}model-package-group/", "x", "", f"{ARN}model-package-group/"),
    r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]{9,16}:[0-9]{12}:model-package/[\S]{1,2048}":
        (f"{ARN}model-package/", "x", "", f"{ARN}model-package/a b"),
}  # fmt: skip
ABSENT = object()

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Place:
    """One path of the request and its shape, with whether it must be given."""

    path: Path
    shape: Any
    required: bool

    def __str__(self) -> str:
        return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)[1:]


def places(shape: Any = ROOT, path: Path = ()) -> Iterator[Place]:
    for name, member in shape.members.items():
        here: Path = (*path, name)
        yield Place(here, member, name in shape.required_members)
        inner = member
        if member.type_name == "list":
            here, inner = (*here, 0), member.member
            yield Place(here, inner, required=False)
        if inner.type_name == "structure":
            yield from places(inner, here)


PLACES = tuple(places())


def text(shape: Any, length: int) -> str:
    """A text of exactly this length that the shape's pattern takes."""
    before, filling, after, _ = PATTERNS.get(shape.metadata.get("pattern"), ("", "x", "", None))
    if length < len(before) + len(after):
        return filling * length
    return before + filling * (length - len(before) - len(after)) + after


def shortest(shape: Any) -> str:
    before, filling, after, _ = PATTERNS.get(shape.metadata.get("pattern"), ("", "x", "", None))
    return text(shape, max(shape.metadata.get("min", 0), len(before + filling + after)))


def sample(shape: Any) -> Any:
    """A value that no constraint refuses."""
    match shape.type_name:
        case "string":
            return shape.enum[0] if shape.enum else shortest(shape)
        case "integer" | "long":
            return max(shape.metadata.get("min", 1), 1)
        case "boolean":
            return False
        case "list":
            return [sample(shape.member)] * max(shape.metadata.get("min", 1), 1)
        case "map":
            return {shortest(shape.key): shortest(shape.value)}
        case _:
            return {name: sample(shape.members[name]) for name in shape.required_members}


def _built(shape: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    if isinstance(path[0], int):
        return [_built(shape.member, path[1:], value)]
    members = {name: sample(shape.members[name]) for name in shape.required_members}
    member = shape.members.get(path[0])
    members[path[0]] = value if member is None else _built(member, path[1:], value)
    return {name: member for name, member in members.items() if member is not ABSENT}


def request_with(path: Path, value: Any) -> dict[str, Any]:
    others = {name: member for name, member in REQUEST.items() if name != path[0]}
    return {**_built(ROOT, path, value), **others}
