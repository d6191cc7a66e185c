"""What the API server does to every object's metadata, whatever its kind. Pure: plain dicts in, plain dicts out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from trainyard.doors.kube.errors import Cause, bad_request, forbidden_value, invalid_value, required
from trainyard.doors.kube.kinds import Kind
from trainyard.ports.resources import Body

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\Z")
_SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_QUALIFIED_WORDS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
LONGEST_BASE = 58  # characters of generateName that survive; five random ones follow
ANNOTATIONS_LIMIT = 256 * 1024  # bytes, all of them together
_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
_TYPES: dict[str, type] = {
    "name": str,
    "generateName": str,
    "namespace": str,
    "uid": str,
    "resourceVersion": str,
    "labels": dict,
    "annotations": dict,
    "finalizers": list,
    "ownerReferences": list,
    "managedFields": list,
}


def timestamp(now: float) -> str:
    """RFC 3339 in whole seconds, as metadata has it."""
    return datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_metadata(body: Body) -> dict[str, Any]:
    """The object's metadata, its types checked. Raises Refused (400) as a failed decoding does."""
    metadata = body.get("metadata", {})
    if metadata is None:
        metadata = {}
    if not isinstance(metadata, dict):
        raise bad_request("json: cannot unmarshal into Go struct field .metadata of type v1.ObjectMeta")
    for name, kind in _TYPES.items():
        if metadata.get(name) is not None and not isinstance(metadata[name], kind):
            raise _mistyped(name, kind)
    for name in ("labels", "annotations"):
        if not all(isinstance(value, str) for value in (metadata.get(name) or {}).values()):
            raise _mistyped(name, str)
    if not all(isinstance(value, str) for value in metadata.get("finalizers") or ()):
        raise _mistyped("finalizers", str)
    if not all(isinstance(value, dict) for value in metadata.get("ownerReferences") or ()):
        raise _mistyped("ownerReferences", dict)
    return {name: value for name, value in metadata.items() if value is not None and value not in ({}, [], "")}


def _mistyped(name: str, kind: type) -> Exception:
    word = "string" if kind is str else "object" if kind is dict else "array"
    return bad_request(f"json: cannot unmarshal into Go struct field ObjectMeta.metadata.{name} of type {word}")


def born(kind: Kind, body: Body, *, uid: str, now: float) -> Body:
    """A new object: what only the server may say is the server's."""
    metadata = {
        name: value for name, value in body["metadata"].items() if name not in {*_KEPT, "resourceVersion", "selfLink"}
    }
    metadata |= {"uid": uid, "creationTimestamp": timestamp(now)}
    if kind.counted:
        metadata["generation"] = 1
    born = {**body, "metadata": metadata}
    if kind.status:
        born.pop("status", None)
    return born


def changed(kind: Kind, old: Body, new: Body) -> Body:
    """A new body for an old object: the server's part is kept, the status left to its subresource."""
    metadata = {name: value for name, value in new["metadata"].items() if name not in {*_KEPT, "selfLink"}}
    metadata |= {name: old["metadata"][name] for name in _KEPT if name in old["metadata"]}
    result = {**new, "metadata": metadata}
    if kind.status:
        _take(result, old, "status")
    if kind.counted and _substance(kind, result) != _substance(kind, old):
        metadata["generation"] = old["metadata"].get("generation", 0) + 1
    return result


def status_changed(old: Body, new: Body) -> Body:
    """A new status for an old object: nothing else of the new body counts, but who manages which field."""
    metadata = dict(old["metadata"])
    if "managedFields" in new["metadata"]:
        metadata["managedFields"] = new["metadata"]["managedFields"]
    result = {**old, "metadata": metadata}
    _take(result, new, "status")
    return result


def dying(kind: Kind, old: Body, now: float, finalizers: Sequence[str]) -> Body:
    """An object that is to go once its finalizers are gone."""
    metadata = dict(old["metadata"])
    metadata.pop("finalizers", None)
    if finalizers:
        metadata["finalizers"] = list(finalizers)
    if "deletionTimestamp" not in metadata:
        metadata |= {"deletionTimestamp": timestamp(now), "deletionGracePeriodSeconds": 0}
        if kind.counted:
            metadata["generation"] = metadata.get("generation", 0) + 1
    return {**old, "metadata": metadata}


def is_dying(body: Body) -> bool:
    """Deleted, and waiting for its finalizers."""
    return "deletionTimestamp" in body["metadata"]


def causes_of(kind: Kind, body: Body, old: Body | None = None) -> list[Cause]:
    """What breaks the rules that hold for the metadata of every object."""
    metadata = body["metadata"]
    causes = [*_name_causes(kind, metadata.get("name", "")), *_label_causes(metadata.get("labels", {}))]
    annotations = metadata.get("annotations", {})
    causes += [cause for key in annotations for cause in _key_causes("metadata.annotations", key.lower(), key)]
    if sum(len(key) + len(value) for key, value in annotations.items()) > ANNOTATIONS_LIMIT:
        causes.append(
            Cause(
                "metadata.annotations", "FieldValueTooLong", f"Too long: may not be more than {ANNOTATIONS_LIMIT} bytes"
            )
        )
    for finalizer in metadata.get("finalizers", ()):
        causes += _key_causes("metadata.finalizers", finalizer, finalizer)
    causes += _owner_causes(metadata.get("ownerReferences", ()))
    if old is not None and is_dying(old):
        added = [name for name in metadata.get("finalizers", ()) if name not in old["metadata"].get("finalizers", ())]
        if added:
            listed = ", ".join(f'"{name}"' for name in added)
            why = (
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{listed}}}"
            )
            causes.append(forbidden_value("metadata.finalizers", why))
    return causes


def _name_causes(kind: Kind, name: str) -> list[Cause]:
    if not name:
        return [required("metadata.name", "name or generateName is required")]
    if kind.plural == "namespaces" and not kind.group:
        pattern, words, limit = _LABEL, _LABEL_WORDS, 63
    else:
        pattern, words, limit = _SUBDOMAIN, _SUBDOMAIN_WORDS, 253
    if len(name) > limit:
        return [invalid_value("metadata.name", name, f"must be no more than {limit} bytes")]
    return [] if pattern.match(name) else [invalid_value("metadata.name", name, words)]


def _label_causes(labels: dict[str, str]) -> list[Cause]:
    causes = [cause for key in labels for cause in _key_causes("metadata.labels", key, key)]
    for value in labels.values():
        if len(value) > 63:
            causes.append(invalid_value("metadata.labels", value, "must be no more than 63 bytes"))
        elif value and not _QUALIFIED.match(value):
            causes.append(invalid_value("metadata.labels", value, _VALUE_WORDS))
    return causes


def _key_causes(field: str, key: str, shown: str) -> list[Cause]:
    prefix, slash, name = key.rpartition("/")
    if slash and (not prefix or len(prefix) > 253 or not _SUBDOMAIN.match(prefix)):
        return [invalid_value(field, shown, f"prefix part {_SUBDOMAIN_WORDS}")]
    if not name or len(name) > 63:
        return [
            invalid_value(
                field, shown, "name part must be non-empty" if not name else "name part must be no more than 63 bytes"
            )
        ]
    return [] if _QUALIFIED.match(name) else [invalid_value(field, shown, _QUALIFIED_WORDS)]


def _owner_causes(owners: Sequence[dict[str, Any]]) -> list[Cause]:
    causes = []
    for index, owner in enumerate(owners):
        path = f"metadata.ownerReferences[{index}]"
        causes += [
            invalid_value(f"{path}.{name}", owner.get(name, ""), f"{name} must not be empty")
            for name in ("apiVersion", "kind", "name", "uid")
            if not isinstance(owner.get(name), str) or not owner[name]
        ]
    controllers = [index for index, owner in enumerate(owners) if owner.get("controller") is True]
    if len(controllers) > 1:
        why = "Only one reference can have Controller set to true."
        causes.append(invalid_value("metadata.ownerReferences", len(controllers), why))
    return causes


def _substance(kind: Kind, body: Body) -> Body:
    """What counts for the generation: all but metadata, and but the status where that is a subresource."""
    left_out = {"metadata", "apiVersion", "kind", *(["status"] if kind.status else [])}
    return {name: value for name, value in body.items() if name not in left_out}


def _take(result: Body, source: Body, name: str) -> None:
    result.pop(name, None)
    if name in source:
        result[name] = source[name]
