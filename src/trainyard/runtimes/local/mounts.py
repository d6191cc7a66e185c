"""Channels that are mounts in a job's private view: folders of this machine, and files that are fetched when read.

Standard library only. Everything happens in the fork that becomes the shim, once it has a view of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from trainyard.kit import beneath
from trainyard.runtimes.local import namespaces


class MountRefused(Exception):  # noqa: N818 - it names an outcome
    """A channel's folder cannot be given to the program as the request says; a whole sentence."""


def bind(ml: Path, mounts: list[dict[str, Any]], *, is_private: bool) -> None:
    """Put every folder in its channel's place: {"channel", "folder", "path", "read_only"}. Raises MountRefused.

    Without a private view a folder that may be written is a link, and one that may not is refused.
    """
    for mount in mounts:
        place = f"{mount['folder']}/{mount['path'].strip('/')}".rstrip("/")
        try:
            with beneath.folder(Path(mount["folder"]), mount["path"]) as source:
                _put(ml, mount, source, is_private=is_private)
        except OSError as error:
            text = f"{place} cannot be the channel {mount['channel']}: {error.strerror}."
            raise MountRefused(text) from error


def _put(ml: Path, mount: dict[str, Any], source: int, *, is_private: bool) -> None:
    if is_private:
        target = Path("/opt/ml/input/data") / mount["channel"]
        target.mkdir(exist_ok=True)
        namespaces.bind(source, str(target), read_only=mount["read_only"])
    elif mount["read_only"]:
        text = f"This system gives no private mounts, so the channel {mount['channel']} cannot be read-only."
        raise MountRefused(text)
    else:
        (ml / "input/data" / mount["channel"]).symlink_to(os.readlink(f"/proc/self/fd/{source}"))


def show_streams(attempt: Path, channels: list[str], *, is_private: bool) -> None:
    """Put the FastFile channels in their places. Raises MountRefused."""
    if not channels:
        return
    from trainyard.runtimes.local import fuse  # noqa: PLC0415 - other jobs do not pay for it

    if not is_private:
        raise MountRefused("This system gives no private mounts any more, which FastFile channels need.")
    try:
        fuse.show(attempt, channels)
    except OSError as error:
        raise MountRefused(f"The FastFile channels cannot be mounted: {error.strerror}.") from error
