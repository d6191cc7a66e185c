"""Whole copies of files that others may be writing. Standard library only.

A file is still while nobody has it open for writing, which the kernel tells whoever asks for a read lease on it, and
while it looks the same before and after it was read. Where leases are not to be had (a file of another user, file
systems without them) its looks alone decide.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from pathlib import Path
from typing import NamedTuple

SETTLED = (
    0.05  # seconds that a file's times are in the past: within one tick of the kernel's clock two writes look alike
)
_PIECE = 1 << 30
_NO_SHARING = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class Looks(NamedTuple):
    """What tells one content of a file from another: size in bytes, time of the last change, and which file it is.

    The change is the inode's (ctime), which a program cannot set back.
    """

    size: int
    changed_ns: int
    inode: int


def looks(descriptor: int) -> Looks:
    """How an open file looks now."""
    status = os.fstat(descriptor)
    return Looks(status.st_size, status.st_ctime_ns, status.st_ino)


def is_written_to(descriptor: int) -> bool:
    """Whether somebody has the file open for writing, as far as the kernel tells."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno in (errno.EAGAIN, errno.EWOULDBLOCK)
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def copied(descriptor: int, target: Path) -> Looks:
    """Copy an open file to `target` as it is, up to the length that it has now; tells what it looked like.

    Blocks are shared where the file system can. Raises OSError, and leaves no copy then.
    """
    found = looks(descriptor)
    try:
        with target.open("wb", buffering=0) as copy:
            _copy(descriptor, copy.fileno(), found.size)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return found


def copied_if_still(descriptor: int, target: Path, *, now: float) -> Looks | None:
    """Copy an open file to `target`, unless it is being written: None then, and no copy.

    `now` is wall-clock time in epoch seconds. Raises OSError.
    """
    if now - looks(descriptor).changed_ns / 1e9 < SETTLED or is_written_to(descriptor):
        return None
    found = copied(descriptor, target)
    if looks(descriptor) == found and not is_written_to(descriptor):
        return found
    target.unlink(missing_ok=True)
    return None


def _copy(source: int, target: int, size: int) -> None:
    os.lseek(source, 0, os.SEEK_SET)
    try:
        while size > 0 and (copied_now := os.copy_file_range(source, target, min(size, _PIECE))):
            size -= copied_now
    except OSError as error:
        if error.errno not in _NO_SHARING:
            raise
        with os.fdopen(os.dup(source), "rb", buffering=0) as reading, os.fdopen(os.dup(target), "wb") as writing:
            shutil.copyfileobj(reading, writing, 1 << 20)
