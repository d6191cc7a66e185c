"""Every field of the request has a row, and every row that is not refused a proof that claims it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conformance.botocore_requests import PLACES as MEMBERS
from tests.conformance.botocore_requests import Place, request_with, sample
from tests.marked import marked

from trainyard.lifecycle.support import as_markdown, refusals, verdicts
from trainyard.lifecycle.support_container import CONTAINER_ROWS
from trainyard.lifecycle.support_rows import PLACES, REFUSED, ROWS
from trainyard.model.members import paths_of
from trainyard.model.spec import TrainingJobSpec

ROOT = Path(__file__).parents[2]
REQUEST = {
    "TrainingJobName": "a",
    "RoleArn": "arn:aws:iam::123456789012:role/x",
    "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "Environment": {"A.B": "x"},
}


def test_every_path_has_a_row() -> None:
    assert [path for path, _, _ in paths_of(TrainingJobSpec) if path not in ROWS] == []


def test_every_row_that_is_not_refused_names_a_test_that_claims_it() -> None:
    claims = marked("proves")
    for place in (ROWS, CONTAINER_ROWS):
        rows = {path: row.proof for path, row in place.items() if row.verdict != REFUSED}
        assert {path: proof for path, proof in rows.items() if proof not in claims.get(path, ())} == {}


def test_no_test_claims_a_field_that_is_refused_or_does_not_exist() -> None:
    rows = {path for path, row in ROWS.items() if row.verdict != REFUSED}
    assert set(marked("proves")) - rows == set()


def test_a_plain_request_runs_everywhere_but_on_kubernetes_yet() -> None:
    spec = TrainingJobSpec.from_wire(REQUEST)
    assert refusals(spec, "process") == []
    assert {verdict for _, verdict, _ in verdicts(spec, "process")} == {"honoured", "notice"}
    assert {verdict for _, verdict, _ in verdicts(spec, "sagemaker")} == {"honoured"}
    assert [place for place in PLACES if refusals(spec, place)] == ["kubernetes"]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"CheckpointConfig": {"S3Uri": "s3://b/c", "LocalPath": "/state"}}, "CheckpointConfig.LocalPath"),
        ({"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2}}, "ResourceConfig.InstanceCount"),
        ({"RemoteDebugConfig": {"EnableRemoteDebug": True}}, "RemoteDebugConfig.EnableRemoteDebug"),
        (
            {"DebugRuleConfigurations": [{"RuleConfigurationName": "r", "RuleEvaluatorImage": "i"}]},
            "DebugRuleConfigurations",
        ),
        (
            {
                "InputDataConfig": [
                    {
                        "ChannelName": "c",
                        "DataSource": {"S3DataSource": {"S3DataType": "Converse", "S3Uri": "s3://b/p"}},
                    }
                ]
            },
            "InputDataConfig[0].DataSource.S3DataSource.S3DataType",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_at_its_path(given: dict[str, object], path: str) -> None:
    spec = TrainingJobSpec.from_wire({**REQUEST, **given})
    assert [told for told, verdict, _ in verdicts(spec, "process") if verdict == "refused"] == [path]


@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_a_member_that_is_given_is_judged_and_a_refused_one_is_refused(member: Place) -> None:
    spec = TrainingJobSpec.from_wire(request_with(member.path, sample(member.shape)))
    told = {path: (verdict, remark) for path, verdict, remark in verdicts(spec, "process")}
    path = str(member)
    above = [path[:end] for end in range(len(path) + 1) if path[end : end + 1] in (".", "[", "")]
    if ROWS[path.replace("[0]", "[]")].verdict != REFUSED:
        assert any(place in told for place in above)
    else:
        assert any(told.get(place, ("",))[0] == "refused" for place in above)
    assert all(remark for _, remark in told.values())


def test_an_empty_rule_list_and_switches_that_are_off_are_taken() -> None:
    off = {"DebugRuleConfigurations": [], "InfraCheckConfig": {"EnableInfraCheck": False}}
    assert refusals(TrainingJobSpec.from_wire({**REQUEST, **off}), "process") == []


def test_the_page_prints_the_matrix() -> None:
    assert as_markdown() in (ROOT / "docs/reference/support-matrix.md").read_text()
