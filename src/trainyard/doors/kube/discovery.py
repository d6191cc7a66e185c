"""What clients ask before they begin: which groups, versions and resources there are, in the old form and the new."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Any

from trainyard.doors.kube.kinds import VERBS, Kind

VERSION = "v1.32.0"  # whose behaviour this server follows; clients compare it with their own
_MAJOR, _MINOR = "1", "32"


def server_version() -> dict[str, Any]:
    """GET /version."""
    return {
        "major": _MAJOR, "minor": _MINOR, "gitVersion": f"{VERSION}+trainyard", "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "cpython",
        "platform": f"linux/{platform.machine()}",
    }  # fmt: skip


def core_versions() -> dict[str, Any]:
    """GET /api."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def group_list(kinds: Sequence[Kind]) -> dict[str, Any]:
    """GET /apis."""
    groups = sorted({kind.group for kind in kinds} - {""})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name, kinds) for name in groups]}


def group(name: str, kinds: Sequence[Kind]) -> dict[str, Any] | None:
    """GET /apis/GROUP."""
    if not any(kind.group == name for kind in kinds):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, kinds)}


def resource_list(group_name: str, version: str, kinds: Sequence[Kind]) -> dict[str, Any] | None:
    """GET /api/v1 and /apis/GROUP/VERSION."""
    resources = [
        one for kind in kinds if (kind.group, kind.version) == (group_name, version) for one in _resources(kind)
    ]
    if not resources:
        return None
    group_version = f"{group_name}/{version}" if group_name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def aggregated(kinds: Sequence[Kind], version: str, *, core: bool) -> dict[str, Any]:
    """GET /api and /apis as apidiscovery.k8s.io's APIGroupDiscoveryList in `version`: everything in one answer."""
    groups = [""] if core else sorted({kind.group for kind in kinds} - {""})
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None},
            "versions": [
                {
                    "version": one,
                    "resources": [_aggregated(kind) for kind in kinds if (kind.group, kind.version) == (name, one)],
                    "freshness": "Current",
                }
                for one in versions(name, kinds)
            ],
        }
        for name in groups
    ]
    return {
        "kind": "APIGroupDiscoveryList", "apiVersion": f"apidiscovery.k8s.io/{version}", "metadata": {}, "items": items
    }  # fmt: skip


def versions(group_name: str, kinds: Sequence[Kind]) -> list[str]:
    """A group's versions, the preferred one first."""
    return list(dict.fromkeys(kind.version for kind in kinds if kind.group == group_name))


def _group(name: str, kinds: Sequence[Kind]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions(name, kinds)]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _verbs(kind: Kind) -> list[str]:
    return ["create"] if kind.review else list(VERBS)


def _resources(kind: Kind) -> list[dict[str, Any]]:
    whole: dict[str, Any] = {
        "name": kind.plural, "singularName": kind.singular or kind.kind.lower(), "namespaced": kind.namespaced,
        "kind": kind.kind, "verbs": _verbs(kind),
    }  # fmt: skip
    if kind.short_names:
        whole["shortNames"] = list(kind.short_names)
    if kind.categories:
        whole["categories"] = list(kind.categories)
    if not kind.status:
        return [whole]
    status = {
        "name": f"{kind.plural}/status", "singularName": "", "namespaced": kind.namespaced, "kind": kind.kind,
        "verbs": ["get", "patch", "update"],
    }  # fmt: skip
    return [whole, status]


def _aggregated(kind: Kind) -> dict[str, Any]:
    response = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    whole: dict[str, Any] = {
        "resource": kind.plural, "responseKind": response, "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular or kind.kind.lower(), "verbs": _verbs(kind),
        "shortNames": list(kind.short_names), "categories": list(kind.categories),
    }  # fmt: skip
    if kind.status:
        whole["subresources"] = [
            {"subresource": "status", "responseKind": response, "verbs": ["get", "patch", "update"]}
        ]
    return {name: value for name, value in whole.items() if value != []}
