"""From a channel's file system to a folder of this machine, as trainyard.toml says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trainyard.kit import beneath
from trainyard.model.problems import Problem
from trainyard.model.spec import FileSystemDataSource, TrainingJobSpec

Table = Mapping[str, Mapping[str, Any]]


def mounts_of(tables: Table, spec: TrainingJobSpec) -> list[dict[str, Any] | Problem]:
    """What the runtime is told of every channel that is a file system: a mount, or why there can be none."""
    return [_mount(tables, path, name, source) for path, name, source in _file_systems(spec)]


def _file_systems(spec: TrainingJobSpec) -> Iterator[tuple[tuple[str | int, ...], str, FileSystemDataSource]]:
    for index, channel in enumerate(spec.input_data_config or ()):
        source = channel.data_source.file_system_data_source
        if source is not None:
            path = ("InputDataConfig", index, "DataSource", "FileSystemDataSource")
            yield path, channel.channel_name, source


def _mount(
    tables: Table, path: tuple[str | int, ...], channel: str, source: FileSystemDataSource
) -> dict[str, Any] | Problem:
    identity, directory = source.file_system_id, source.directory_path
    table = tables.get(identity)
    if table is None:
        text = (
            f"The file system {identity} is unknown here; say in trainyard.toml which folder it is: "
            f'[file_systems."{identity}"] and folder = "/…".'
        )
        return Problem(path=(*path, "FileSystemId"), message=text, code="unknown-file-system")
    if ".." in directory.split("/") or "\0" in directory:
        text = f"DirectoryPath {directory!r} leads out of the file system."
        return Problem(path=(*path, "DirectoryPath"), message=text, code="directory-path")
    folder = str(table["folder"])
    if not beneath.is_folder(folder, directory):
        text = f"The file system {identity} is {folder} here, and has no folder {directory}. Links are not followed."
        return Problem(path=(*path, "DirectoryPath"), message=text, code="directory-path")
    is_read_only = source.file_system_access_mode == "ro"
    return {"channel": channel, "folder": folder, "path": directory, "read_only": is_read_only}
