"""Helper processes of a supervisor: transfers with imports and credentials of their own. Standard library only."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from trainyard.kit import atomic
from trainyard.kit.clock import SystemClock
from trainyard.runtimes.local import namespaces
from trainyard.runtimes.local.attempt import Attempt

if TYPE_CHECKING:
    import subprocess

AGAIN_AFTER = 5.0  # seconds between two starts of a companion
ENDING = 10.0  # seconds that a companion has to end its work


def spawn(attempt: Attempt, order: dict[str, Any], argv: list[str]) -> subprocess.Popen[bytes]:
    """Start a helper that ends with its supervisor."""
    import subprocess  # noqa: PLC0415 - a job without inputs and outputs does not pay for it

    with (attempt.folder / "helper.log").open("ab") as log:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=order["helper_env"],
            preexec_fn=_begin,  # noqa: PLW1509 - single-threaded
        )  # fmt: skip


def _begin() -> None:
    """In the helper: it ends with its supervisor, and by SIGTERM, which the supervisor itself ignores."""
    namespaces.die_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


class Companion:
    """The helper that uploads while the program runs, for a job that has such folders."""

    def __init__(self, attempt: Attempt, order: dict[str, Any]) -> None:
        self._attempt, self._order = attempt, order
        self._argv: list[str] = order.get("sync_argv", [])
        self._clock = SystemClock()
        self._process: subprocess.Popen[bytes] | None = None
        self._not_before = 0.0

    def see_to(self) -> str | None:
        """Start it, and again when it went; what it has to tell, if anything."""
        if not self._argv:
            return None
        now = self._clock.boottime()
        if (self._process is None or self._process.poll() is not None) and now >= self._not_before:
            self._not_before = now + AGAIN_AFTER
            self._process = spawn(self._attempt, self._order, self._argv)
        trouble: str | None = atomic.read_json(self._attempt.folder / "sync-trouble.json")
        return trouble

    def end(self) -> None:
        """Let it end its work, for a while."""
        if self._process is None:
            return
        import subprocess  # noqa: PLC0415 - it is loaded by now

        self._process.terminate()
        try:
            self._process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
