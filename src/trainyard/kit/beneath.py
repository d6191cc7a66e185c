"""Folders that others may have rewritten: opened part by part below one that is ours, so that no link leads out of it.

A path is a promise that the next look may break; a descriptor is not. Standard library only.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

DEEPEST = 200  # folders in folders that are walked: each holds a descriptor, and nobody's model is nested so
MOST_LINKS = 40  # followed on one way, as kernels do
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe in a file's place does not hold us


@contextmanager
def folder(root: Path, name: str) -> Iterator[int]:
    """The descriptor of the folder `name` below `root`. OSError where a part of `name` is missing, a link or a file."""
    descriptor = _descend(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), _parts(name))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def is_folder(root: str, name: str) -> bool:
    """Whether `name` below `root` is a folder that `folder` would open."""
    with suppress(OSError), folder(Path(root), name):
        return True
    return False


@contextmanager
def file(root: Path, name: str) -> Iterator[BinaryIO]:
    """The regular file `name` below `root`, for reading. OSError where it is anything else, or its way has a link."""
    parent, _, leaf = name.rpartition("/")
    with folder(root, parent) as descriptor, open(open_file(descriptor, leaf), "rb") as opened:
        yield opened


def open_file(parent: int, name: str) -> int:
    """The descriptor of a regular file in a folder; OSError for a link, a pipe, a device or a folder."""
    descriptor = os.open(name, _FILE, dir_fd=parent)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", name)
    return descriptor


def follow(root: int, name: str, *, seen_at: str) -> int:
    """The descriptor of the regular file that `name` is or leads to; OSError where its links leave the folder.

    seen_at: the absolute path that the folder had for the one who wrote the links.
    """
    way: list[str] = []
    left = _parts(name)[::-1]
    links = 0
    while left:
        part = left.pop()
        target = None if part == ".." else _link(root, way, part)
        if target is not None:
            links += 1
            way = [] if target.startswith("/") else way
            left += _parts(_inside(target, seen_at, links))[::-1]
        elif part != "..":
            way.append(part)
        elif way:
            way.pop()
        else:
            raise OSError(errno.EXDEV, "its link leads out of the folder")
    parent = _descend(os.dup(root), way[:-1])
    try:
        return open_file(parent, way[-1] if way else ".")
    finally:
        os.close(parent)


def _inside(target: str, seen_at: str, links: int) -> str:
    """Where a link leads, from where it lies or (absolute) from the folder's top."""
    if links > MOST_LINKS:
        raise OSError(errno.ELOOP, "its links never end")
    if not target.startswith("/"):
        return target
    if not target.startswith(f"{seen_at}/"):
        raise OSError(errno.EXDEV, "its link leads out of the folder")
    return target.removeprefix(seen_at)


class Entry(NamedTuple):
    """Something below a folder that is walked.

    path   : below that folder, with slashes.
    parent : the descriptor of the folder that it lies in; open until the next entry is asked for.
    fault  : why what lies in it is not walked; None where it is, and where it is no folder.
    """

    path: str
    parent: int
    name: str
    status: os.stat_result
    fault: str | None = None

    def open(self) -> int:
        """Its descriptor, if it is (still) a regular file."""
        return open_file(self.parent, self.name)

    def link(self) -> str:
        """Where it leads, if it is (still) a link."""
        return os.readlink(self.name, dir_fd=self.parent)


def walk(root: int) -> Iterator[Entry]:
    """Everything below a folder in order of names, parents first; links are told and not followed."""
    levels = [_Level("", os.dup(root))]
    try:
        while levels:
            level = levels[-1]
            name = next(level.names, None)
            if name is None:
                os.close(levels.pop().descriptor)
                continue
            with suppress(FileNotFoundError):
                status = os.stat(name, dir_fd=level.descriptor, follow_symlinks=False)
                path, deeper, fault = level.prefix + name, None, None
                if stat.S_ISDIR(status.st_mode):
                    deeper, fault = _deeper(level.descriptor, name, path, len(levels))
                yield Entry(path, level.descriptor, name, status, fault)
                if deeper is not None:
                    levels.append(deeper)
    finally:
        for level in levels:
            os.close(level.descriptor)


def is_empty(root: Path, name: str) -> bool:
    """Whether the folder `name` below `root` holds nothing, or is not there. What is no folder is not empty."""
    try:
        with folder(root, name) as descriptor, os.scandir(descriptor) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return True
    except OSError:
        return False


def remove(root: Path, name: str) -> None:
    """Remove `name` below `root` with all that it holds, however deep; never follows a link. What resists stays."""
    parent, _, leaf = name.rpartition("/")
    with suppress(OSError), folder(root, parent) as descriptor:
        _remove(descriptor, leaf)


class _Level:
    """One folder of a walk."""

    def __init__(self, prefix: str, descriptor: int) -> None:
        self.prefix, self.descriptor = prefix, descriptor
        try:
            self.names = iter(sorted(os.listdir(descriptor)))
        except OSError:
            os.close(descriptor)
            raise


def _deeper(parent: int, name: str, path: str, depth: int) -> tuple[_Level | None, str | None]:
    if depth >= DEEPEST:
        return None, f"lies more than {DEEPEST} folders deep"
    try:
        return _Level(f"{path}/", os.open(name, _FOLDER, dir_fd=parent)), None
    except OSError as error:
        return None, f"cannot be read ({error.strerror})"


def _remove(parent: int, leaf: str) -> None:
    """Empty a folder level by level: what lies deeper is first moved up, so that depth costs no descriptors."""
    if _unlinked(parent, leaf):
        return
    top = _opened_up(parent, leaf)
    try:
        while sum(_thinned(top, name) for name in os.listdir(top)):
            pass
    finally:
        os.close(top)
    os.rmdir(leaf, dir_fd=parent)


def _thinned(top: int, name: str) -> int:
    """Remove what is at hand of an entry of `top`, and move its own folders into `top`; returns how much changed."""
    changed = 0
    with suppress(OSError):
        if _unlinked(top, name):
            return 1
        inner = _opened_up(top, name)
        try:
            for one in os.listdir(inner):
                with suppress(OSError):
                    if not _unlinked(inner, one):
                        os.close(_opened_up(inner, one))
                        os.rename(one, f".removed-{os.urandom(8).hex()}", src_dir_fd=inner, dst_dir_fd=top)
                    changed += 1
        finally:
            os.close(inner)
        os.rmdir(name, dir_fd=top)
        changed += 1
    return changed


def _unlinked(parent: int, name: str) -> bool:
    """Remove what is no folder."""
    try:
        os.unlink(name, dir_fd=parent)
    except (IsADirectoryError, PermissionError):
        return False
    return True


def _opened_up(parent: int, name: str) -> int:
    """The descriptor of a folder that its writer may have closed to everybody, himself included."""
    marker = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{marker}", 0o700)
        return os.open(".", _FOLDER, dir_fd=marker)
    finally:
        os.close(marker)


def _descend(descriptor: int, parts: list[str]) -> int:
    """The descriptor of the folder below; takes the one it is given."""
    for part in parts:
        try:
            deeper = os.open(part, _FOLDER, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = deeper
    return descriptor


def _link(root: int, way: list[str], part: str) -> str | None:
    parent = _descend(os.dup(root), way)
    try:
        return os.readlink(part, dir_fd=parent)
    except OSError as error:
        if error.errno != errno.EINVAL:  # EINVAL: it is no link
            raise
        return None
    finally:
        os.close(parent)


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]
