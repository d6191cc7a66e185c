"""Who leads after the last leader: a supervisor that finds the home's lead free starts the engine itself.

A kill -9 of the one command that leads leaves nobody behind who could. The lock that was found free is handed on to
the new engine, so that of a thousand supervisors that look at once one starts one. Standard library only.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Any


def see_to_leader(order: dict[str, Any]) -> None:
    """Start the engine that `order["engine"]` names where nobody leads: {"argv", "env", "lock", "log"}.

    What prevents it (a home that is gone, a full disk) is no matter of the attempt's: the next look tries again.
    """
    engine = order.get("engine")
    if not engine:
        return
    with suppress(OSError):
        lock = os.open(engine["lock"], os.O_RDWR | os.O_CLOEXEC)  # never made here: no lock, no home
        try:
            if take(lock):
                _start(engine, lock)
        finally:
            os.close(lock)


def take(lock: int) -> bool:
    """Take the lead if nobody has it; who only looks shares the lock for a moment and is no reason to give up."""
    while not _locked(lock, fcntl.LOCK_EX):
        if not _locked(lock, fcntl.LOCK_SH):
            return False
        fcntl.flock(lock, fcntl.LOCK_UN)
    return True


def _locked(lock: int, kind: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
        return True
    return False


def _start(engine: dict[str, Any], lock: int) -> None:
    from trainyard.kit import detached  # noqa: PLC0415 - hardly any supervisor comes here

    detached.spawn(engine["argv"], env=engine["env"], log=Path(engine["log"]), holding=lock)
