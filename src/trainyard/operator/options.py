"""The operator's flags: ACK's where they mean something here, those that do not refused with the reason, and ours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainyard.model.errors import TrainyardError
from trainyard.model.keys import Scope
from trainyard.operator.case import Rules
from trainyard.resource.names import KIND, DeletionPolicy
from trainyard.resource.tagging import DEFAULTS, templates

WORKERS = 32
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_GATES = ("ResourceAdoption", "ReadOnlyResources")
_OTHER_GATES = ("TeamLevelCARM", "ServiceLevelCARM", "IAMRoleSelector")

# ACK's flags that have no meaning here: the values that are what happens anyway, and why no other is taken.
_AWS = "this operator's jobs are carried out by Trainyard; no request goes to Amazon"
REFUSED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "aws-endpoint-url": ((), _AWS),
    "aws-identity-endpoint-url": ((), _AWS),
    "allow-unsafe-aws-endpoint-urls": (("false",), _AWS),
    "aws-endpoint-use-path-style": (("false",), _AWS),
    "http-client-timeout": (("60s", "1m", "1m0s"), _AWS),
    "enable-webhook-server": (("false",), "the resource has one version, so nothing is converted"),
    "webhook-server-addr": (("0.0.0.0:9433",), "the resource has one version, so nothing is converted"),
    "enable-carm": (("false",), "jobs of other accounts come with running on Amazon SageMaker"),
    "enable-cross-namespace": (("true", "false"), "a TrainingJob names nothing in another namespace"),
    "enable-field-export-reconciler": (("false",), "FieldExport is not built; read the status instead"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """What of the cluster is watched: namespaces (none is all of them), a label selector, and how patiently.

    mirrors : jobs that no resource made are shown as read-only resources.
    """

    namespaces: Sequence[str] = ()
    labels: str = ""
    silence: float = 70.0
    mirrors: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What was given on the command line, as text where ACK's flags are text."""

    watch_namespace: str = ""
    watch_selectors: str = ""
    resource_tags: tuple[str, ...] = ()
    deletion_policy: str = DeletionPolicy.DELETE
    default_resync: int = 0
    resource_resync: tuple[str, ...] = ()
    default_workers: int = 0
    resource_workers: tuple[str, ...] = ()
    resources: str = ""
    feature_gates: str = ""
    ttl_after_finished: int | None = None


def rules_of(flags: Flags, scope: Scope, version: str) -> Rules:
    """What the decisions need to know. Raises TrainyardError for what is not understood."""
    if flags.deletion_policy not in set(DeletionPolicy):
        raise TrainyardError(f"--deletion-policy is delete or retain, and {flags.deletion_policy!r} is neither.")
    wanted = [name.strip() for name in flags.resources.split(",") if name.strip()]
    if wanted and KIND not in wanted:
        raise TrainyardError(f"--reconcile-resources leaves {KIND} out, and this operator knows no other kind.")
    gates = _gates(flags.feature_gates)
    resync = _of_kind(flags.resource_resync, "--reconcile-resource-resync-seconds") or flags.default_resync
    return Rules(
        scope=scope,
        deletion_policy=flags.deletion_policy,
        tags=templates([tag for text in flags.resource_tags or DEFAULTS for tag in text.split(",")]),
        version=version,
        resync=float(resync) if resync else None,
        adoption=gates.get("ResourceAdoption", True),
        read_only=gates.get("ReadOnlyResources", True),
        ttl=None if flags.ttl_after_finished is None else float(flags.ttl_after_finished),
    )


def watching_of(flags: Flags) -> Watching:
    """What of the cluster is watched. Raises TrainyardError for a bad or repeated namespace, as ACK does."""
    names = [name.strip() for name in flags.watch_namespace.split(",") if name.strip()]
    for name in names:
        if not _NAMESPACE.fullmatch(name):
            raise TrainyardError(f"--watch-namespace: {name!r} is no namespace's name.")
        if names.count(name) > 1:
            raise TrainyardError(f"--watch-namespace names {name} twice.")
    return Watching(namespaces=tuple(names), labels=flags.watch_selectors)


def workers_of(flags: Flags) -> int:
    """How many resources are worked on at once."""
    given = _of_kind(flags.resource_workers, "--reconcile-resource-max-concurrent-syncs") or flags.default_workers
    return given or WORKERS


def refuse(flag: str, value: str) -> None:
    """Raises TrainyardError for a flag of ACK's that has no meaning here, unless it asks for what happens anyway."""
    harmless, reason = REFUSED[flag]
    if value and value.lower() not in harmless:
        raise TrainyardError(f"--{flag}={value} is not supported: {reason}.")


def switch(text: str) -> bool:
    """A flag's boolean as Go's flags write it. Raises TrainyardError."""
    if text.lower() in ("true", "t", "1"):
        return True
    if text.lower() in ("false", "f", "0"):
        return False
    raise TrainyardError(f"{text!r} is neither true nor false.")


def _of_kind(given: Sequence[str], flag: str) -> int | None:
    """The number of `TrainingJob=N`."""
    found = None
    for text in (part for one in given for part in one.split(",")):
        kind, _, number = text.partition("=")
        if kind != KIND:
            raise TrainyardError(f"{flag} names {kind!r}, and this operator knows {KIND} alone.")
        if not number.isdecimal():
            raise TrainyardError(f"{flag}={text}: write {KIND}=<number>.")
        found = int(number)
    return found


def _gates(text: str) -> dict[str, bool]:
    found = {}
    for part in (one.strip() for one in text.split(",") if one.strip()):
        name, _, value = part.partition("=")
        if name not in (*_GATES, *_OTHER_GATES):
            raise TrainyardError(f"--feature-gates: there is no gate {name!r}; there are {', '.join(_GATES)}.")
        wanted = switch(value)
        if name in _OTHER_GATES and wanted:
            raise TrainyardError(f"--feature-gates: {name} comes with running on Amazon SageMaker.")
        found[name] = wanted
    return found
