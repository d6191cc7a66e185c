"""The TrainingJob's custom resource definition, made of the model.

Two validations of one resource: `strict` refuses what the service surely refuses (enums, ranges, patterns, rules in
CEL, immutability), `ack` has types alone, as ACK's own definition. Both take every object that ACK takes and the
service would: `trainingJobName` may be left out, and so may all of `spec` for a resource that adopts a job.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from trainyard.model.spec import TrainingJobSpec
from trainyard.resource import names
from trainyard.resource.constraints import PROFILING_INTERVALS, ROOT_RULES, SPEC_RULES, Rule
from trainyard.resource.schemas import Schema, structure_schema
from trainyard.resource.status_schema import status_schema

_API_VERSION = "The version of this object's schema."
_KIND = "The kind of this object."
_ROOT = "A TrainingJob trains a model: on this machine, on a cluster, or on Amazon SageMaker."
# Spec members without which neither ACK nor the service takes a job, whatever else it says.
_REQUIRED = ["outputDataConfig", "roleARN"]


class Validation(StrEnum):
    """How much the API server checks."""

    STRICT = "strict"
    ACK = "ack"


def definition(validation: Validation = Validation.STRICT) -> dict[str, Any]:
    """The manifest of the CustomResourceDefinition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": names.CRD_NAME},
        "spec": {
            "group": names.GROUP,
            "names": {
                "kind": names.KIND,
                "listKind": names.LIST_KIND,
                "plural": names.PLURAL,
                "singular": names.SINGULAR,
            },
            "scope": "Namespaced",
            "versions": [_version(strict=validation is Validation.STRICT)],
        },
    }


def _version(*, strict: bool) -> dict[str, Any]:
    return {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": _columns(),
        "schema": {"openAPIV3Schema": resource_schema(strict=strict)},
    }


def _columns() -> list[dict[str, Any]]:
    """ACK's three, in its order, then ours."""
    synced, ready = (
        _condition(kind, "status") for kind in (names.ConditionType.RESOURCE_SYNCED, names.ConditionType.READY)
    )
    why = _condition(names.ConditionType.READY, "message")  # a Terminal's or Recoverable's text, where there is one
    return [
        {"name": "FAILURE-REASON", "type": "string", "jsonPath": ".status.failureReason", "priority": 1},
        {"name": "SECONDARY-STATUS", "type": "string", "jsonPath": ".status.secondaryStatus"},
        {"name": "STATUS", "type": "string", "jsonPath": ".status.trainingJobStatus"},
        {"name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "SYNCED", "type": "string", "jsonPath": synced, "priority": 1},
        {"name": "READY", "type": "string", "jsonPath": ready, "priority": 1},
        {"name": "WAITING", "type": "string", "jsonPath": ".status.waiting", "priority": 1},
        {"name": "JOB", "type": "string", "jsonPath": ".status.trainingJobName", "priority": 1},
        {"name": "MESSAGE", "type": "string", "jsonPath": why, "priority": 1},
    ]


def _condition(kind: str, member: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{member}'


def resource_schema(*, strict: bool) -> Schema:
    """The structural schema of a whole TrainingJob; spec may be absent, as a resource that adopts a job has none."""
    root: Schema = {
        "description": _ROOT,
        "type": "object",
        "properties": {
            "apiVersion": {"description": _API_VERSION, "type": "string"},
            "kind": {"description": _KIND, "type": "string"},
            "metadata": {"type": "object"},
            "spec": _spec(strict=strict),
            "status": status_schema(strict=strict),
        },
    }
    if strict:
        root["x-kubernetes-validations"] = _written(ROOT_RULES)
    return root


def _spec(*, strict: bool) -> Schema:
    spec = structure_schema(TrainingJobSpec, strict=strict)
    spec["description"] = "What is to be trained, with what, where and how long: one CreateTrainingJob request."
    spec["required"] = list(_REQUIRED)
    if strict:
        interval = _at(spec, "profilerConfig.profilingIntervalInMilliseconds")
        interval["enum"] = list(PROFILING_INTERVALS)
        for path, rules in SPEC_RULES.items():
            _at(spec, path).setdefault("x-kubernetes-validations", []).extend(_written(rules))
    return spec


def _written(rules: Iterable[Rule]) -> list[Mapping[str, str]]:
    return [dict(rule) for rule in rules]


def _at(schema: Schema, path: str) -> Schema:
    for step in path.split(".") if path else ():
        schema = schema["properties"][step.removesuffix("[]")]
        if step.endswith("[]"):
            schema = schema["items"]
    return schema
