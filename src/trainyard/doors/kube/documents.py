"""The paths that name no object: discovery, OpenAPI, version, health."""

from __future__ import annotations

import re

from trainyard.doors.kube import discovery
from trainyard.doors.kube.answers import Answer
from trainyard.doors.kube.errors import not_acceptable
from trainyard.doors.kube.openapi import Documents, version_2
from trainyard.doors.kube.registry import Registry

_AGGREGATED = re.compile(r"application/json;\s*g=apidiscovery\.k8s\.io;\s*v=(v2|v2beta1);\s*as=APIGroupDiscoveryList")
_HEALTH = frozenset({"healthz", "livez", "readyz"})
_ROOTS = ("/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version")


class DocumentPaths:
    """Answers for these paths, from the kinds that there are."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._openapi = Documents()

    def answer(self, path: str, accept: str) -> Answer | None:
        """The answer to a GET, or None for a path that is none of these. Raises Refused (406)."""
        match path.strip("/").split("/"):
            case [""]:
                return Answer({"paths": list(_ROOTS)})
            case ["version"]:
                return Answer(discovery.server_version())
            case [health, *_] if health in _HEALTH:
                return Answer(b"ok", media="text/plain; charset=utf-8")
            case [("api" | "apis") as root, *rest]:
                return self._discovery(root, rest, accept)
            case ["openapi", *rest]:
                return self._openapi_document(rest, accept)
        return None

    def _discovery(self, root: str, rest: list[str], accept: str) -> Answer | None:
        kinds = self._registry.kinds()
        match [root, *rest]:
            case [_]:
                return self._groups(accept, core=root == "api")
            case ["api", version]:
                return _document(discovery.resource_list("", version, kinds))
            case ["apis", group]:
                return _document(discovery.group(group, kinds))
            case ["apis", group, version]:
                return _document(discovery.resource_list(group, version, kinds))
        return None

    def _openapi_document(self, rest: list[str], accept: str) -> Answer | None:
        kinds, version = self._registry.kinds(), self._registry.version
        match rest:
            case ["v2"]:
                return self._version_2(accept)
            case ["v3"]:
                return Answer(self._openapi.index(kinds, version))
            case ["v3", *path]:
                document = self._openapi.document("/".join(path), kinds, version)
                return None if document is None else Answer(document)
        return None

    def _groups(self, accept: str, *, core: bool) -> Answer:
        kinds = self._registry.kinds()
        wanted = _AGGREGATED.search(accept)
        if wanted is None:
            return Answer(discovery.core_versions() if core else discovery.group_list(kinds))
        version = wanted.group(1)
        media = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        return Answer(discovery.aggregated(kinds, version, core=core), media=media, headers=(("vary", "Accept"),))

    def _version_2(self, accept: str) -> Answer:
        if accept and "json" not in accept and "*/*" not in accept:
            raise not_acceptable(("application/json",))
        return Answer(version_2(self._registry.kinds()))


def _document(found: dict[str, object] | None) -> Answer | None:
    return None if found is None else Answer(found)
