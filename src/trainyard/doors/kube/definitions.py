"""CustomResourceDefinitions: what the server adds to one, and the kinds that one defines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trainyard.doors.kube.errors import Cause, invalid_value, required, unsupported_value
from trainyard.doors.kube.jsonpath import PathRefused, steps
from trainyard.doors.kube.kinds import Column, Kind
from trainyard.doors.kube.objects import timestamp
from trainyard.doors.kube.rules import unsound_rules
from trainyard.doors.kube.structural import structural_causes
from trainyard.ports.resources import Body

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"  # the finalizer that keeps a definition until its objects went
_AGE = Column("Age", ".metadata.creationTimestamp", "date")


def completed(definition: Body) -> Body:
    """With the names and the conversion that a definition may leave out."""
    spec = dict(definition.get("spec") or {})
    names = dict(spec.get("names") or {})
    kind = str(names.get("kind", ""))
    names.setdefault("singular", kind.lower())
    names.setdefault("listKind", f"{kind}List")
    spec["names"] = names
    spec.setdefault("conversion", {"strategy": "None"})
    return {**definition, "spec": spec}


def established(definition: Body, now: float) -> Body:
    """With the status of a definition that is served."""
    spec = definition["spec"]
    stored = [version["name"] for version in spec["versions"] if version.get("storage")]
    before = definition.get("status") or {}
    status = {
        "conditions": before.get("conditions")
        or [
            _condition("NamesAccepted", "NoConflicts", "no conflicts found", now),
            _condition("Established", "InitialNamesAccepted", "the initial names have been accepted", now),
        ],
        "acceptedNames": spec["names"],
        "storedVersions": list(dict.fromkeys([*before.get("storedVersions", ()), *stored])),
    }
    return {**definition, "status": status}


def _condition(kind: str, reason: str, message: str, now: float) -> Body:
    return {
        "type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": timestamp(now)
    }  # fmt: skip


def causes_of(definition: Body, old: Body | None = None) -> list[Cause]:
    """What breaks the rules for definitions."""
    spec = definition.get("spec")
    if not isinstance(spec, dict):
        return [required("spec")]
    names = spec.get("names")
    if not isinstance(names, dict):
        return [required("spec.names")]
    causes = [required(f"spec.names.{name}") for name in ("plural", "kind") if not _text(names.get(name))]
    causes += [required("spec.group")] if not _text(spec.get("group")) else []
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        causes.append(unsupported_value("spec.scope", spec.get("scope"), ("Cluster", "Namespaced")))
    strategy = (spec.get("conversion") or {}).get("strategy", "None")
    if strategy != "None":
        causes.append(unsupported_value("spec.conversion.strategy", strategy, ("None",)))
    wanted = f"{names.get('plural')}.{spec.get('group')}"
    if definition["metadata"].get("name") != wanted:
        causes.append(
            invalid_value(
                "metadata.name", definition["metadata"].get("name", ""), 'must be spec.names.plural+"."+spec.group'
            )
        )
    causes += _version_causes(spec.get("versions"))
    if old is not None:
        causes += _unchanging(spec, old["spec"])
    return causes


def _version_causes(versions: Any) -> list[Cause]:
    if not isinstance(versions, list) or not versions or not all(isinstance(version, dict) for version in versions):
        return [required("spec.versions")]
    causes = []
    if sum(version.get("storage") is True for version in versions) != 1:
        causes.append(
            invalid_value("spec.versions", len(versions), "must have exactly one version marked as storage version")
        )
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        if not _text(version.get("name")):
            causes.append(required(f"{path}.name"))
        if not isinstance((version.get("schema") or {}).get("openAPIV3Schema"), dict):
            causes.append(required(f"{path}.schema.openAPIV3Schema", "schemas are required"))
        else:
            schema = version["schema"]["openAPIV3Schema"]
            causes += structural_causes(schema, f"{path}.schema.openAPIV3Schema")
            causes += unsound_rules(schema, f"{path}.schema.openAPIV3Schema")
        for place, column in enumerate(version.get("additionalPrinterColumns") or ()):
            causes += _column_causes(column, f"{path}.additionalPrinterColumns[{place}]")
    return causes


def _column_causes(column: Any, path: str) -> list[Cause]:
    if not isinstance(column, dict) or not all(_text(column.get(key)) for key in ("name", "type", "jsonPath")):
        return [required(path, "name, type and jsonPath")]
    try:
        steps(column["jsonPath"])
    except PathRefused as refusal:
        return [invalid_value(f"{path}.jsonPath", column["jsonPath"], str(refusal))]
    return []


def _unchanging(spec: Body, old: Body) -> list[Cause]:
    pairs = [
        ("spec.group", spec.get("group"), old["group"]),
        ("spec.names.plural", spec["names"].get("plural"), old["names"]["plural"]),
        ("spec.names.kind", spec["names"].get("kind"), old["names"]["kind"]),
        ("spec.scope", spec.get("scope"), old["scope"]),
    ]
    return [invalid_value(path, new, "field is immutable") for path, new, before in pairs if new != before]


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def kinds_of(definition: Body) -> Iterable[Kind]:
    """One kind per served version."""
    spec = definition["spec"]
    names = spec["names"]
    for version in spec["versions"]:
        if version.get("served", True):
            subresources = version.get("subresources") or {}
            yield Kind(
                group=spec["group"], version=version["name"], kind=names["kind"], plural=names["plural"],
                namespaced=spec["scope"] == "Namespaced", singular=names["singular"], list_kind=names["listKind"],
                short_names=tuple(names.get("shortNames") or ()), categories=tuple(names.get("categories") or ()),
                status="status" in subresources, counted=True, custom=True,
                closing="deletionTimestamp" in definition["metadata"],
                schema=version["schema"]["openAPIV3Schema"],
                columns=tuple(_column(column) for column in version.get("additionalPrinterColumns") or ()) or (_AGE,),
                selectable=tuple(
                    field["jsonPath"].lstrip(".") for field in version.get("selectableFields") or ()
                ),
            )  # fmt: skip


def _column(declared: Body) -> Column:
    return Column(
        name=declared["name"], path=declared["jsonPath"], type=declared["type"],
        priority=declared.get("priority", 0), description=declared.get("description", ""),
        format=declared.get("format", ""),
    )  # fmt: skip
