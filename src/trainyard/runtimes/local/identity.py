"""Which process is meant: a pid alone may be somebody else's by now. Standard library only."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

_STAT = 4096  # bytes of a process's line of figures, and more
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Changes with every boot of the machine. TRAINYARD_BOOT_ID stands in for it in rehearsals of a reboot."""
    return os.environ.get("TRAINYARD_BOOT_ID") or _kernels_boot_id()


@cache
def _kernels_boot_id() -> str:
    return BOOT_ID.read_text().strip()


def start_time(pid: int) -> int | None:
    """Clock ticks from boot to the start of a process; None where there is none, or only its remains."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            stat = file.read(_STAT)
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def identify(pid: int) -> dict[str, Any]:
    """What names a living process for good."""
    return {"boot": boot_id(), "pid": pid, "start": start_time(pid)}


def is_alive(identity: dict[str, Any] | None) -> bool:
    """Whether that very process lives."""
    if identity is None or identity["boot"] != boot_id() or identity["start"] is None:
        return False
    return bool(start_time(identity["pid"]) == identity["start"])


def awaited(identity: dict[str, Any] | None) -> int | None:
    """A descriptor that is readable once that very process is gone; None if it is gone already. Close it."""
    if identity is None:
        return None
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(identity["pid"])
        if is_alive(identity):
            return descriptor
        os.close(descriptor)
    return None


def send(identity: dict[str, Any] | None, number: signal.Signals) -> bool:
    """Signal that very process and no other; False if it is gone."""
    if identity is None:
        return False
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(identity["pid"])
        try:
            if is_alive(identity):
                signal.pidfd_send_signal(descriptor, number)
                return True
        finally:
            os.close(descriptor)
    return False
