"""Where a program runs and who watches over it while its supervisor may die: a shim, or a container engine."""

from __future__ import annotations

import math
import os
import select
import signal
from contextlib import suppress
from typing import Any, Protocol

from trainyard.kit import atomic
from trainyard.runtimes.local import identity, shim
from trainyard.runtimes.local.attempt import Attempt

DYING = 10.0  # seconds that a killed program has to be gone


class Host(Protocol):
    """One host of an attempt. Everything may be asked again, by the next supervisor as well.

    who   : the identity of that which holds the program and its network here; empty where an engine does.
    pid   : the host's first process on this system; None where there is none, or it is not known.
    blind : why nothing is known of the program now; None while it is seen.
    rest  : seconds that it may be left alone at most.
    lost  : the reason, as a sentence without its full stop, where the program is gone without an exit code.
    """

    who: dict[str, Any]
    pid: int | None
    blind: str | None
    rest: float
    lost: str

    def lacks_image(self) -> bool | None:
        """Whether an image must be fetched before the program can be started; None where nobody can be asked now."""
        ...

    def take_image(self, image: str) -> None:
        """Start the program from this image, which was fetched for it."""
        ...

    def start(self) -> dict[str, Any] | None:
        """Start the program, once: {"notices": […]} or {"refused": sentence}; None where nobody can be asked now."""
        ...

    def attach(self) -> bool:
        """Begin to watch over a started program; False where it has ended."""
        ...

    def sources(self) -> list[Any]:
        """What is readable once there is something to do."""
        ...

    def is_over(self, ready: list[Any]) -> bool:
        """Do what there is to do; whether the program has ended and all of it is written down."""
        ...

    def terminate(self) -> None:
        """Ask the program to end."""
        ...

    def kill(self) -> None:
        """End it."""
        ...

    def end_now(self) -> None:
        """End it, started or not, watched over or not, and wait for that a moment."""
        ...

    def close(self) -> None:
        """Hold nothing any more."""
        ...


class ProcessHost:
    """A program below a shim."""

    def __init__(self, attempt: Attempt, order: dict[str, Any]) -> None:
        self._attempt, self._order = attempt, order
        self.who: dict[str, Any] = {}
        self._end: int | None = None
        self.pid: int | None = None
        self.blind: str | None = None
        self.rest = math.inf
        self.lost = "the first process of the host was killed"

    def lacks_image(self) -> bool | None:
        """A process has no image."""
        return False

    def take_image(self, image: str) -> None:
        """A process has no image."""
        raise NotImplementedError(image)

    def start(self) -> dict[str, Any] | None:
        """Fork a shim, unless there is one."""
        return shim.start(self._attempt, self._order)

    def attach(self) -> bool:
        """Wait for the shim's end from now on."""
        self.who = atomic.read_json(self._attempt.shim)
        self._end, self.pid = identity.awaited(self.who), self.who["pid"]
        if self._end is not None:
            shim.see_to_gateway(self._attempt, self._order, self.who)
        return self._end is not None

    def sources(self) -> list[Any]:
        """The shim's end."""
        return [self._end]

    def is_over(self, ready: list[Any]) -> bool:
        """The shim wrote down how the program ended before it went."""
        if self._end in ready:
            return True
        shim.see_to_gateway(self._attempt, self._order, self.who)
        return False

    def terminate(self) -> None:
        """SIGTERM, passed on by the shim."""
        identity.send(self.who, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, in the shim's words."""
        identity.send(self.who, signal.SIGUSR1)

    def end_now(self) -> None:
        """Kill the shim, and with it all that it holds."""
        who = atomic.read_json(self._attempt.shim)
        if identity.send(who, signal.SIGKILL):
            with suppress(ProcessLookupError):
                gone = os.pidfd_open(who["pid"])
                select.select([gone], [], [], DYING)
                os.close(gone)

    def close(self) -> None:
        """Forget the shim."""
        if self._end is not None:
            os.close(self._end)
            self._end = None


def host_of(attempt: Attempt, order: dict[str, Any]) -> Host:
    """The attempt's host, as its order says."""
    if not order.get("container"):
        return ProcessHost(attempt, order)
    from trainyard.runtimes.local.containers.host import ContainerHost  # noqa: PLC0415 - processes do not pay for it

    return ContainerHost(attempt, order)
