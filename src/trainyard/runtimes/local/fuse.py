"""Mounting a FUSE file system inside a job's private view, and handing its device to the helper that serves it.

Standard library only. `python -I -S fuse.py PACKAGE_ROOT` tries whether this system gives such a mount: exit status 0.
"""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])  # before our own imports: no site, no environment is trusted to find us

from trainyard.runtimes.local import namespaces

_SOCKET = "mounts.sock"
_HIDDEN = "/opt/.trainyard-channels"  # where the whole mount is for a moment; its folders are bound to their places
_READ_AHEAD = 1 << 20  # bytes
_PATIENCE = 30.0  # seconds for a helper to take a device, and for a trial


@cache
def missing() -> str | None:
    """Why there is no FastFile on this machine, as a clause; None where there is."""
    if importlib.util.find_spec("mfusepy") is None:
        return "mfusepy is not installed (pip install 'trainyard[fuse]')"
    if ctypes.util.find_library("fuse3") is None:
        return "libfuse 3 is not installed (Debian: apt-get install libfuse3-3)"
    argv = [sys.executable, "-I", "-S", __file__, str(Path(__file__).parents[3])]
    with suppress(OSError, subprocess.TimeoutExpired):
        tried = subprocess.run(argv, capture_output=True, text=True, timeout=_PATIENCE, check=False)
        return None if tried.returncode == 0 else tried.stderr.strip().rpartition("\n")[2]
    return "the trial of a mount did not end"


def show(attempt: Path, channels: list[str]) -> None:
    """In a fork with a private view: mount, hand the device to the helper, and put each channel in its place.

    Raises OSError with the reason.
    """
    device = mount(_HIDDEN)
    try:
        with _connected(attempt) as helper:
            socket.send_fds(helper, [b"device"], [device])
            if helper.recv(1) != b"+":
                raise OSError(0, "the helper that serves it went")
    finally:
        os.close(device)  # one who holds it beside the helper would keep reads waiting after its death
    _read_ahead(_HIDDEN)
    for channel in channels:
        target = f"/opt/ml/input/data/{channel}"
        os.makedirs(target, exist_ok=True)
        folder = os.open(f"{_HIDDEN}/{channel}", os.O_PATH | os.O_DIRECTORY)
        namespaces.bind(folder, target, read_only=False)  # the mount is read-only itself
        os.close(folder)
    namespaces.unmount(_HIDDEN)
    os.rmdir(_HIDDEN)


def _read_ahead(mounted: str) -> None:
    """Have the kernel ask for more at once where this user may say so; it is only faster."""
    device = os.stat(mounted).st_dev
    with suppress(OSError), open(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb", "w") as file:
        file.write(str(_READ_AHEAD >> 10))


def mount(target: str) -> int:
    """Mount a read-only FUSE file system; returns its device, which somebody has to answer. Raises OSError."""
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    os.makedirs(target, exist_ok=True)
    try:
        namespaces.mount_fuse(device, target)
    except OSError:
        os.close(device)
        raise
    return device


@contextmanager
def listener(attempt: Path) -> Iterator[socket.socket]:
    """Where `show` finds the helper."""
    with _socket_folder(attempt) as folder, socket.socket(socket.AF_UNIX) as listening:
        with suppress(FileNotFoundError):
            os.unlink(f"{folder}/{_SOCKET}")
        listening.bind(f"{folder}/{_SOCKET}")
        listening.listen(1)
        yield listening


def taken(listening: socket.socket) -> int:
    """The device that `show` hands over; waits for it."""
    while True:
        caller, _ = listening.accept()
        with caller:
            _, devices, _, _ = socket.recv_fds(caller, 64, 1)
            if devices:
                caller.send(b"+")
                return devices[0]


@contextmanager
def _connected(attempt: Path) -> Iterator[socket.socket]:
    with _socket_folder(attempt) as folder, socket.socket(socket.AF_UNIX) as helper:
        helper.settimeout(_PATIENCE)
        helper.connect(f"{folder}/{_SOCKET}")
        yield helper


@contextmanager
def _socket_folder(attempt: Path) -> Iterator[str]:
    """The attempt's folder by a name that is short enough for a socket."""
    descriptor = os.open(attempt, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _try() -> None:
    """Mount in a private view of our own, which goes with us."""
    try:
        namespaces.private_view()
        os.close(mount("/opt/ml-trial"))
    except OSError as error:
        sys.exit(f"this system gives no FUSE mount: {error.strerror}")


if __name__ == "__main__":
    _try()
