"""The rules between a channel's members: sources, modes, wrappers and groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trainyard.lifecycle.admission.given import Given
from trainyard.lifecycle.admission.words import Path, show
from trainyard.model.problems import Problem

_SOURCES = ("S3DataSource", "FileSystemDataSource", "DatasetSource")


def channel_rules(job: Given) -> Iterator[Problem]:
    """Every broken rule of the request's channels."""
    mode = job.text("AlgorithmSpecification", "TrainingInputMode")
    seen: set[str] = set()
    for index, channel in job.each("InputDataConfig"):
        path: Path = ("InputDataConfig", index)
        name = channel.text("ChannelName")
        if name is not None and name in seen:
            message = f"Channel names must be unique within a training job: '{show(name)}' is given more than once"
            yield Problem(path=(*path, "ChannelName"), message=message, code="duplicate")
        seen.add(name or "")
        yield from _source(job, channel, path)
        yield from _mode(channel, channel.text("InputMode") or mode, path)
    yield from _groups(job)


def channel_places(job: Given) -> Iterator[Problem]:
    """Names that cannot be folders side by side on a host of ours: of the service it is not known what it does."""
    mode = job.text("AlgorithmSpecification", "TrainingInputMode")
    modes = {
        channel.text("ChannelName"): channel.text("InputMode") or mode for _, channel in job.each("InputDataConfig")
    }
    for index, channel in job.each("InputDataConfig"):
        name = channel.text("ChannelName")
        path: Path = ("InputDataConfig", index, "ChannelName")
        if name in (".", ".."):
            message = f"The channel name '{name}' cannot be a folder below /opt/ml/input/data"
            yield Problem(path=path, message=message, code="channel-name")
        elif name is not None and (beside := _beside(name, modes)) is not None:
            message = f"The channel name '{name}' is taken by what is made for the channel '{beside}'"
            yield Problem(path=path, message=message, code="channel-name")


def _beside(name: str, modes: Mapping[str | None, str | None]) -> str | None:
    """The channel that a file of this name is made for: its list of objects, or its pipe of an epoch."""
    channel, _, epoch = name.rpartition("_")
    if epoch.isdecimal() and modes.get(channel) == "Pipe":
        return channel
    listed = name.removesuffix("-manifest")
    return listed if listed != name and listed in modes else None


def _source(job: Given, channel: Given, path: Path) -> Iterator[Problem]:
    given = [source for source in _SOURCES if channel.has("DataSource", source)]
    if channel.has("DataSource") and len(given) != 1:
        message = f"Exactly one of {', '.join(_SOURCES)} must be specified in DataSource"
        yield Problem(path=(*path, "DataSource"), message=message, code="data-source")
    if "FileSystemDataSource" in given and not job.has("VpcConfig"):
        message = "VpcConfig is required when a channel has a FileSystemDataSource"
        yield Problem(path=("VpcConfig",), message=message, code="vpc-required")
    if "FileSystemDataSource" in given and channel.has("ShuffleConfig"):
        message = "ShuffleConfig is only supported for channels with an S3DataSource"
        yield Problem(path=(*path, "ShuffleConfig"), message=message, code="shuffle-source")
    source = channel.within("DataSource", "S3DataSource")
    augmented = source.text("S3DataType") == "AugmentedManifestFile"
    where: Path = (*path, "DataSource", "S3DataSource", "AttributeNames")
    if augmented and not source.filled("AttributeNames"):
        message = "AttributeNames must be specified when S3DataType is AugmentedManifestFile"
        yield Problem(path=where, message=message, code="attribute-names")
    elif not augmented and source.text("S3DataType") is not None and source.filled("AttributeNames"):
        message = "AttributeNames can only be specified when S3DataType is AugmentedManifestFile"
        yield Problem(path=where, message=message, code="attribute-names")


def _mode(channel: Given, mode: str | None, path: Path) -> Iterator[Problem]:
    if mode not in ("File", "FastFile", "Pipe"):
        return
    data_type = channel.text("DataSource", "S3DataSource", "S3DataType")
    where: Path = (*path, "DataSource", "S3DataSource", "S3DataType")
    if data_type == "AugmentedManifestFile" and mode != "Pipe":
        message = "AugmentedManifestFile can only be used if the Channel's input mode is Pipe"
        yield Problem(path=where, message=message, code="augmented-mode")
    elif mode == "FastFile" and data_type is not None and data_type != "S3Prefix":
        message = f"S3DataType must be S3Prefix when the Channel's input mode is FastFile, not {show(data_type)}"
        yield Problem(path=where, message=message, code="fastfile-type")
    if mode != "File" and channel.has("DataSource", "FileSystemDataSource"):
        message = f"FileSystemDataSource can only be used if the Channel's input mode is File, not {mode}"
        yield Problem(path=(*path, "DataSource", "FileSystemDataSource"), message=message, code="file-system-mode")
    if mode == "Pipe":
        return
    for member, value in (("CompressionType", "Gzip"), ("RecordWrapperType", "RecordIO")):
        if channel.text(member) == value:
            message = (
                f"{member} {value} is only supported in Pipe mode. In {mode} mode, leave it unset or set it to None"
            )
            yield Problem(path=(*path, member), message=message, code="pipe-only", suggestion="None")


def _groups(job: Given) -> Iterator[Problem]:
    known = {group.text("InstanceGroupName") for _, group in job.each("ResourceConfig", "InstanceGroups")}
    assigned: list[str] = []
    free: list[str] = []
    for index, channel in job.each("InputDataConfig"):
        source = channel.within("DataSource", "S3DataSource")
        (assigned if source.filled("InstanceGroupNames") else free).append(show(channel.text("ChannelName") or ""))
        for place, name in _names(source):
            if name not in known:
                message = f"Instance group '{show(name)}' is not among the InstanceGroups of ResourceConfig"
                path: Path = ("InputDataConfig", index, "DataSource", "S3DataSource", "InstanceGroupNames", place)
                yield Problem(path=path, message=message, code="unknown-group")
    if assigned and free:
        grouped, others = ", ".join(assigned), ", ".join(free)
        message = f"Some channels have assigned instance groups: [{grouped}] while others not: [{others}]"
        yield Problem(path=("InputDataConfig",), message=message, code="partial-groups")


def _names(source: Given) -> Iterator[tuple[int, str]]:
    names = source.wire.get("InstanceGroupNames")
    if isinstance(names, list | tuple):
        yield from ((place, name) for place, name in enumerate(names[:10]) if isinstance(name, str))
