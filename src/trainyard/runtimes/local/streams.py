"""Helpers beside a running program, which feed its pipes and its mounts. Standard library only.

They outlive the supervisor and are found again by the next one. A helper that was killed is started again, unless the
program may have read an end that was none: then the attempt is lost, whatever the program makes of it.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from trainyard.kit import atomic
from trainyard.runtimes.local import identity
from trainyard.runtimes.local.attempt import Attempt

RESTARTS = 3
DYING = 10.0  # seconds that a killed helper has to be gone


class Streams:
    """The helpers that the order names: {"streams": {name: argv}}."""

    def __init__(self, attempt: Attempt, order: Mapping[str, Any]) -> None:
        commands = order.get("streams", {})
        self._all = [_Helper(attempt, order, name, argv) for name, argv in commands.items()]

    def are_ready(self) -> bool:
        """Start those that do not live; whether all give what the program needs, or tell why they cannot."""
        ready = [helper.is_ready() for helper in self._all]
        return all(ready)

    def verdict(self) -> dict[str, Any] | None:
        """Why the program cannot go on: {"fault", "detail"} or {"lost"}; None where it can."""
        return next((found for one in self._all if (found := one.verdict())), None)

    def see_to(self) -> dict[str, Any] | None:
        """Start again what may be; then the verdict."""
        for helper in self._all:
            helper.see_to()
        return self.verdict()

    def notices(self) -> list[str]:
        """What they have to say to the user."""
        return [sentence for helper in self._all for sentence in helper.notices()]

    def end(self) -> None:
        """The program has ended: note how that went for each, and leave no helper behind."""
        for helper in self._all:
            helper.end()


class _Helper:
    """One helper."""

    def __init__(self, attempt: Attempt, order: Mapping[str, Any], name: str, argv: list[str]) -> None:
        self._attempt, self._order, self._name, self._argv = attempt, order, name, argv
        self._child: Any = None
        self._started = 0

    def is_ready(self) -> bool:
        """Whether it lives and has all prepared, or has told why it cannot; it is started if it does not live."""
        self.see_to()
        return self._is_alive() or self.verdict() is not None

    def see_to(self) -> None:
        """Start it if it is gone and that is harmless; note it as lost if it is not."""
        if self._is_concluded() or self._is_alive() or self._is_starting():
            return
        task, is_missed = _TASKS[self._name]
        if is_missed(self._attempt):
            self._conclude(lost=f"the helper that {task} was killed while the program read")
        elif self._started > RESTARTS:
            log = self._attempt.folder / f"{self._name}.log"
            self._conclude(lost=f"the helper that {task} ended {self._started} times; see {log}")
        else:
            self._start()

    def verdict(self) -> dict[str, Any] | None:
        """Why the program cannot go on."""
        return atomic.read_json(self._attempt.stream_result(self._name)) or None

    def notices(self) -> list[str]:
        """What it has to say to the user."""
        return list(atomic.read_json(self._attempt.stream_notices(self._name)) or [])

    def end(self) -> None:
        """Note that it is not needed any more, or that it was lost before that; then kill it."""
        if not self._is_concluded():
            self.see_to() if not self._is_alive() and _TASKS[self._name][1](self._attempt) else self._conclude()
        if self._is_starting():
            self._child.kill()
        kill(self._attempt, self._name)

    def _is_concluded(self) -> bool:
        return self._attempt.stream_result(self._name).exists()

    def _conclude(self, **verdict: str) -> None:
        atomic.write_json(self._attempt.stream_result(self._name), verdict)

    def _is_alive(self) -> bool:
        return identity.is_alive(atomic.read_json(self._attempt.stream(self._name)))

    def _is_starting(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def _start(self) -> None:
        import subprocess  # noqa: PLC0415 - a job without streams does not pay for it

        self._started += 1
        with (self._attempt.folder / f"{self._name}.log").open("ab") as log:
            self._child = subprocess.Popen(
                self._argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=self._order["helper_env"],
                start_new_session=True,
            )  # fmt: skip


def kill(attempt: Attempt, name: str) -> None:
    """Kill a helper, and wait a moment until it is gone."""
    who = atomic.read_json(attempt.stream(name))
    if identity.send(who, signal.SIGKILL):
        with suppress(ProcessLookupError):
            gone = os.pidfd_open(who["pid"])
            select.select([gone], [], [], DYING)
            os.close(gone)


def names() -> tuple[str, ...]:
    """All helpers that there may be."""
    return tuple(_TASKS)


def _was_read(attempt: Attempt) -> bool:
    """Whether some pipe was in the middle of an epoch."""
    return any(int(reached.read_bytes() or b"0") % 2 for reached in attempt.listings.glob("*.pipe"))


def _was_mounted(attempt: Attempt) -> bool:
    """Whether the program has the mount, whose files are gone with the one who served them."""
    return attempt.shim.exists()


_TASKS = {
    "pipes": ("feeds the job's pipes", _was_read),
    "mounts": ("serves the job's FastFile channels", _was_mounted),
}
