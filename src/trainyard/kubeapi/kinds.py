"""Where kinds stand in an API server's paths."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource of one version; group "" for core."""

    group: str
    version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """`/apis/<group>/<version>/namespaces/<namespace>/<plural>/<name>/<subresource>`, as far as given."""
        root = f"/api/{self.version}" if not self.group else f"/apis/{self.group}/{self.version}"
        within = f"/namespaces/{quote(namespace, safe='')}" if namespace and self.namespaced else ""
        steps = [root + within, self.plural, *(quote(step, safe="") for step in (name, subresource) if step)]
        return "/".join(steps)


NAMESPACES = Kind("", "v1", "namespaces", namespaced=False)
CONFIG_MAPS = Kind("", "v1", "configmaps")
EVENTS = Kind("", "v1", "events")
LEASES = Kind("coordination.k8s.io", "v1", "leases")
