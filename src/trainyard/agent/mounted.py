"""A tree of objects as a file system: what libfuse asks for, through mfusepy. Needs the extra `fuse` and libfuse 3."""

from __future__ import annotations

import errno
import itertools
import os
import stat
from collections.abc import Callable
from typing import Any

import mfusepy

from trainyard.agent.fastfile import Blocks, Reader, Tree
from trainyard.model.errors import ServiceError, Transient

_FOREVER = 10**6  # seconds for which the kernel may remember what never changes
_NS = 10**9


def serve(device: int, tree: Tree, blocks: Blocks, tell: Callable[[str], None]) -> None:
    """Answer a mounted device until it is unmounted. `tell` hears why bytes cannot be read.

    Raises RuntimeError where libfuse does not take the device.
    """
    mfusepy.FUSE(
        _Files(tree, blocks, tell), f"/dev/fd/{device}", foreground=True, kernel_cache=True, entry_timeout=_FOREVER,
        attr_timeout=_FOREVER, negative_timeout=_FOREVER,
    )  # fmt: skip


class _Files(mfusepy.Operations):  # type: ignore[misc, unused-ignore]
    """Folders and files that are there to be read."""

    use_ns = True

    def __init__(self, tree: Tree, blocks: Blocks, tell: Callable[[str], None]) -> None:
        self._tree, self._blocks, self._tell = tree, blocks, tell
        self._open: dict[int, Reader] = {}
        self._numbers = itertools.count(1)
        self._owner = {"st_uid": os.geteuid(), "st_gid": os.getegid()}

    def getattr(self, path: str, _fh: int | None = None) -> dict[str, Any]:
        """Kind, size and time."""
        known = path.strip("/")
        if known in self._tree.folders:
            return {"st_mode": stat.S_IFDIR | 0o555, "st_nlink": 2, **self._owner}
        info = self._tree.object(known)
        if info is None:
            raise mfusepy.FuseOSError(errno.ENOENT)
        modified = int(info.modified * _NS)
        times = dict.fromkeys(("st_mtime", "st_ctime", "st_atime"), modified)
        blocks = -(-info.size // 512)
        return {
            "st_mode": stat.S_IFREG | 0o444, "st_nlink": 1, "st_size": info.size, "st_blocks": blocks, **times,
            **self._owner,
        }  # fmt: skip

    def readdir(self, path: str, _fh: int) -> list[str]:
        """The names in a folder."""
        return [".", "..", *self._tree.folders[path.strip("/")]]

    def open(self, path: str, _flags: int) -> int:
        """A number for a reader."""
        info = self._tree.object(path.strip("/"))
        if info is None:
            raise mfusepy.FuseOSError(errno.ENOENT)
        number = next(self._numbers)
        self._open[number] = self._blocks.reader(info)
        return number

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Bytes; what cannot be read is an input/output error, and its reason is told."""
        try:
            return self._open[fh].read(size, offset)
        except (ServiceError, Transient) as error:
            self._tell(f"/opt/ml/input/data{path} could not be read: {error}")
            raise mfusepy.FuseOSError(errno.EIO) from error

    def release(self, _path: str, fh: int) -> int:
        """The file is closed."""
        self._open.pop(fh).close()
        return 0
