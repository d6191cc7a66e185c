"""One attempt, from its order to its outcome: a small detached process that outlives the control plane.

    PHASES = (stage, pull, train, upload)

Each phase may be entered again by the next supervisor after a kill -9. Synchronous, single-threaded (it forks the
shim), standard library only. Started as `python -I -S supervisor.py ATTEMPT PACKAGE_ROOT`.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[2])  # before our own imports: no site, no environment is trusted to find us

from trainyard.kit import atomic, beneath
from trainyard.kit.clock import SystemClock
from trainyard.kit.crashpoint import crashpoint
from trainyard.runtimes.local import gap, heir, helping, identity
from trainyard.runtimes.local.attempt import Attempt
from trainyard.runtimes.local.doorway import Doorway
from trainyard.runtimes.local.host import Host, host_of
from trainyard.runtimes.local.journal import Journal
from trainyard.runtimes.local.streams import Streams
from trainyard.runtimes.local.watch import LogWatch, UsageWatch, VolumeWatch

FAILURE_FILE = 4096  # bytes read of it: 1,024 characters at most are told
HELPER_RESTARTS = 3
T = TypeVar("T")
STARTING_TICK = 0.02  # seconds between looks at helpers that start
TICK, LONGEST_TICK = 0.25, 2.0  # seconds between looks at a program: shorter while it writes
REFUSED, FULL_DISK = (
    3,
    4,
)  # a helper's exit status for what is the user's to mend, and for what leaves no room to say it
FULL = (errno.ENOSPC, errno.EDQUOT)


class Ended(Exception):  # noqa: N818 - the attempt's end is no error of ours
    """The outcome, raised through the phases."""

    def __init__(self, ending: str, **rest: Any) -> None:
        super().__init__(ending)
        self.ending, self.rest = ending, rest


class Supervisor:
    """The phases of one attempt over its folder."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._order: dict[str, Any] = json.loads(attempt.order.read_bytes())
        self._journal = Journal(attempt, self._order["poke_socket"], self._order["job_uid"])
        self._doorway = Doorway(attempt, self._order)
        self._clock = SystemClock()
        self._streams = Streams(attempt, self._order)
        self._host: Host = host_of(attempt, self._order)
        self._wished: dict[str, Any] | None = None
        self._woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(waker)
        for number in (signal.SIGUSR1, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        os.chdir("/")  # a job must not keep the folder busy that its starter stood in
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)

    def supervise(self) -> None:
        """Run all phases to an outcome, from wherever the last supervisor left."""
        if self._journal.outcome is not None:
            return
        if self._journal.boot != identity.boot_id():
            self._journal.end("lost", reason="the machine was restarted", interrupted=True)
            return
        try:
            self._journal.begin()
            for phase in (self._stage, self._pull, self._train, self._upload):
                heir.see_to_leader(self._order)
                phase()
        except Ended as ended:
            self._end(ended)
        except OSError as error:
            if error.errno not in FULL:
                raise
            self._host.end_now()
            self._end(self._full_disk(""))

    def _end(self, ended: Ended) -> None:
        """Note the outcome; on a full disk in the room of the ballast, which is kept for nothing else."""
        try:
            self._streams.end()
            self._journal.end(ended.ending, **ended.rest)
        except OSError as error:
            if error.errno not in FULL:
                raise
            self._make_room()
            self._streams.end()
            self._journal.end(ended.ending, **ended.rest)
        heir.see_to_leader(self._order)  # who shall record it

    def _full_disk(self, failed: str) -> Ended:
        """The end of an attempt that has no room, which it gives back so that others can write it down."""
        self._make_room()
        text = f"{failed}The disk that holds {self._attempt.folder} is full."
        return Ended("failed", fault="ClientError", detail=text, exit_code=None)

    def _make_room(self) -> None:
        self._attempt.ballast.unlink(missing_ok=True)
        beneath.remove(self._attempt.ml, "input/data")
        with suppress(OSError):
            LogWatch(self._attempt, self._order["log_cap"]).look()  # gives half of the log back

    def _stage(self) -> None:
        if self._journal.has("training") or not self._order["stage_argv"]:
            return
        self._journal.reach("staging")
        crashpoint("staging")
        self._help(self._order["stage_argv"], "stage-result.json", stoppable=True)

    def _pull(self) -> None:
        """Have the engine fetch the image, where the program is in a container whose image it lacks."""
        if self._journal.has("training") or not self._order.get("pull_argv") or not self._lacks_image():
            return
        self._journal.reach("pulling")
        crashpoint("pulling")
        result = self._help(self._order["pull_argv"], "pull-result.json", stoppable=True)
        self._journal.notice(*result["notices"])
        self._host.take_image(result["image"])

    def _lacks_image(self) -> bool:
        return bool(self._answered(self._host.lacks_image))

    def _train(self) -> None:
        if self._journal.has("uploading"):
            return
        if not self._journal.has("training"):
            self._raise_if_stopped()
            self._start_program()
        if not self._attempt.exit.exists():
            self._await_program()
        crashpoint("exited")
        result = atomic.read_json(self._attempt.exit)
        if result is None:
            raise Ended("lost", reason=self._host.lost, interrupted=False)
        self._streams.end()
        self._journal.notice(*self._streams.notices())
        LogWatch(self._attempt, self._order["log_cap"]).look()
        self._raise_if_lost()

    def _start_program(self) -> None:
        self._await_streams()
        crashpoint("launching")
        gap.reserve(self._attempt.log)
        answer = self._answered(self._host.start)
        if "refused" in answer:
            raise Ended("failed", fault="ClientError", detail=answer["refused"], exit_code=None)
        self._doorway.take(answer.get("listener"))
        crashpoint("launched")
        notices = [*answer["notices"], *self._order.get("notices", [])]
        self._journal.reach("training", notices=notices, runtime=self._order["runtime_left"])

    def _await_streams(self) -> None:
        """Until the helpers beside the program give what it needs."""
        while not self._streams.are_ready():
            self._sleep([], STARTING_TICK)
            self._raise_if_stopped()
        self._raise_if_lost()
        self._raise_if_failed()

    def _raise_if_lost(self) -> None:
        """The end of an attempt whose program read what it should not have, however it went on."""
        verdict = self._streams.verdict() or {}
        if "lost" in verdict and self._ends_by_itself():
            raise Ended("lost", reason=verdict["lost"], interrupted=False)

    def _raise_if_failed(self) -> None:
        """The end of an attempt whose program could not read on."""
        verdict = self._streams.verdict() or {}
        if "fault" in verdict and self._ends_by_itself():
            raise Ended("failed", fault=verdict["fault"], detail=verdict["detail"], exit_code=None)

    def _ends_by_itself(self) -> bool:
        """Whether nobody wished for the end but we ourselves, for what is read."""
        wish = self._wish()
        return wish is None or wish["cause"] == "channels"

    def _answered(self, ask: Callable[[], T | None]) -> T:
        """What the host answers, once it does; not seeing it is told, and no reason for anything."""
        while (answer := ask()) is None:
            self._journal.see(self._host.blind)
            self._sleep([], LONGEST_TICK)
            self._raise_if_stopped()
        self._journal.see(None)
        return answer

    def _await_program(self) -> None:
        """Until the program's host is gone: pass wishes and deadlines on, and look after log, volume and use."""
        if not self._host.attach():
            return
        log = LogWatch(self._attempt, self._order["log_cap"])
        use = UsageWatch(self._attempt, self._order["usage_interval"])
        volume = VolumeWatch(self._attempt.ml, self._order["volume_bytes"])
        companion = helping.Companion(self._attempt, self._order)
        tick, is_over = TICK, False
        while not is_over:
            self._pass_wishes_on()
            self._doorway.see_to(self._host.who)
            heir.see_to_leader(self._order)
            with suppress(OSError):  # what cannot be noted now is noted later; the program goes on
                tick = TICK if log.look() else min(LONGEST_TICK, 2 * tick)
                use.look(self._host.pid)
                self._journal.see(self._host.blind)
                self._notice(companion.see_to())
            if self._wish() is None and volume.is_overfull():
                self._wish_for("volume", 0.0)
            if self._wish() is None and self._streams.see_to() is not None:
                self._wish_for("channels", 0.0)
            rest = min(tick, self._host.rest, self._until_deadline())
            doors = self._doorway.awaited
            ready = self._sleep([*self._host.sources(), *doors], rest)
            is_over = self._host.is_over(ready)
            if not is_over and any(door in ready for door in doors):
                self._doorway.open(self._host.who)
        self._doorway.close()
        self._host.close()
        companion.end()

    def _notice(self, text: str | None) -> None:
        if text is not None:
            self._journal.notice(text)

    def _until_deadline(self) -> float:
        """Seconds to the next deadline that was set, so that it is not slept over."""
        name = "grace" if self._journal.has_deadline("grace") else "runtime"
        return max(0.01, self._journal.deadline(name, self._order["runtime_left"]) - self._clock.boottime())

    def _sleep(self, sources: list[Any], seconds: float) -> list[Any]:
        """Sleep until a signal comes or one of the sources has something, `seconds` at most; those that have."""
        ready, _, _ = select.select([self._woken, *sources], [], [], seconds)
        with suppress(BlockingIOError):
            os.read(self._woken, 4096)
        return ready

    def _pass_wishes_on(self) -> None:
        now = self._clock.boottime()
        if self._wish() is None and now >= self._journal.deadline("runtime", self._order["runtime_left"]):
            self._wish_for("max-runtime", self._order["grace"])
        wish = self._wish()
        if wish is None:
            return
        if not self._journal.has_deadline("grace"):
            self._tell_stopping(wish["cause"])
            self._host.terminate()
        if now >= self._journal.deadline("grace", wish["grace"]):
            self._host.kill()

    def _tell_stopping(self, cause: str) -> None:
        """An interrupted job is not Stopping: it goes from Training to Interrupted. Nor is one that fails."""
        if cause not in ("interrupted", "channels"):
            self._journal.reach("stopping")

    def _wish(self) -> dict[str, Any] | None:
        """That the attempt shall end, and why; the first wish stands."""
        if self._wished is None:
            self._wished = atomic.read_json(self._attempt.stop)
        return self._wished

    def _wish_for(self, cause: str, grace: float) -> None:
        atomic.write_json(self._attempt.stop, {"cause": cause, "grace": grace})

    def _raise_if_stopped(self) -> None:
        wish = self._wish()
        if wish is not None:
            raise Ended(_ENDING_OF.get(wish["cause"], "stopped"))

    def _upload(self) -> None:
        """Upload what there is, also for a stopped or failed program, then say how it ended."""
        result = atomic.read_json(self._attempt.exit)
        code = result["code"]
        self._journal.notice(*result.get("notices", []))
        self._own()
        beneath.remove(self._attempt.ml, "input/data")  # the archive may need its room
        model_uri = None
        wish = self._wish() if self._journal.has_deadline("grace") else None  # one that came too late changes nothing
        is_success = code == 0 and wish is None
        if wish is not None and wish["cause"] == "interrupted":  # the next attempt goes on from what was synced
            self._sync_rest(is_success=False)
            raise Ended("interrupted", exit_code=code)
        if self._order.get("sync_argv") or self._has_outputs():
            self._journal.reach("uploading")
            crashpoint("uploading")
            self._sync_rest(is_success=is_success)
        if self._has_outputs():
            model_uri = self._moved("upload", is_success=is_success).get("model_uri")
        self._raise_if_failed()
        if wish is not None and wish["cause"] == "volume":
            text = "Please use a larger volume: the training job filled VolumeSizeInGB."
            raise Ended("failed", fault="ClientError", detail=text, exit_code=None)
        if wish is not None:
            raise Ended(_ENDING_OF.get(wish["cause"], "stopped"), exit_code=code, model_uri=model_uri)
        if code == 0:
            raise Ended("completed", exit_code=0, model_uri=model_uri)
        fault = self._order["fault_of_exit"].get(str(code), "AlgorithmError")
        raise Ended("failed", fault=fault, detail=self._failure_text(), exit_code=code, model_uri=model_uri)

    def _own(self) -> None:
        """Take over what the program wrote as somebody else, where its host lets it be somebody else."""
        if self._order.get("own_argv") and not (self._attempt.folder / "owning-result.json").exists():
            self._moved("own", is_success=False)

    def _has_outputs(self) -> bool:
        return any(not beneath.is_empty(self._attempt.ml, folder) for folder in self._order["output_folders"])

    def _sync_rest(self, *, is_success: bool) -> None:
        """Upload what was written last to folders that are uploaded while the program runs."""
        if self._order.get("sync_argv"):
            self._moved("sync", "over", is_success=is_success)

    def _moved(self, what: str, *how: str, is_success: bool) -> dict[str, Any]:
        """Upload; a failed upload fails a job that had succeeded, and is a notice on one that had not."""
        try:
            result = self._help([*self._order[f"{what}_argv"], *how], _RESULTS[what], stoppable=False)
        except Ended as failed:
            if is_success:
                raise
            self._journal.notice(str(failed.rest.get("detail", "")))
            return {}
        self._journal.notice(*result.get("notices", []))
        return result

    def _failure_text(self) -> str:
        """The failure file's beginning; a link or a device in its place is no failure file."""
        try:
            with beneath.file(self._attempt.ml, "output/failure") as file:
                return file.read(FAILURE_FILE).decode("utf-8", "replace").strip()[:1024]
        except OSError:
            return ""

    def _help(self, argv: list[str], result_name: str, *, stoppable: bool) -> dict[str, Any]:
        """Run a helper to its result; one that was killed is started again, a few times."""
        path = self._attempt.folder / result_name
        for _ in range(HELPER_RESTARTS + 1):
            status = self._run_helper(argv, stoppable=stoppable)
            result: dict[str, Any] | None = atomic.read_json(path)
            if status == 0 and result is not None:
                return result
            if status == REFUSED and result is not None:
                raise Ended("failed", fault=result["fault"], detail=result["detail"], exit_code=None)
            if status == FULL_DISK:
                raise self._full_disk(_FAILED[result_name])
        detail = (
            f"the transfer ended {HELPER_RESTARTS + 1} times without a result; see {self._attempt.folder}/helper.log"
        )
        raise Ended("failed", fault="InternalServerError", detail=detail, exit_code=None)

    def _run_helper(self, argv: list[str], *, stoppable: bool) -> int:
        helper = helping.spawn(self._attempt, self._order, argv)
        while (status := helper.poll()) is None:
            if stoppable and self._wish() is not None:
                helper.kill()
                helper.wait()
                self._raise_if_stopped()
            self._sleep([], LONGEST_TICK)
        return status


_RESULTS = {"own": "owning-result.json", "sync": "sync-result.json", "upload": "upload-result.json"}
_FAILED = {
    "owning-result.json": "Taking over the container's files: ",
    "stage-result.json": "Data download failed:", "upload-result.json": "Artifact upload failed:",
    "pull-result.json": "Unable to download training image: ", "sync-result.json": "Checkpoint upload failed:",
}  # fmt: skip
_ENDING_OF = {"max-runtime": "max-runtime", "max-wait": "max-wait", "interrupted": "interrupted"}


def claim(attempt: Attempt) -> int | None:
    """The lock that makes its holder the attempt's supervisor; None where somebody is it already. Raises OSError."""
    lock = os.open(attempt.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def supervise(attempt: Attempt) -> None:
    """Supervise to the end, for the holder of the lock; who it is can be read once it hears signals."""
    supervisor = Supervisor(attempt)
    atomic.write_json(attempt.supervisor, identity.identify(os.getpid()), durable=False)
    supervisor.supervise()


if __name__ == "__main__":
    its = Attempt(Path(sys.argv[1]))
    if claim(its) is not None:
        supervise(its)
