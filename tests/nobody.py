"""Running a command as an ordinary user: root steps down to `nobody`, everybody else is one already.

Where the interpreter or this repository lies in a folder that is root's alone (`/root`), the way to it is opened in a
private mount namespace, so that nothing of the machine changes. `python nobody.py COMMAND…` is that command.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainyard.runtimes.local import namespaces

UID = 65534
ROOT = Path(__file__).parents[1]


@contextmanager
def ordinary_folder() -> Iterator[Path]:
    """A folder that the ordinary user owns and can reach; what it holds may be gone before it is."""
    with tempfile.TemporaryDirectory(prefix="trainyard-nobody-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        if os.geteuid() == 0:
            os.chown(folder, UID, UID)
        yield Path(folder)


def as_nobody(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end as an ordinary user, with few variables."""
    env = {"PATH": os.environ["PATH"], "NO_COLOR": "1", **variables}
    argv = [sys.executable, "-P", __file__, *command] if os.geteuid() == 0 else list(command)
    return subprocess.run(argv, env=env, cwd="/", capture_output=True, text=True, timeout=60, check=False)


def _step_down(wanted: list[Path]) -> None:
    libc = namespaces._LIBC
    if libc.unshare(namespaces.NEWNS) != 0 or not namespaces._mount("none", "/", None, 16384 | 1 << 18):
        sys.exit("a private mount namespace cannot be had")
    for folder in sorted({folder for path in wanted for folder in path.parents}, key=lambda one: len(one.parts)):
        if not folder.stat().st_mode & 1:
            _open(folder, {folder / path.relative_to(folder).parts[0] for path in wanted if folder in path.parents})
    os.setgroups([])
    os.setgid(UID)
    os.setuid(UID)


def _open(folder: Path, children: set[Path]) -> None:
    """Put a folder that all may enter in its place, which holds but those that lead on."""
    descriptors = {child: os.open(child, os.O_PATH) for child in children}
    assert namespaces._mount("tmpfs", str(folder), "tmpfs", 0, "mode=755")
    for child, descriptor in descriptors.items():
        child.mkdir()
        assert namespaces._mount(f"/proc/self/fd/{descriptor}", str(child), None, 4096 | 16384)
        os.close(descriptor)


if __name__ == "__main__":
    _step_down([Path(sys.executable).resolve(), Path(sys.prefix), ROOT / "src"])
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - it becomes the command
