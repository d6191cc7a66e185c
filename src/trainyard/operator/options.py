"""The operator's flags: ACK's where they mean something here, those that do not refused with the reason, and ours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainyard.model.errors import TrainyardError
from trainyard.model.keys import Scope
from trainyard.operator.case import Roaming, Rules
from trainyard.operator.placing import objection_to
from trainyard.resource.names import KIND, DeletionPolicy
from trainyard.resource.tagging import DEFAULTS, templates

WORKERS = 32
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_GATES = ("ResourceAdoption", "ReadOnlyResources")
_AMAZONS_GATES = ("TeamLevelCARM", "ServiceLevelCARM")
_UNBUILT_GATE = "IAMRoleSelector"
SYSTEM_NAMESPACE = "ack-system"  # where ACK's maps of roles are, unless the environment says otherwise

# ACK's flags that have no meaning here: the values that are what happens anyway, and why no other is taken.
REFUSED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "aws-endpoint-use-path-style": (("false",), "it is Amazon S3's, and this operator asks SageMaker and STS alone"),
    "http-client-timeout": (("60s", "1m", "1m0s"), "a call is given up after a minute"),
    "enable-webhook-server": (("false",), "the resource has one version, so nothing is converted"),
    "webhook-server-addr": (("0.0.0.0:9433",), "the resource has one version, so nothing is converted"),
    "enable-cross-namespace": (("true", "false"), "a TrainingJob names nothing in another namespace"),
    "enable-field-export-reconciler": (("false",), "FieldExport is not built; read the status instead"),
}
# ACK's flags that mean something with --on sagemaker alone, and the values that are what happens anyway without it.
AMAZONS: Mapping[str, tuple[str, ...]] = {
    "aws-endpoint-url": (),
    "aws-identity-endpoint-url": (),
    "allow-unsafe-aws-endpoint-urls": ("false",),
    "enable-carm": ("false",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """What of the cluster is watched: namespaces (none is all of them), a label selector, and how patiently.

    mirrors : jobs that no resource made are shown as read-only resources.
    system_namespace : where the maps of roles are.
    """

    namespaces: Sequence[str] = ()
    labels: str = ""
    silence: float = 70.0
    mirrors: bool = False
    system_namespace: str = SYSTEM_NAMESPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What was given on the command line, as text where ACK's flags are text.

    on_amazon : the service is Amazon's, and annotations choose region and account.
    """

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
    on_amazon: bool = False
    aws_endpoint_url: str = ""
    aws_identity_endpoint_url: str = ""
    allow_unsafe_aws_endpoint_urls: str = ""
    enable_carm: str = ""


def rules_of(flags: Flags, scope: Scope, version: str) -> Rules:
    """What the decisions need to know. Raises TrainyardError for what is not understood."""
    if flags.deletion_policy not in set(DeletionPolicy):
        raise TrainyardError(f"--deletion-policy is delete or retain, and {flags.deletion_policy!r} is neither.")
    wanted = [name.strip() for name in flags.resources.split(",") if name.strip()]
    if wanted and KIND not in wanted:
        raise TrainyardError(f"--reconcile-resources leaves {KIND} out, and this operator knows no other kind.")
    gates = _gates(flags.feature_gates, on_amazon=flags.on_amazon)
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
        half_told=flags.on_amazon,
        roaming=_roaming(flags, gates) if flags.on_amazon else None,
    )


def _roaming(flags: Flags, gates: Mapping[str, bool]) -> Roaming:
    """As in ACK, an operator that watches a single namespace maps no accounts."""
    return Roaming(
        endpoint=flags.aws_endpoint_url,
        unsafe_endpoints=switch(flags.allow_unsafe_aws_endpoint_urls or "false"),
        accounts=switch(flags.enable_carm or "true") and len(watching_of(flags).namespaces) != 1,
        teams=gates.get("TeamLevelCARM", False),
        by_service=gates.get("ServiceLevelCARM", False),
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


def check_endpoints(flags: Flags) -> None:
    """Raises TrainyardError for an endpoint that no signed request may go to; to be asked before the first one goes."""
    unsafe = switch(flags.allow_unsafe_aws_endpoint_urls or "false")
    for flag, url in (
        ("--aws-endpoint-url", flags.aws_endpoint_url),
        ("--aws-identity-endpoint-url", flags.aws_identity_endpoint_url),
    ):
        objection = objection_to(url, unsafe=unsafe) if url else None
        if objection is not None:
            raise TrainyardError(f"{flag}={url}: {objection}")


def need_amazon(flag: str, value: str) -> None:
    """Raises TrainyardError for a flag of Amazon's without --on sagemaker, unless it asks for what happens anyway."""
    if value and value.lower() not in AMAZONS[flag]:
        raise TrainyardError(
            f"--{flag}={value} is not supported: this operator's jobs are carried out by Trainyard; no request goes to "
            "Amazon without --on sagemaker."
        )


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


def _gates(text: str, *, on_amazon: bool) -> dict[str, bool]:
    known = (*_GATES, *_AMAZONS_GATES) if on_amazon else _GATES
    found = {}
    for part in (one.strip() for one in text.split(",") if one.strip()):
        name, _, value = part.partition("=")
        if name not in (*_GATES, *_AMAZONS_GATES, _UNBUILT_GATE):
            raise TrainyardError(f"--feature-gates: there is no gate {name!r}; there are {', '.join(known)}.")
        wanted = switch(value)
        if name == _UNBUILT_GATE and wanted:
            raise TrainyardError(f"--feature-gates: {name} is not built; map accounts or teams to roles instead.")
        if name not in known and wanted:
            raise TrainyardError(f"--feature-gates: {name} needs --on sagemaker.")
        found[name] = wanted
    return found
