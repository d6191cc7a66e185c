"""Processes that outlive the one that starts them: a session of their own, nothing open but their log."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

HELD = 3  # the descriptor that is handed on
_OURS = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)  # deaf or not, we do not hand it on
_STARTED: set[int] = set()


def spawn(argv: Sequence[str], *, env: Mapping[str, str], log: Path, holding: int | None = None) -> None:
    """Start `argv[0]` (a path) detached, its output appended to `log`. Raises OSError if it cannot be started.

    holding: a descriptor that the process gets as number HELD, with the locks that hang on it.
    """
    _reap()
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    if holding is not None:
        actions.append((os.POSIX_SPAWN_DUP2, holding, HELD))
    _STARTED.add(
        os.posix_spawn(
            argv[0], list(argv), dict(env), file_actions=actions, setsid=True, setsigmask=(), setsigdef=_OURS
        )
    )


def _reap() -> None:
    """Leave no remains of those that ended while we live; when we end, the system takes the rest."""
    for pid in list(_STARTED):
        ended = True
        with suppress(ChildProcessError):
            ended = os.waitpid(pid, os.WNOHANG)[0] != 0
        if ended:
            _STARTED.discard(pid)
