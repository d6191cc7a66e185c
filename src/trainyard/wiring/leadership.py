"""Who leads: one engine at a time per home, by a lock that the kernel frees when its holder dies.

Here too: the hints that commands and supervisors send to the leader.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

from trainyard.runtimes.local import heir
from trainyard.runtimes.local.journal import poke
from trainyard.wiring.home import Home

BEAT = 1.0  # seconds between signs of life
_TAKEOVER = 0.2  # seconds between tries to lead
_TOGETHER = 64  # hints in one datagram
_LONGEST_HINT = 4096  # bytes of one datagram


class Leadership:
    """The home's lock, held or not. `lock`: its descriptor, while we lead."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.lock: int | None = None

    @property
    def held(self) -> bool:
        """Whether we lead."""
        return self.lock is not None

    def try_lead(self) -> bool:
        """Lead if nobody does; who only looks (`is_led`) shares the lock for a moment and is no reason to give up."""
        if self.lock is None:
            lock = os.open(self._home.leader_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if not heir.take(lock):
                os.close(lock)
                return False
            self.lock = lock
        return True

    def inherit(self, lock: int) -> None:
        """Lead by the lock that whoever started us took and handed on."""
        os.set_inheritable(lock, False)
        self.lock = lock

    async def lead(self) -> None:
        """Lead as soon as nobody else does."""
        while not self.try_lead():
            await asyncio.sleep(_TAKEOVER)

    async def beat(self) -> None:
        """Show for ever that we live."""
        while True:
            self._home.leader_beat.touch()
            await asyncio.sleep(BEAT)

    def leave(self) -> None:
        """Lead no more."""
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


def is_led(home: Home) -> bool:
    """Whether anybody leads now."""
    with suppress(FileNotFoundError):
        lock = os.open(home.leader_lock, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
    return False


def staleness(home: Home, now: float) -> float | None:
    """Seconds since a leader last showed life; None while one leads."""
    if is_led(home):
        return None
    try:
        return max(0.0, now - home.leader_beat.stat().st_mtime)
    except FileNotFoundError:
        return None


class Hinting:
    """Pokes the leader about jobs that moved. Those of one moment go together: sending is what costs."""

    def __init__(self, home: Home) -> None:
        self._socket = str(home.poke_socket)
        self._moved: list[str] = []

    def tell(self, job_uid: str) -> None:
        """Hint at a job as soon as the running loop has a moment."""
        if not self._moved:
            asyncio.get_running_loop().call_soon(self._send)
        self._moved.append(job_uid)

    def _send(self) -> None:
        moved, self._moved = self._moved, []
        for first in range(0, len(moved), _TOGETHER):
            poke(self._socket, " ".join(moved[first : first + _TOGETHER]))


async def hints(home: Home) -> AsyncIterator[str]:
    """Job uids that supervisors and commands poke us about; the last leader's socket is replaced."""
    loop = asyncio.get_running_loop()
    folder = os.open(home.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        home.poke_socket.unlink(missing_ok=True)
        listener.bind(f"/proc/self/fd/{folder}/{home.poke_socket.name}")  # a home's path may be longer than 108 bytes
        while True:
            for job_uid in (await loop.sock_recv(listener, _LONGEST_HINT)).decode("ascii", "replace").split():
                yield job_uid
    finally:
        listener.close()
        os.close(folder)
