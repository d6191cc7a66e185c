"""A kind that is not ours, for tests of the Kubernetes door."""

from __future__ import annotations

from typing import Any

GROUP = "example.com"


def definition(plural: str = "widgets", kind: str = "Widget") -> dict[str, Any]:
    """A CustomResourceDefinition with a status subresource and columns."""
    spec = {
        "type": "object",
        "description": "What is wished for.",
        "required": ["size"],
        "properties": {
            "size": {"type": "integer", "description": "How large.", "minimum": 0},
            "note": {"type": "string"},
            "parts": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {
                    "type": "object", "required": ["name"],
                    "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
                },
            },
        },
    }  # fmt: skip
    ready = '.status.conditions[?(@.type=="Ready")].status'
    condition = {"type": "object", "properties": {name: {"type": "string"} for name in ("type", "status")}}
    status = {
        "type": "object",
        "properties": {"phase": {"type": "string"}, "conditions": {"type": "array", "items": condition}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, "shortNames": [f"x{plural[:3]}"]},
            "versions": [
                {
                    "name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                        {"name": "Note", "type": "string", "jsonPath": ".spec.note", "priority": 1},
                        {"name": "Ready", "type": "string", "jsonPath": ready},
                        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                    ],
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}},
                }
            ],
        },
    }  # fmt: skip


def widget(name: str, size: int = 1, **spec: Any) -> dict[str, Any]:
    """One of them."""
    return {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "metadata": {"name": name}, "spec": {"size": size, **spec}}
