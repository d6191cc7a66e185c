"""Manifests: both forms, both spellings, positions, and hostile text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.lifecycle.admission import admit
from trainyard.resource.manifest import Document, read_manifests, write_manifest

RESOURCE = """\
apiVersion: sagemaker.services.k8s.aws/v1alpha1
kind: TrainingJob
metadata:
  name: digits
  labels: {team: a}
spec:
  trainingJobName: digits
  roleARN: arn:aws:iam::123456789012:role/x
  algorithmSpecification: {trainingImage: img, trainingInputMode: File}
  outputDataConfig:
    s3OutputPath: s3://b/out
  resourceConfig: {instanceType: ml.m5.large, instanceCount: 1, volumeSizeInGB: 1}
  hyperParameters: {roleArn: "1", eta: "0.2"}
"""


def one(text: str | bytes) -> Document:
    (document,) = read_manifests(text, "f.yaml")
    return document


def test_a_resource_is_read_in_the_apis_spelling_and_written_back() -> None:
    document = one(RESOURCE)
    assert document.problems == ()
    assert document.metadata.name == "digits"
    assert document.metadata.labels == {"team": "a"}
    assert document.wire["RoleArn"] == "arn:aws:iam::123456789012:role/x"
    assert document.wire["HyperParameters"] == {"roleArn": "1", "eta": "0.2"}
    spec = admit(document.wire).spec
    assert spec is not None
    again = one(write_manifest(spec, "digits"))
    assert again.wire == document.wire
    assert str(document.position(("OutputDataConfig", "S3OutputPath"))) == "f.yaml:11:5"
    assert document.position(("OutputDataConfig", "KmsKeyId")).line == 10


def test_a_bare_request_in_json_with_tabs_and_several_documents() -> None:
    wire = one(RESOURCE).wire
    assert one(json.dumps(wire, indent="\t")).wire == wire
    assert one(b"\xef\xbb\xbf" + json.dumps({"Environment": {"A": "\U0001f600"}}).encode()).wire == {
        "Environment": {"A": "\U0001f600"}
    }
    assert len(read_manifests(f"---\n{RESOURCE}\n---\n{RESOURCE}---\n", "f.yaml")) == 2


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{n}: &{n} [{','.join([f'*{p}'] * 9)}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)
)


TOWER = "a0: &a0 x\n" + "".join(f"a{n + 1}: &a{n + 1} {'[' * 50}*a{n}{']' * 50}\n" for n in range(60))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (TOWER, "too-deep"),
        (BOMB, "too-large"),
        ("[" * 100_000, "too-deep"),
        ("a: " * 3, "syntax"),
        ("{" * 50_000 + "}" * 50_000, "too-deep"),
        ("a: 1\na: 2\n", "duplicate-key"),
        ("A: .nan\n", "not-a-number"),
        (f"A: {'9' * 100_000}\n", "huge-number"),
        ("A: 1e999\n", "huge-number"),
        ("1: x\n", "key-type"),
        ("? [a]\n: x\n", "key-type"),
        ("a:\n\t- b\n", "syntax"),
        ("a: &x [*x]\n", "syntax"),
        ("a: *nothing\n", "syntax"),
        ('{"a": "\\ud83d"}', "surrogate"),
        (b"\xff\xfe\x00", "syntax"),
        ("a: \x00", "syntax"),
        ("", "empty"),
        ("- a\n", "not-a-mapping"),
        ("kind: Pod\nspec: {}\n", "resource-kind"),
        (RESOURCE.replace("spec:", "spce:"), "no-spec"),
        ("x" * (5 * 1024 * 1024), "too-large"),
    ],
)
def test_bad_text_is_a_problem_with_a_position(text: str | bytes, code: str) -> None:
    problems = [problem for document in read_manifests(text, "f.yaml") for problem in document.problems]
    assert code in [problem.code for problem in problems]
    assert all(problem.position is not None and problem.position.file == "f.yaml" for problem in problems)


@given(st.one_of(st.text(), st.binary(), st.text(alphabet="{}[]:,-&*!|>'\"#?% \n\tab1")))
def test_no_text_raises(text: str | bytes) -> None:
    assert read_manifests(text, "f")
