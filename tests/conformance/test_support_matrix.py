"""Every field of the request has a row, and every honoured row a proof or a place on the list that shrinks."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainyard.lifecycle.support import as_markdown, refusals, verdicts
from trainyard.lifecycle.support_rows import HONOURED, PLACES, ROWS
from trainyard.model.members import paths_of
from trainyard.model.spec import TrainingJobSpec

ROOT = Path(__file__).parents[2]
MOST_UNPROVEN = 13  # honoured rows whose test is not there yet; it may only go down
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


def proven(proof: str) -> bool:
    file, _, name = proof.partition("::")
    return bool(proof) and (ROOT / file).exists() and f"def {name}(" in (ROOT / file).read_text()


def test_rows_whose_proof_is_not_written_only_become_fewer() -> None:
    unproven = [path for path, row in ROWS.items() if row.verdict == HONOURED and not proven(row.proof)]
    assert len(unproven) <= MOST_UNPROVEN, unproven


def test_a_plain_request_runs_as_a_process_and_nowhere_else_yet() -> None:
    spec = TrainingJobSpec.from_wire(REQUEST)
    assert refusals(spec, "process") == []
    assert {verdict for _, verdict, _ in verdicts(spec, "process")} == {"honoured", "notice"}
    for place in PLACES[1:]:
        assert refusals(spec, place)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"CheckpointConfig": {"S3Uri": "s3://b/c"}}, "CheckpointConfig"),
        ({"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2}}, "ResourceConfig.InstanceCount"),
        ({"RemoteDebugConfig": {"EnableRemoteDebug": True}}, "RemoteDebugConfig.EnableRemoteDebug"),
        (
            {"DebugRuleConfigurations": [{"RuleConfigurationName": "r", "RuleEvaluatorImage": "i"}]},
            "DebugRuleConfigurations",
        ),
        (
            {"AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "Pipe"}},
            "AlgorithmSpecification.TrainingInputMode",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_at_its_path(given: dict[str, object], path: str) -> None:
    spec = TrainingJobSpec.from_wire({**REQUEST, **given})
    assert [told for told, verdict, _ in verdicts(spec, "process") if verdict == "refused"] == [path]


def test_an_empty_rule_list_and_switches_that_are_off_are_taken() -> None:
    off = {"DebugRuleConfigurations": [], "InfraCheckConfig": {"EnableInfraCheck": False}}
    assert refusals(TrainingJobSpec.from_wire({**REQUEST, **off}), "process") == []


def test_the_page_prints_the_matrix() -> None:
    assert as_markdown() in (ROOT / "docs/reference/support-matrix.md").read_text()
