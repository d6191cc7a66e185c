"""Hearing from the kernel that a file was written to, by whoever: Linux's inotify."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

_MODIFIED = 0x00000002  # IN_MODIFY of <sys/inotify.h>
_READ_AT_ONCE = 16 * 1024  # bytes; an event takes 16, and the same one twice in a row is told once


def watching(path: Path) -> int | None:
    """A descriptor that becomes readable with every write to the file; None where the system offers none."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor: int = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, AttributeError):  # no Linux
        return None
    if descriptor < 0:  # a user may have so many of them
        return None
    if libc.inotify_add_watch(descriptor, os.fsencode(path), _MODIFIED) < 0:
        os.close(descriptor)
        return None
    return descriptor


def drain(descriptor: int) -> None:
    """Take in all that was told so far."""
    with suppress(BlockingIOError):
        while os.read(descriptor, _READ_AT_ONCE):
            pass
