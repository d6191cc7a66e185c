"""Starts supervisors by fork: one process has imported all that they need, so that none of them pays for it again.

Started on demand as `python -I -S launcher.py PACKAGE_ROOT ATTEMPTS`; its descriptor `detached.HELD` is a socket. It
holds nothing: a supervisor is a session of its own and does not notice when the launcher goes. It goes with the process
that started it, or when it was idle for long. Each message names an attempt's folder below ATTEMPTS; the answer is 0,
or the errno of what prevented the start. Standard library only, and single-threaded: it forks.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])  # before our own imports: no site, no environment is trusted to find us

import subprocess  # noqa: F401 - for those that run helpers, which are most; few have peers, and they import more

from trainyard.kit import detached
from trainyard.runtimes.local import descriptors, supervisor
from trainyard.runtimes.local.attempt import Attempt

IDLE = 600.0  # seconds
LONGEST_MESSAGE = 4096  # bytes


def serve(attempts: Path) -> None:
    """Start what is asked for, until nobody can ask any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those who end leave no remains
    gc.collect()
    gc.freeze()  # pages that no collection writes to stay shared with every fork
    asked = socket.socket(fileno=detached.HELD)
    asked.settimeout(IDLE)
    while name := _next(asked):
        number = _start(Attempt(attempts / name.decode()))
        with suppress(OSError):  # whoever asked is gone, and the next look at the socket tells so
            asked.send(str(number).encode())


def _next(asked: socket.socket) -> bytes:
    """The next attempt's name; empty once there will be none."""
    try:
        return asked.recv(LONGEST_MESSAGE)
    except OSError:  # idle for long, or whoever asked is gone
        return b""


def _start(attempt: Attempt) -> int:
    """Fork a supervisor, unless the attempt has one. Its lock is taken before, so that asking twice is asking once."""
    held: list[int] = []
    try:
        lock = supervisor.claim(attempt)
        if lock is None:
            return 0
        held.append(lock)
        held.append(os.open(attempt.supervisor_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
        if os.fork() == 0:
            _become(attempt, *held)
    except OSError as error:
        return error.errno or 1
    finally:
        for descriptor in held:
            os.close(descriptor)
    return 0


def _become(attempt: Attempt, lock: int, log: int) -> NoReturn:
    """Be the attempt's supervisor: nothing is left of the launcher but what it imported."""
    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(log, 1)
        os.dup2(log, 2)
        descriptors.close_all_but(lock)
        supervisor.supervise(attempt)
        status = 0
    except BaseException:  # noqa: BLE001 - the end of the process, told in its log
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


if __name__ == "__main__":
    serve(Path(sys.argv[2]))
