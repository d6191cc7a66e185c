"""Where a request goes: the API server's paths, read into a target.

/api/v1/…, /apis/GROUP/VERSION/…, with namespaces/NAMESPACE before the resource of a namespaced kind.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names. No name: the whole collection; no namespace: all of them, or a cluster-scoped kind."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def target_of(path: str) -> Target | None:
    """The target of a resource path, or None for any other path."""
    parts = path.strip("/").split("/")
    if "" in parts:
        return None
    match parts:
        case ["api", version, *rest]:
            return _resource("", version, rest)
        case ["apis", group, version, *rest]:
            return _resource(group, version, rest)
    return None


def _resource(group: str, version: str, rest: list[str]) -> Target | None:
    match rest:
        case ["namespaces", namespace, ("status" | "finalize") as subresource]:
            return Target(group, version, "namespaces", name=namespace, subresource=subresource)
        case ["namespaces", namespace, plural, *names] if len(names) <= 2:
            return Target(group, version, plural, namespace, *names)
        case [plural, *names] if len(names) <= 2:
            return Target(group, version, plural, "", *names)
    return None
