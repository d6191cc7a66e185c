"""Hearing from the kernel that a file was written to, by whoever: Linux's inotify."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

_MODIFIED_ONCE = 0x80000002  # IN_MODIFY | IN_ONESHOT of <sys/inotify.h>
_READ_AT_ONCE = 4096  # bytes; an event takes 16


def opened() -> int | None:
    """A descriptor to listen at; None where the system offers none."""
    try:
        descriptor: int = ctypes.CDLL(None).inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, AttributeError):  # no Linux
        return None
    return None if descriptor < 0 else descriptor  # a user may have so many of them


def listen(descriptor: int, path: Path) -> bool:
    """Have the descriptor become readable with the next write to the file, once. False where there is no file."""
    watch: int = ctypes.CDLL(None).inotify_add_watch(descriptor, os.fsencode(path), ctypes.c_uint32(_MODIFIED_ONCE))
    return watch >= 0


def drain(descriptor: int) -> None:
    """Take in all that was told so far."""
    with suppress(BlockingIOError):
        while os.read(descriptor, _READ_AT_ONCE):
            pass
