"""One host of a job as a container: the engine starts the program, keeps its output and its exit code.

Nothing of ours is in it, so any image runs. What the shim is to a process, the engine is here: it outlives the
supervisor, and whoever follows finds the container by its name and knows it by its token. Standard library only.
"""

from __future__ import annotations

import os
import select
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainyard.kit import atomic
from trainyard.kit.clock import SystemClock
from trainyard.kit.crashpoint import crashpoint
from trainyard.runtimes.local.attempt import Attempt
from trainyard.runtimes.local.containers import output
from trainyard.runtimes.local.containers.engine import Engine
from trainyard.runtimes.local.containers.output import Output
from trainyard.runtimes.local.containers.wire import EngineRefused, EngineUnreachable

SETTLES = 10.0  # seconds that a start which a killed supervisor asked for may take to show
SOON, LOOK = 0.05, 2.0  # seconds between looks: the first ones, and those at a program whose end is told otherwise
RECORDS = 5.0  # seconds that an engine has to write down an end that the machine knows of
NOT_FOUND, NOT_ALLOWED, KILLED = 127, 126, 137  # as shells and engines say
NO_IMAGE = 404
_MADE: dict[str, Any] = {"State": {"Status": "created"}}
_GONE: dict[str, Any] = {"State": {"Status": "gone"}}
_TOKEN = "ai.trainyard.token"  # noqa: S105 - the name of a label


class ContainerHost:
    """The program's container. Questions to the engine that nobody answers are asked again later."""

    def __init__(self, attempt: Attempt, order: dict[str, Any]) -> None:
        plain = order["container"]
        self._attempt, self._order, self._plain = attempt, order, plain
        self._name: str = plain["name"]
        self._engine = Engine(plain["socket"])
        self._clock = SystemClock()
        self._output: Output | None = None
        self._process: int | None = None
        self._next_look = 0.0
        self.rest = SOON
        self._owed: list[str] = []
        self._is_made = False  # by us, just now: nobody else knows it yet
        self.who: dict[str, Any] = {}
        self.pid: int | None = None
        self.blind: str | None = None
        self.lost = "the job's container was removed from its engine"

    def lacks_image(self) -> bool | None:
        """Whether the engine has to fetch the image: it is asked to make the container, and says so."""
        if self._attempt.container.exists():
            return False
        try:
            if self._plain["pulls"]:
                return self._engine.inspect(self._name) is None
            self._make()
        except EngineRefused as error:
            return error.status == NO_IMAGE  # what else there is against it is told at the start
        except EngineUnreachable as error:
            self._wait_for_engine(str(error))
            return None
        return False

    def take_image(self, image: str) -> None:
        """Make the container from an image that was fetched for it."""
        self._plain["form"]["Image"] = image

    def start(self) -> dict[str, Any] | None:
        """Make the container and start it, once."""
        if self._order.get("refused"):
            return {"refused": self._order["refused"]}
        output.reserve(self._attempt.log)
        try:
            return self._started()
        except EngineRefused as error:
            return self._unstartable(error.message)
        except EngineUnreachable as error:
            self._wait_for_engine(str(error))
            return None

    def attach(self) -> bool:
        """Look after the container; False if it has ended and is recorded."""
        self._output = Output(self._engine, self._name, self._attempt.log)
        return not self.is_over([])

    def sources(self) -> list[Any]:
        """What is readable once there is something to do: nothing, while the engine does not answer."""
        if self.blind is not None:
            return []
        source = self._output.source if self._output else None
        return [one for one in (self._process, source) if one is not None]

    def is_over(self, ready: list[Any]) -> bool:
        """Carry output on, send what is owed, and tell whether the program has ended and its exit code is written."""
        has_gone = self._process in ready and self._process is not None
        if not has_gone and self._clock.boottime() < self._next_look and self.blind is None:
            return self._carry_on()
        try:
            return self._look(has_gone=has_gone)
        except (EngineUnreachable, EngineRefused) as error:
            return self._wait_for_engine(str(error))

    def terminate(self) -> None:
        """Ask the program to end."""
        self._signal("SIGTERM")

    def kill(self) -> None:
        """End the program."""
        self._signal("SIGKILL")

    def end_now(self) -> None:
        """Kill, and wait a moment for the end; what does not answer is left to the release."""
        with suppress(EngineUnreachable, EngineRefused):
            self._engine.kill(self._name, "SIGKILL")

    def close(self) -> None:
        """Give up what is held."""
        if self._process is not None:
            os.close(self._process)
            self._process = None
        if self._output is not None:
            self._output.close()
            self._output = None

    def _started(self) -> dict[str, Any]:
        """Make what was not made, start what was not started. What was, and is gone, is lost, and not begun anew."""
        found = _MADE if self._is_made else self._ours()
        if self._attempt.container.exists():
            found = self._settled(found or _GONE)
        elif found is None:
            self._make()
            found = _MADE if self._is_made else self._ours() or _GONE
        if found["State"]["Status"] in ("created", "configured", "initialized"):
            atomic.write_json(self._attempt.container, {"name": self._name, "engine": self._engine.path})
            crashpoint("starting")
            self._is_made = False
            self._engine.start(self._name)
            crashpoint("started")
        return {"notices": self._plain.get("notices", [])}

    def _make(self) -> None:
        self._is_made = self._engine.create(self._name, self._plain["form"])
        crashpoint("created")

    def _ours(self) -> dict[str, Any] | None:
        found = self._engine.inspect(self._name)
        token = self._plain["form"]["Labels"][_TOKEN]
        if found is not None and (found["Config"].get("Labels") or {}).get(_TOKEN) != token:
            raise EngineRefused(409, f"a container {self._name} is there that is none of ours")
        return found

    def _settled(self, found: dict[str, Any]) -> dict[str, Any]:
        """A start was asked for before: its effect is awaited, for a second start would run a program twice."""
        end = self._clock.boottime() + SETTLES
        while found["State"]["Status"] == "created" and self._clock.boottime() < end:
            select.select([], [], [], 0.1)
            found = self._ours() or found
        return found

    def _unstartable(self, message: str) -> dict[str, Any]:
        """A program that is not in the image ended as it would on a shell; for all else the engine's words are told."""
        code = _code_of(message)
        if code is None:
            return {"refused": f"The container engine did not start the program: {message}"}
        argv = [*self._plain["form"].get("Entrypoint", []), *self._plain["form"].get("Cmd", [])]
        reason = "No such file or directory" if code == NOT_FOUND else "Permission denied"
        self._attempt.log.write_text(f"cannot start {_program_of(message) or argv[0]!r}: {reason}\n")
        atomic.write_json(self._attempt.exit, {"code": code})
        return {"notices": []}

    def _look(self, *, has_gone: bool) -> bool:
        found = self._ours()
        self.blind = None
        self.rest = min(LOOK, 2 * self.rest)
        self._next_look = self._clock.boottime() + self.rest
        if found is None:
            return True
        for signal in self._owed:
            self._engine.kill(self._name, signal)
        self._owed = []
        if has_gone:
            found = self._recorded(found)
        if _runs(found):
            self._know(found)
            self._follow()
            return self._carry_on()
        return self._record(found)

    def _recorded(self, found: dict[str, Any]) -> dict[str, Any]:
        """What the engine says of a program that has ended, once it knows it itself."""
        end = self._clock.boottime() + RECORDS
        while _runs(found) and self._clock.boottime() < end:
            select.select([], [], [], 0.005)
            found = self._ours() or found
        return found

    def _record(self, found: dict[str, Any]) -> bool:
        """All output first, then how it ended: whoever reads exit.json has the whole log."""
        if self._output is not None:
            self._output.carry_rest()
        crashpoint("carried")
        state = found["State"]
        notices = [self._plain["oom"]] if state.get("OOMKilled") else self._guessed(state["ExitCode"])
        atomic.write_json(self._attempt.exit, {"code": state["ExitCode"], "notices": notices})
        return True

    def _guessed(self, code: int) -> list[str]:
        """Podman does not know what the kernel killed for want of memory."""
        if code != KILLED or self._attempt.stop.exists():
            return []
        return [f"Nobody here killed the program; that is most often done for want of memory. {self._plain['may']}"]

    def _carry_on(self) -> bool:
        if self._output is not None:
            try:
                self._output.carry()
            except EngineUnreachable as error:
                return self._wait_for_engine(str(error))
            if not self._output.is_followed:  # it has ended, or the engine has let us go
                self._next_look = 0.0
        return False

    def _follow(self) -> None:
        if self._output is not None and not self._output.is_followed:
            self._output.follow()

    def _wait_for_engine(self, reason: str) -> bool:
        """Nothing is known of the program now, and nothing is done to it."""
        self.blind = f"the container engine at {self._engine.path} cannot be asked: {reason}"
        self.rest = min(LOOK, 2 * self.rest)
        return False

    def _signal(self, name: str) -> None:
        try:
            self._engine.kill(self._name, name)
        except (EngineUnreachable, EngineRefused):
            self._owed = [*(one for one in self._owed if one != name), name]

    def _know(self, found: dict[str, Any]) -> None:
        """The program's process, where the engine runs on this very system: its end is then told at once."""
        pid = found["State"].get("Pid") or 0
        if self._process is None and pid and _is_of(pid, found.get("Id", "")):
            with suppress(OSError):
                self._process, self.pid = os.pidfd_open(pid), pid


def _runs(found: dict[str, Any]) -> bool:
    return found["State"]["Status"] in ("running", "paused", "restarting", "stopping", "removing")


def _is_of(pid: int, container: str) -> bool:
    """Whether a process of this system is the container's: an engine in a machine of its own counts by itself."""
    with suppress(OSError):
        return container in Path(f"/proc/{pid}/cgroup").read_text()
    return False


def _code_of(message: str) -> int | None:
    """The exit code of a program that cannot be executed; None where something else kept it from starting."""
    if "exec" not in message:
        return None
    if "no such file" in message or "not found" in message:
        return NOT_FOUND
    return NOT_ALLOWED if "permission denied" in message or "exec format" in message else None


def _program_of(message: str) -> str | None:
    """What the engine tried to execute: `… exec: "train": executable file not found in $PATH`."""
    _, found, rest = message.partition('exec: "')
    return rest.partition('"')[0] if found else None
