"""The kinds as OpenAPI: version 3, one document a group version, and version 2 in one. Clients explain by it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import orjson

from trainyard.doors.kube import schemas
from trainyard.doors.kube.discovery import VERSION
from trainyard.doors.kube.kinds import Kind
from trainyard.doors.kube.patching import media_types

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_BUILT_IN = {
    "": "io.k8s.api.core", "events.k8s.io": "io.k8s.api.events", "coordination.k8s.io": "io.k8s.api.coordination",
    "apiextensions.k8s.io": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
    "authorization.k8s.io": "io.k8s.api.authorization", "authentication.k8s.io": "io.k8s.api.authentication",
}  # fmt: skip


class Documents:
    """The documents of a set of kinds, made once per set."""

    def __init__(self) -> None:
        self._made_for = -1
        self._bytes: dict[str, bytes] = {}

    def index(self, kinds: Sequence[Kind], version: int) -> dict[str, Any]:
        """GET /openapi/v3: where each document is, with a hash that changes with its content."""
        paths = {}
        for path in dict.fromkeys(_path(kind) for kind in kinds):
            digest = hashlib.sha256(self.document(path, kinds, version) or b"").hexdigest().upper()
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
        return {"paths": paths}

    def document(self, path: str, kinds: Sequence[Kind], version: int) -> bytes | None:
        """GET /openapi/v3/PATH, as JSON; None for a path that has no kinds."""
        if self._made_for != version:
            self._made_for, self._bytes = version, {}
        chosen = [kind for kind in kinds if _path(kind) == path]
        if path not in self._bytes and chosen:
            self._bytes[path] = orjson.dumps(_version_3(chosen))
        return self._bytes.get(path)


def version_2(kinds: Sequence[Kind]) -> dict[str, Any]:
    """GET /openapi/v2."""
    text = orjson.dumps(_components(kinds)).replace(b"#/components/schemas/", b"#/definitions/")
    return {
        "swagger": "2.0", "info": {"title": "Kubernetes", "version": VERSION}, "paths": {},
        "definitions": orjson.loads(text),
    }  # fmt: skip


def _path(kind: Kind) -> str:
    return f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"


def _version_3(kinds: Sequence[Kind]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for kind in kinds:
        paths |= _paths(kind)
    return {
        "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": VERSION}, "paths": paths,
        "components": {"schemas": _components(kinds)},
    }  # fmt: skip


def _components(kinds: Sequence[Kind]) -> dict[str, Any]:
    components: dict[str, Any] = {
        f"{_META}.ObjectMeta": schemas.METADATA,
        f"{_META}.ListMeta": schemas.LIST_METADATA,
    }
    for kind in kinds:
        name = _component(kind)
        schema = _published(kind)
        components[name] = {**schema, "x-kubernetes-group-version-kind": [_gvk(kind)]}
        list_kind = kind.list_kind or f"{kind.kind}List"
        components[f"{name.rpartition('.')[0]}.{list_kind}"] = {
            "type": "object",
            "description": f"{list_kind} is a list of {kind.kind}",
            "required": ["items"],
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"allOf": [_ref(f"{_META}.ListMeta")], "default": {}},
                "items": {"type": "array", "items": {"allOf": [_ref(name)], "default": {}}},
            },
            "x-kubernetes-group-version-kind": [{**_gvk(kind), "kind": list_kind}],
        }
    return components


def _published(kind: Kind) -> dict[str, Any]:
    schema = deepcopy(kind.schema) or {"type": "object"}
    properties = schema.setdefault("properties", {})
    for name, told in (("apiVersion", "The group and version of this object's form."), ("kind", "The object's kind.")):
        properties.setdefault(name, {"type": "string", "description": told})
    properties["metadata"] = {
        "allOf": [_ref(f"{_META}.ObjectMeta")], "description": "What every stored object has.", "default": {}
    }  # fmt: skip
    return schema


def _component(kind: Kind) -> str:
    prefix = _BUILT_IN.get(kind.group) if not kind.custom else None
    return f"{prefix or '.'.join(reversed(kind.group.split('.')))}.{kind.version}.{kind.kind}"


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _gvk(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _paths(kind: Kind) -> dict[str, Any]:
    within = "namespaces/{namespace}/" if kind.namespaced else ""
    collection = f"/{_path(kind)}/{within}{kind.plural}"
    paths: dict[str, Any] = {collection: {"post": _operation(kind, "post", _WRITE, body=("*/*",))}}
    if kind.review:
        return paths
    paths[collection] |= {
        "get": _operation(kind, "list", _LIST),
        "delete": _operation(kind, "deletecollection", _LIST),
    }
    one = {
        "get": _operation(kind, "get", ()),
        "put": _operation(kind, "put", _WRITE, body=("*/*",)),
        "patch": _operation(kind, "patch", (*_WRITE, "force"), body=media_types(kind)),
        "delete": _operation(kind, "delete", ("dryRun", "propagationPolicy")),
    }
    paths[f"{collection}/{{name}}"] = one
    if kind.status:
        paths[f"{collection}/{{name}}/status"] = {verb: one[verb] for verb in ("get", "put", "patch")}
    if kind.namespaced:
        paths[f"/{_path(kind)}/{kind.plural}"] = {"get": _operation(kind, "list", _LIST)}
    return paths


_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_LIST = (
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion",
    "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch",
)  # fmt: skip


def _operation(kind: Kind, action: str, parameters: Sequence[str], body: Sequence[str] = ()) -> dict[str, Any]:
    reference = _ref(_component(kind))
    operation: dict[str, Any] = {
        "operationId": f"{action}{kind.version.capitalize()}{kind.kind}",
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}} for name in parameters
        ],
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(kind),
    }
    if body:
        operation["requestBody"] = {"content": {media: {"schema": reference} for media in body}, "required": True}
    return operation
