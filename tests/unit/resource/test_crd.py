"""The custom resource definition: ACK's fields with ACK's types, and patterns that an API server can hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import re2
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from trainyard.cli.defining import crd_command
from trainyard.lifecycle.admission.patterns import matches
from trainyard.model.description import TrainingJobDescription
from trainyard.model.members import members_of, paths_of
from trainyard.model.shapes import Text
from trainyard.model.spec import TrainingJobSpec
from trainyard.resource.crd import Validation, definition, resource_schema
from trainyard.resource.schemas import re2_pattern
from trainyard.resource.sentences import SENTENCES

ROOT = Path(__file__).parents[3]
ACK_FIELDS = (ROOT / "tests/conformance/ack_fields.txt").read_text().split("\n")[:-1]
SEED_FIELDS = (ROOT / "tests/conformance/seed_fields.txt").read_text().split()
DEPLOYED = ROOT / "deploy/crds/sagemaker.services.k8s.aws_trainingjobs.yaml"
PATTERNS = sorted(
    {
        shape.constraint.pattern
        for _, _, shape in paths_of(TrainingJobSpec)
        if isinstance(shape.constraint, Text) and shape.constraint.pattern
    }
)


def walk(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, member in schema.get("properties", {}).items():
        yield f"{path}{name}", member
        yield from walk(member, f"{path}{name}.")
        if "properties" in member.get("items", {}):
            yield from walk(member["items"], f"{path}{name}[].")


def type_of(schema: dict[str, Any]) -> str:
    if "additionalProperties" in schema:
        return f"map({schema['additionalProperties']['type']})"
    if schema["type"] == "array" and "properties" not in schema["items"]:
        return f"array({schema['items']['type']})"
    return schema["type"] + (f"({schema['format']})" if "format" in schema else "")


@pytest.fixture(params=list(Validation))
def schema(request: pytest.FixtureRequest) -> dict[str, Any]:
    return resource_schema(strict=request.param is Validation.STRICT)


def test_every_field_of_ack_has_acks_type(schema: dict[str, Any]) -> None:
    ours = {path: type_of(member) for path, member in walk(schema)}
    missing = [line for line in ACK_FIELDS if ours.get(line.split(" ", 1)[0]) != line.split(" ", 1)[1]]
    assert missing == []
    assert len(ACK_FIELDS) > 140


def test_every_field_of_the_seed_is_there(schema: dict[str, Any]) -> None:
    ours = {path.replace("[]", "") for path, _ in walk(schema)}
    assert [path for path in SEED_FIELDS if path not in ours] == []


def test_every_member_of_a_description_has_a_place(schema: dict[str, Any]) -> None:
    spec = {name.lower() for name in schema["properties"]["spec"]["properties"]}
    status = {name.lower() for name in schema["properties"]["status"]["properties"]}
    elsewhere = {"trainingjobarn": "status.ackResourceMetadata.arn"}
    for name in members_of(TrainingJobDescription):
        assert name.lower() in spec | status | set(elsewhere), name


def test_spec_may_be_absent_but_not_empty(schema: dict[str, Any]) -> None:
    assert "required" not in schema
    assert schema["properties"]["spec"]["required"] == ["outputDataConfig", "roleARN"]


def test_acks_columns_come_first_and_are_acks() -> None:
    columns = definition()["spec"]["versions"][0]["additionalPrinterColumns"]
    shown = [(column["name"], column["jsonPath"], column.get("priority", 0)) for column in columns]
    assert shown[:3] == [
        ("FAILURE-REASON", ".status.failureReason", 1),
        ("SECONDARY-STATUS", ".status.secondaryStatus", 0),
        ("STATUS", ".status.trainingJobStatus", 0),
    ]
    assert ("AGE", ".metadata.creationTimestamp", 0) in shown


def test_acks_validation_has_types_alone() -> None:
    text = json.dumps(definition(Validation.ACK))
    for word in ("x-kubernetes-validations", '"enum"', '"pattern"', "axLength", "axItems", "inimum", "axProperties"):
        assert word not in text


FORBIDDEN = {
    "$ref", "deprecated", "discriminator", "id", "patternProperties", "readOnly", "writeOnly", "xml", "definitions",
    "dependencies", "uniqueItems", "$schema", "additionalItems", "default",
}  # fmt: skip


def schemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    below = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    for member in below:
        if member is not None:
            yield from schemas(member)


def test_the_schema_is_structural(schema: dict[str, Any]) -> None:
    for part in schemas(schema):
        assert part["type"] in ("object", "array", "string", "integer", "number", "boolean")
        assert FORBIDDEN.isdisjoint(part)
        assert not ("properties" in part and "additionalProperties" in part)
        assert (part["type"] == "array") == ("items" in part)
        assert set(part.get("required", ())) <= set(part.get("properties", ()))


def test_every_list_that_a_rule_may_walk_is_bounded() -> None:
    spec = resource_schema(strict=True)["properties"]["spec"]
    assert [part for part in schemas(spec) if part["type"] == "array" and "maxItems" not in part] == []
    assert [part for part in schemas(spec) if "additionalProperties" in part and "maxProperties" not in part] == []


def test_a_rule_is_one_line_and_says_what_to_do(schema: dict[str, Any]) -> None:
    for part in schemas(schema):
        for rule in part.get("x-kubernetes-validations", ()):
            assert "\n" not in rule["rule"] + rule["message"]
            assert 0 < len(rule["message"]) <= 2048
            assert rule.get("reason", "FieldValueForbidden") == "FieldValueForbidden"


def test_no_sentence_is_about_a_member_that_is_gone() -> None:
    known = set()
    for path, member, _ in paths_of(TrainingJobSpec):
        if member is not None:
            known.add((path, member.name))
    names = {name for _, name in known}
    assert [key for key in SENTENCES if key.split(".")[1] not in names] == []
    told = [
        path for path, member in walk(resource_schema(strict=True)["properties"]["spec"]) if "description" in member
    ]
    assert len(told) >= len(SENTENCES)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_the_api_servers_engine_refuses_by_a_pattern_admission_refuses(pattern: str) -> None:
    written = re2_pattern(pattern)
    if written is None:
        return
    compiled = re2.compile(written)

    @given(
        st.one_of(
            st.from_regex(written.replace(r"\p{L}", "a").replace(r"\p{Z}", " ").replace(r"\p{N}", "0")),
            st.text(max_size=60),
        )
    )
    def judge(text: str) -> None:
        if compiled.search(text) is None:
            assert not matches(pattern, text)

    judge()


def test_the_deployed_manifest_is_the_generated_one() -> None:
    deployed = YAML(typ="safe", pure=True).load(DEPLOYED.read_text())
    assert deployed == definition(), f"trainyard crd > {DEPLOYED.relative_to(ROOT)}"


def test_the_command_prints_both_validations_in_both_forms() -> None:
    text = CliRunner().invoke(crd_command, []).output
    assert text == DEPLOYED.read_text()
    shown = CliRunner().invoke(crd_command, ["--validation", "ack", "-o", "json"]).output
    assert json.loads(shown) == definition(Validation.ACK)
