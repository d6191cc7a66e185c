"""Tags of a job: the user's, and those that the controller puts beside them without writing them into the resource."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from trainyard.model.errors import TrainyardError
from trainyard.resource.names import KIND, DefaultTag

MOST = 50  # tags on one job
OWNER = "services.k8s.aws/resource-uid"  # ours: by it a job tells which resource made it
DEFAULTS = (
    f"{DefaultTag.CONTROLLER_VERSION}=%CONTROLLER_SERVICE%-%CONTROLLER_VERSION%",
    f"{DefaultTag.NAMESPACE}=%K8S_NAMESPACE%",
)
_SYSTEM = ("aws:", "services.k8s.aws/")
_PLACEHOLDER = re.compile(r"%[A-Z0-9_]+%")

Tags = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Who makes the job: what the placeholders of default tags stand for."""

    namespace: str
    name: str
    uid: str
    version: str
    labels: Mapping[str, str]


def templates(flags: Sequence[str]) -> Tags:
    """`--resource-tags` as (key, template). Raises TrainyardError in ACK's words for one that is no `key=value`."""
    found = []
    for flag in flags:
        key, equals, value = flag.partition("=")
        if not equals or "=" in value or not key:
            raise TrainyardError(f"invalid resource tag: {flag!r}; write key=value with one equals sign.")
        found.append((key, value))
    return tuple(found)


def default_tags(wanted: Tags, maker: Maker) -> Tags:
    """The controller's own tags for one resource; those whose placeholders come to nothing are left out."""
    words = {
        "%CONTROLLER_SERVICE%": "sagemaker",
        "%CONTROLLER_VERSION%": maker.version or "unknown",
        "%K8S_NAMESPACE%": maker.namespace,
        "%K8S_RESOURCE_NAME%": maker.name,
        "%K8S_RESOURCE_KIND%": KIND,
        "%MANAGED_BY%": maker.labels.get("app.kubernetes.io/managed-by", ""),
        "%KRO_VERSION%": maker.labels.get("kro.run/kro-version", ""),
    }
    expanded = ((key, _PLACEHOLDER.sub(lambda found: words.get(found[0], found[0]), value)) for key, value in wanted)
    return ((OWNER, maker.uid), *((key, value) for key, value in expanded if value))


def with_defaults(given: Tags, defaults: Tags) -> Tags:
    """The user's tags and, as far as there is room, the controller's: a key that the user gives is the user's."""
    own = dict(given)
    room = max(0, MOST - len(given))
    return (*given, *[(key, value) for key, value in defaults if key not in own][:room])


def owner_of(tags: Tags) -> str | None:
    """The uid of the resource that made the job, where the job tells."""
    return dict(tags).get(OWNER)


def to_add(wanted: Tags, found: Tags) -> Tags:
    """Tags that the job lacks or has with another value."""
    there = dict(found)
    return tuple((key, value) for key, value in wanted if there.get(key) != value)


def to_remove(managed: Collection[str], wanted: Tags, found: Tags) -> tuple[str, ...]:
    """Keys that the resource once put on the job and wants no more; what others put there is theirs."""
    kept, there = dict(wanted), dict(found)
    return tuple(key for key in managed if key not in kept and key in there and not is_system(key))


def is_system(key: str) -> bool:
    """Whether a tag is the cloud's or a controller's own and never shown in a spec."""
    return key.startswith(_SYSTEM)
