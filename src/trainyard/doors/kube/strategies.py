"""What the server does for one kind alone: complete an object before it is judged, and judge it."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from trainyard.doors.kube import definitions
from trainyard.doors.kube.builtin import CONFIG_MAP, DEFINITION, NAMESPACE, SECRET
from trainyard.doors.kube.errors import Cause, forbidden_value, invalid_value
from trainyard.doors.kube.kinds import Kind
from trainyard.ports.resources import Body


def completed(kind: Kind, body: Body, now: float) -> Body:
    """The object with what its kind adds to it."""
    if kind is NAMESPACE:
        return _namespace(body)
    if kind is SECRET:
        return _secret(body)
    if kind is DEFINITION and isinstance(body.get("spec"), dict) and isinstance(body["spec"].get("names"), dict):
        return _definition(body, now)
    return body


def causes_of(kind: Kind, body: Body, old: Body | None) -> list[Cause]:
    """What breaks the kind's own rules."""
    if kind is DEFINITION:
        return definitions.causes_of(body, old)
    if kind in (CONFIG_MAP, SECRET):
        return [*_data_causes(kind, body), *_immutable_causes(body, old)]
    return []


def _namespace(body: Body) -> Body:
    metadata = body["metadata"]
    labels = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": metadata.get("name", "")}
    phase = "Terminating" if "deletionTimestamp" in metadata else "Active"
    status = {**(body.get("status") or {}), "phase": phase}
    spec = {"finalizers": ["kubernetes"], **(body.get("spec") or {})}  # its content goes before it does
    return {**body, "spec": spec, "metadata": {**metadata, "labels": labels}, "status": status}


def _secret(body: Body) -> Body:
    secret = {"type": "Opaque", **body}
    texts = secret.pop("stringData", None)
    if isinstance(texts, dict) and all(isinstance(text, str) for text in texts.values()):
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
        secret["data"] = {**(secret.get("data") or {}), **encoded}
    return secret


def _definition(body: Body, now: float) -> Body:
    completed = definitions.completed(body)
    return completed if definitions.causes_of(completed) else definitions.established(completed, now)


def _data_causes(kind: Kind, body: Body) -> list[Cause]:
    causes = []
    for field in ("data", "binaryData"):
        values = body.get(field) or {}
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            causes.append(invalid_value(field, type(values).__name__, "must be a map of strings"))
        elif kind is SECRET or field == "binaryData":
            causes += [
                invalid_value(f"{field}[{key}]", "<value>", "must be base64")
                for key in values
                if not _base64(values[key])
            ]
    return causes


def _base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _immutable_causes(body: Body, old: Body | None) -> list[Cause]:
    if old is None or old.get("immutable") is not True:
        return []
    fields: tuple[Any, ...] = ("data", "binaryData", "immutable")
    return [
        forbidden_value(field, "field is immutable when `immutable` is set")
        for field in fields
        if body.get(field) != old.get(field)
    ]
