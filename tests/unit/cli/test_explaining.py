"""explain: every field of the request, in both spellings, with what each place does with it."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from trainyard.cli.explaining import FieldPath, explain_command, field_of
from trainyard.lifecycle import support
from trainyard.lifecycle.support_rows import PLACES, ROWS
from trainyard.model.members import paths_of
from trainyard.model.spec import TrainingJobSpec
from trainyard.resource.sentences import SENTENCES


def told(*arguments: str) -> str:
    done = CliRunner().invoke(explain_command, list(arguments))
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("field", ["resourceConfig.instanceType", "ResourceConfig.InstanceType", "spec.resourceConfig"])
def test_both_spellings_are_taken(field: str) -> None:
    assert "ResourceConfig" in told(field)


@pytest.mark.parametrize("index", ["", "[]", "[0]", "[12]", "[*]"])
def test_a_member_of_a_list_may_be_given_by_its_place(index: str) -> None:
    assert field_of(f"inputDataConfig{index}.dataSource").steps == ("InputDataConfig", "DataSource")


def test_a_field_tells_type_limits_spellings_and_verdicts() -> None:
    text = told("spec.inputDataConfig.dataSource.s3DataSource.s3URI")
    assert "InputDataConfig.DataSource.S3DataSource.S3Uri" in text
    assert "spec.inputDataConfig.dataSource.s3DataSource.s3URI" in text
    assert "string, required" in text
    assert "characters: 0 to 1024" in text
    assert "A URI of objects" in text
    assert [place for place in PLACES if f"  {place} " in text] == [
        place for place in PLACES if support.is_built(place)
    ]
    wide = told("spec.inputDataConfig.dataSource.s3DataSource.s3URI", "-o", "wide")
    assert [place for place in PLACES if f"  {place} " in wide] == list(PLACES)


@pytest.mark.parametrize("path", [path for path, member, _ in paths_of(TrainingJobSpec) if member is not None])
def test_every_field_has_a_sentence_of_its_own(path: str) -> None:
    field = field_of(path.replace("[]", ""))
    doc = json.loads(told(path, "-o", "json"))["doc"]
    assert doc.endswith(".")
    assert field.innermost.structure or f"{field.within.__name__}.{path.rpartition('.')[2]}" in SENTENCES


@pytest.mark.parametrize("path", sorted(ROWS))
def test_every_field_of_the_matrix_is_explained_with_its_verdict(path: str) -> None:
    plain = json.loads(told(path, "-o", "json"))
    assert plain["api"] == path.replace("[]", "")
    assert set(plain["places"]) == set(PLACES)
    if not path.endswith("[]"):
        assert plain["places"]["process"]["verdict"] == ROWS[path].verdict


def test_the_whole_request_lists_its_members() -> None:
    assert "hyperParameters" in told()


def test_a_long_list_of_values_is_cut_and_wide_has_all_of_it() -> None:
    assert "ml.m4.xlarge, ml.m4.2xlarge" in told("resourceConfig.instanceType")
    assert "in all; -o wide lists them)" in told("resourceConfig.instanceType")
    assert "ml.r8i.96xlarge" not in told("resourceConfig.instanceType")
    assert "ml.r8i.96xlarge" in told("resourceConfig.instanceType", "-o", "wide")
    assert "ml.r8i.96xlarge" in told("resourceConfig.instanceType", "-o", "json")
    assert "(-o wide" not in told("algorithmSpecification.trainingInputMode")


def test_a_shell_completes_a_field_step_by_step() -> None:
    context = click.Context(explain_command)
    (item,) = FieldPath().shell_complete(context, context.command.params[0], "resourceConfig.instanceT")
    assert item.value == "resourceConfig.instanceType"
    assert FieldPath().shell_complete(context, context.command.params[0], "roleARN.") == []


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        ("resourceConfig.instanceTyp", "Did you mean InstanceType?"),
        ("instanceTyp", "ResourceConfig.InstanceType"),
        ("roleARN.deeper", "no structure"),
        ("zzzzz", "There are: TrainingJobName"),
    ],
)
def test_a_miss_says_what_there_is(field: str, hint: str) -> None:
    with pytest.raises(click.UsageError, match=r"(?s).") as refused:
        field_of(field)
    assert hint in str(refused.value)
