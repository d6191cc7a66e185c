"""Starting supervisors: by a launcher that forks them, directly where it cannot be had. Both harmless when repeated."""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

from trainyard.kit import detached
from trainyard.runtimes.local import launcher, supervisor
from trainyard.runtimes.local.attempt import Attempt

ANSWER_WITHIN = 5.0  # seconds; a launcher that is slower is given up
PACKAGE_ROOT = str(Path(__file__).parents[3])
PASSED_ON = ("TRAINYARD_CRASHPOINT", "TRAINYARD_BOOT_ID", "PATH", "LD_LIBRARY_PATH")


class Starter:
    """Starts supervisors of the attempts below a folder, from any thread. Close it: its launcher goes then."""

    def __init__(self, attempts: Path) -> None:
        self._attempts = attempts
        self._turn = threading.Lock()
        self._asking: socket.socket | None = None
        self._closed = False

    def prepare(self) -> None:
        """Have a launcher come up, for somebody who will start a supervisor in a moment."""
        with self._turn, suppress(OSError):  # without one supervisors are started directly
            self._launcher()

    def start(self, attempt: Attempt) -> None:
        """Start an attempt's supervisor, unless it has one. Raises OSError where none can be started."""
        with self._turn:
            number = self._asked(attempt)
        if number is None:
            argv = [_interpreter(), "-I", "-S", supervisor.__file__, str(attempt.folder), PACKAGE_ROOT]
            detached.spawn(argv, env=_variables(), log=attempt.supervisor_log)
        elif number:
            raise OSError(number, os.strerror(number))

    def close(self) -> None:
        """Let the launcher go. Supervisors stay."""
        with self._turn:
            self._closed = True
            self._give_up()

    def _asked(self, attempt: Attempt) -> int | None:
        """What the launcher answers, an errno; None where there is no launcher that answers."""
        try:
            asking = self._launcher()
            asking.send(str(attempt.folder.relative_to(self._attempts)).encode())
            return int(asking.recv(launcher.LONGEST_MESSAGE))
        except (OSError, ValueError):  # killed, stuck, idle for long, or never started
            self._give_up()
            return None

    def _launcher(self) -> socket.socket:
        if self._closed:
            raise OSError(errno.ESHUTDOWN, os.strerror(errno.ESHUTDOWN))
        if self._asking is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.settimeout(ANSWER_WITHIN)
            self._asking = ours
            argv = [_interpreter(), "-I", "-S", launcher.__file__, PACKAGE_ROOT, str(self._attempts)]
            with theirs:
                log = self._attempts.parent / "launcher.log"
                detached.spawn(argv, env=_variables(), log=log, holding=theirs.fileno())
        return self._asking

    def _give_up(self) -> None:
        if self._asking is not None:
            self._asking.close()
            self._asking = None


def _variables() -> dict[str, str]:
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def _interpreter() -> str:
    """The interpreter itself, not a virtual environment's link to it: `-S` needs no site."""
    return os.path.realpath(sys.executable)
