"""What a run reports of itself: milestones, notices and the outcome, rewritten whole at every step.

Only the living supervisor writes it; the engine reads it. Standard library only.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainyard.kit import atomic
from trainyard.kit.clock import SystemClock
from trainyard.runtimes.local import identity
from trainyard.runtimes.local.attempt import VERSION, Attempt


class Journal:
    """The journal of one attempt, as its supervisor holds it."""

    def __init__(self, attempt: Attempt, poke_socket: str, job_uid: str) -> None:
        self._attempt, self._poke_socket, self._job_uid = attempt, poke_socket, job_uid
        self._clock = SystemClock()
        found = atomic.read_json(attempt.journal)
        self._state: dict[str, Any] = found or {
            "version": VERSION, "boot": identity.boot_id(), "milestones": [], "notices": [], "outcome": None,
            "deadlines": {},
        }  # fmt: skip

    @property
    def boot(self) -> str:
        """The boot that the attempt began in."""
        return str(self._state["boot"])

    @property
    def outcome(self) -> dict[str, Any] | None:
        """How it ended, once it has."""
        outcome: dict[str, Any] | None = self._state["outcome"]
        return outcome

    def has(self, milestone: str) -> bool:
        """Whether a milestone was reached."""
        return any(name == milestone for name, _ in self._state["milestones"])

    def begin(self) -> None:
        """Note that the attempt is taken up, once. Neither hinted at nor durable: what follows at once is both."""
        if not self.has("preparing"):
            self._state["milestones"].append(["preparing", self._clock.now()])
            atomic.write_json(self._attempt.journal, self._state, durable=False)

    def reach(self, milestone: str, *, notices: Sequence[str] = (), **deadlines: float) -> None:
        """Note a milestone, once, with its time, what the user must know of it and the deadlines that it sets."""
        if not self.has(milestone):
            self._state["milestones"].append([milestone, self._clock.now()])
            self._state["notices"].extend(self._news(notices))
            for name, seconds in deadlines.items():
                self._state["deadlines"].setdefault(name, self._clock.boottime() + seconds)
            self._write()

    def notice(self, *sentences: str) -> None:
        """Note what the user must know."""
        news = self._news(sentences)
        if news:
            self._state["notices"].extend(news)
            self._write()

    def see(self, blind: str | None) -> None:
        """Note why nothing is known of the program now, or that it is seen; None for seen."""
        if self._state.get("blind") != blind:
            self._state["blind"] = blind
            self._write()

    def deadline(self, name: str, seconds: float) -> float:
        """The boot time at which `seconds` from the first asking are over: a new supervisor keeps the old deadline."""
        deadlines = self._state["deadlines"]
        if name not in deadlines:
            deadlines[name] = self._clock.boottime() + seconds
            self._write()
        return float(deadlines[name])

    def has_deadline(self, name: str) -> bool:
        """Whether a deadline was set before, by us or by the supervisor before us."""
        return name in self._state["deadlines"]

    def end(self, ending: str, **rest: Any) -> None:
        """Note the outcome. Nothing follows it."""
        self._state["outcome"] = {"ending": ending, "at": self._clock.now(), **rest}
        self._write()

    def _news(self, sentences: Sequence[str]) -> list[str]:
        return [sentence for sentence in sentences if sentence not in self._state["notices"]]

    def _write(self) -> None:
        atomic.write_json(self._attempt.journal, self._state)
        poke(self._poke_socket, self._job_uid)


def poke(path: str, job_uid: str) -> None:
    """Hint the leading engine that the job moved; nobody listening is fine."""
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        folder = os.open(Path(path).parent, os.O_PATH | os.O_DIRECTORY)
        try:
            sender.sendto(job_uid.encode(), f"/proc/self/fd/{folder}/{Path(path).name}")
        finally:
            os.close(folder)
