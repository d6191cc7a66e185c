"""The rules of ResourceConfig: types, counts, groups, preferences, volumes and warm pools."""

from __future__ import annotations

from collections.abc import Iterator

from trainyard.lifecycle.admission.given import Given
from trainyard.lifecycle.admission.members import missing
from trainyard.lifecycle.admission.words import Path, show
from trainyard.model.instances import has_local_disk
from trainyard.model.problems import Problem, Severity

_ROOT: Path = ("ResourceConfig",)


def host_rules(job: Given, *, local: bool) -> Iterator[Problem]:
    """Every broken rule of the request's hosts; on our own place a missing volume size is only a notice."""
    if not job.has("ResourceConfig"):
        if not job.has("ServerlessJobConfig"):
            yield missing(_ROOT)
        return
    hosts = job.within("ResourceConfig")
    yield from _shape(hosts)
    yield from _counts(hosts)
    if hosts.has("InstancePreferences"):
        yield from _preferences(job, hosts)
    if hosts.has("KeepAlivePeriodInSeconds"):
        yield from _warm_pool(job, hosts)
    yield from _volumes(hosts, local=local)
    for member in ("SelectedInstanceType", "SelectedInstanceCount"):
        if hosts.has(member):
            message = f"{member} is set by the service and cannot be specified"
            yield Problem(path=(*_ROOT, member), message=message, code="read-only")


def _shape(hosts: Given) -> Iterator[Problem]:
    single = hosts.has("InstanceType") or hosts.has("InstanceCount")
    if hosts.filled("InstanceGroups"):
        if single:
            message = "InstanceType or InstanceCount cannot be specified with InstanceGroups"
            yield Problem(path=(*_ROOT, "InstanceGroups"), message=message, code="type-and-groups")
        yield from _group_names(hosts)
    elif not hosts.filled("InstancePreferences"):
        for member in ("InstanceType", "InstanceCount"):
            if not hosts.has(member):
                yield missing((*_ROOT, member))


def _group_names(hosts: Given) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, group in hosts.each("InstanceGroups"):
        name = group.text("InstanceGroupName")
        if name is not None and name in seen:
            path: Path = (*_ROOT, "InstanceGroups", index, "InstanceGroupName")
            message = f"Instance group names must be unique within a training job: '{show(name)}'"
            yield Problem(path=path, message=message, code="duplicate")
        seen.add(name or "")


def _counts(hosts: Given) -> Iterator[Problem]:
    places: list[tuple[Path, Given]] = [(_ROOT, hosts)]
    for member in ("InstanceGroups", "InstancePreferences"):
        if hosts.has(member):
            places += [((*_ROOT, member, index), entry) for index, entry in hosts.each(member)]
    for path, entry in places:
        if entry.number("InstanceCount") == 0:
            message = "Invalid InstanceCount. It must be greater than or equal to 1"
            yield Problem(path=(*path, "InstanceCount"), message=message, code="no-instances")


def _preferences(job: Given, hosts: Given) -> Iterator[Problem]:
    if not hosts.filled("InstancePreferences"):
        return
    path: Path = (*_ROOT, "InstancePreferences")
    for member in ("InstanceType", "InstanceGroups", "InstancePlacementConfig"):
        if hosts.has(member):
            message = f"{member} cannot be specified with InstancePreferences"
            yield Problem(path=path, message=message, code="preferences-exclude")
    if job.true("EnableManagedSpotTraining"):
        message = "EnableManagedSpotTraining cannot be used with InstancePreferences"
        yield Problem(path=path, message=message, code="preferences-exclude")
    counted = [entry.has("InstanceCount") for _, entry in hosts.each("InstancePreferences")]
    if any(counted) == hosts.has("InstanceCount") or (any(counted) and not all(counted)):
        message = "InstanceCount must be specified either in every InstancePreference or once in ResourceConfig"
        yield Problem(path=path, message=message, code="preference-counts")


def _warm_pool(job: Given, hosts: Given) -> Iterator[Problem]:
    if not hosts.number("KeepAlivePeriodInSeconds"):
        return
    path: Path = (*_ROOT, "KeepAlivePeriodInSeconds")
    if job.true("EnableManagedSpotTraining"):
        message = "KeepAlivePeriodInSeconds cannot be specified when EnableManagedSpotTraining is set to true"
        yield Problem(path=path, message=message, code="warm-pool-spot")
    if hosts.filled("InstanceGroups"):
        message = "KeepAlivePeriodInSeconds cannot be specified with InstanceGroups"
        yield Problem(path=path, message=message, code="warm-pool-groups")


def _volumes(hosts: Given, *, local: bool) -> Iterator[Problem]:
    if hosts.has("VolumeSizeInGB") and not hosts.has("VolumeKmsKeyId"):
        return  # good for any disk
    types = {hosts.text("InstanceType")} | {g.text("InstanceType") for _, g in hosts.each("InstanceGroups")}
    known = sorted(kind for kind in types if kind is not None and has_local_disk(kind) is not None)
    with_disk = [kind for kind in known if has_local_disk(kind)]
    if with_disk and hosts.has("VolumeKmsKeyId"):
        message = f"VolumeKmsKeyId cannot be specified for instance types with local NVMe storage: {with_disk[0]}"
        yield Problem(path=(*_ROOT, "VolumeKmsKeyId"), message=message, code="kms-local-disk")
    without = [kind for kind in known if kind not in with_disk]
    if without and not hosts.has("VolumeSizeInGB"):
        message = f"VolumeSizeInGB must be specified for instance types without local storage: {without[0]}"
        severity = Severity.NOTICE if local else Severity.ERROR
        yield Problem(path=(*_ROOT, "VolumeSizeInGB"), message=message, code="volume-size", severity=severity)
