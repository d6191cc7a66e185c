"""What a container of another user's engine left below /opt/ml, made ours: nothing of root's stays in a user's home.

An engine that runs as root writes as root. It is asked to hand each folder over, which it does when a folder of that
name is copied to where one is; what lies in a folder of ours we may remove, whoever wrote it. A file that we may not
even read is copied out and put in its own place.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from trainyard.runtimes.local.containers.engine import Engine
from trainyard.runtimes.local.containers.wire import Stream

DEEPEST = 200  # folders in folders that are opened one after the other
SILENCE = 60.0  # seconds without a byte of a file
_SEEN_AT = "/opt/ml"


class Owner(NamedTuple):
    """A user: as this system numbers him, and as the engine does, whose own users may begin elsewhere."""

    uid: int
    inner_uid: int
    inner_gid: int


def owner(engine: Engine) -> Owner:
    """Us. In an engine of our own (rootless) root is who we are."""
    uid = os.geteuid()
    return Owner(uid, 0, 0) if engine.runs_as() == uid else Owner(uid, uid, os.getegid())


def take_over(engine: Engine, container: str, ml: Path, us: Owner) -> None:
    """Make all that lies below `ml` ours to read and to remove. Raises EngineUnreachable, EngineRefused, OSError."""
    for _ in range(DEEPEST):
        foreign = [
            (name, found) for name, found in _walked(ml) if stat.S_ISDIR(found.st_mode) and found.st_uid != us.uid
        ]
        if not foreign:
            break
        engine.put(container, _SEEN_AT, _folders(foreign, us))
    for name, found in list(_walked(ml)):
        if stat.S_ISREG(found.st_mode) and found.st_uid != us.uid and not os.access(ml / name, os.R_OK):
            with closing(engine.archive(container, f"{_SEEN_AT}/{name}")) as stream:
                _replace(ml / name, found, stream)


def _walked(ml: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Names below `ml` as far as it can be entered, parents first; links are not followed."""
    for folder, folders, files in os.walk(ml):
        for name in (*folders, *files):
            path = Path(folder) / name
            yield path.relative_to(ml).as_posix(), path.lstat()


def _folders(found: list[tuple[str, os.stat_result]], us: Owner) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, status in found:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, stat.S_IMODE(status.st_mode) | 0o700, status.st_mtime
            entry.uid, entry.gid = us.inner_uid, us.inner_gid
            tar.addfile(entry)
    return packed.getvalue()


def _replace(path: Path, found: os.stat_result, stream: Stream) -> None:
    temporary = path.with_name(f".{os.urandom(8).hex()}.taken-over")
    with tarfile.open(fileobj=_Reader(stream), mode="r|") as tar, temporary.open("xb") as file:
        entry = tar.next()
        content = tar.extractfile(entry) if entry is not None else None
        while content is not None and (piece := content.read(1 << 20)):
            file.write(piece)
    os.chmod(temporary, stat.S_IMODE(found.st_mode) | 0o400)
    os.utime(temporary, ns=(found.st_atime_ns, found.st_mtime_ns))
    os.replace(temporary, path)


class _Reader(io.RawIOBase):
    """A stream as tarfile reads it."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream, self._rest, self._ended = stream, b"", False

    def read(self, size: int = -1) -> bytes:
        while not self._ended and (size < 0 or len(self._rest) < size):
            piece = self._stream.wait(SILENCE)
            self._ended = not piece
            self._rest += piece
        size = len(self._rest) if size < 0 else size
        told, self._rest = self._rest[:size], self._rest[size:]
        return told
