"""ports.runtime.Runtime on this machine: an attempt's folder, a detached supervisor, and looking at both.

Where an engine runs the program, it is told by `runtimes.local.containers`; the supervisor and all else are the same.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

from trainyard.agent.channels import channel_orders, staged
from trainyard.agent.contract import FOLDERS, contract_env, contract_files
from trainyard.agent.orders import OutputOrder, SyncOrder, TransferOrders
from trainyard.kit import atomic, beneath
from trainyard.kit.lately import lately
from trainyard.kit.pool import Pool
from trainyard.lifecycle import naming, stopping, syncing
from trainyard.lifecycle.defaults import input_mode
from trainyard.model.errors import Transient
from trainyard.model.keys import RunKey
from trainyard.model.ledger import Chunk, Mark
from trainyard.model.observation import (
    Absent,
    Ending,
    Lost,
    Milestone,
    Observation,
    Outcome,
    Progress,
    Reached,
    Seen,
    StopCause,
    Unknown,
)
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import Fault
from trainyard.ports.clock import Clock
from trainyard.ports.runtime import Resolution, RunOrder, Stream
from trainyard.runtimes.local import credentials, fuse, identity, logfile, streams
from trainyard.runtimes.local.attempt import VERSION, Attempt
from trainyard.runtimes.local.containers import ordering
from trainyard.runtimes.local.containers.wire import EngineRefused, EngineUnreachable
from trainyard.runtimes.local.credentials import Credentials, RoleUnusable
from trainyard.runtimes.local.renewal import Renewals
from trainyard.runtimes.local.starting import PASSED_ON, Starter
from trainyard.runtimes.local.tracing import METRICS, Tracing, metric_files

_GB = 10**9
LOOKS, DEEDS = 4, 16  # threads: looks hardly wait, launches and releases wait for the disk
BALLAST = 64 * 1024  # bytes that a supervisor can free to tell of a full disk


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOrder:
    """How a supervisor starts an engine where nobody leads: its command, the lock that leads, and its log."""

    argv: tuple[str, ...]
    lock: Path
    log: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOptions:
    """Where attempts live and how they are watched.

    log_cap: bytes of one log; usage_interval: seconds between samples; helper_env: environment of transfer helpers.
    pipe_timeout: seconds for which a program may take nothing from a pipe that it holds open.
    engine: for supervisors that nobody leads; without it they leave that to others.
    routes_of: what `objects.buckets.Buckets.from_plain` takes, for the jobs of an account.
    aws_socket: where whoever leads answers the AWS clients of programs; without it nobody does.
    engine_socket: of the container engine that resolving a spec may ask, and that holds what was run.
    link_opt_ml: where the system gives no private /opt/ml, make it a link; then runs must follow one another.
    """

    attempts: Path
    poke_socket: Path
    engine: EngineOrder | None = None
    aws_socket: Path | None = None
    link_opt_ml: bool = False
    log_cap: int = 1 << 30
    usage_interval: float = 10.0
    pipe_timeout: float = 3600.0
    grace: float = stopping.GRACE
    capacity: Resources | None = None
    routes_of: Callable[[str], dict[str, Any]] = lambda _account: {}
    engine_socket: str | None = None


class LocalRuntime:
    """Runs on this machine, as processes or in a container engine."""

    def __init__(
        self,
        options: LocalOptions,
        *,
        resolve: Callable[[TrainingJobSpec], Resolution],
        wakeups: Callable[[], AsyncIterator[str]],
        credentials: Callable[[str | None], Credentials] = lambda _role: Credentials(),
        aws_variables: Callable[[RunOrder], Mapping[str, str]] = lambda _order: {},
        clock: Clock,
    ) -> None:
        self._options, self._resolve, self._wakeups = options, resolve, wakeups
        self._credentials, self._aws_variables, self._clock = credentials, aws_variables, clock
        self._renewals = Renewals(credentials, clock)
        self._root = str(options.attempts)
        self._starter = Starter(options.attempts)
        self._tracing = Tracing()
        self._looks, self._deeds = Pool(LOOKS, "looks"), Pool(DEEDS, "deeds")

    def close(self) -> None:
        """Keep nothing of ours running but the runs."""
        self._deeds.close()
        self._looks.close()
        self._starter.close()

    async def resolve(self, spec: TrainingJobSpec) -> Resolution:
        """Ask the catalogue, and a container engine for its images."""
        if self._options.engine_socket is not None:
            return await self._looks.run(partial(self._resolve, spec))
        return self._resolve(spec)

    async def launch(self, order: RunOrder) -> None:
        """Write the attempt's folder, then start its supervisor; both harmless when repeated."""
        attempt = self._attempt(order.key)
        try:
            await self._deeds.run(partial(self._launch, attempt, order))
        except OSError as error:
            raise Transient(
                f"The attempt cannot be started in {attempt.folder}: {error.strerror}.", after=5.0
            ) from error

    async def observe(self, key: RunKey) -> Observation:
        """Read the journal; replace a supervisor that died."""
        try:
            return await self._looks.run(partial(self._observe, self._attempt(key)))
        except (OSError, ValueError, KeyError) as error:
            return Unknown(f"the attempt's journal cannot be read: {error}")

    async def traces(self, keys: Sequence[RunKey]) -> Mapping[RunKey, Hashable]:
        """What the files of every run look like from outside, and whether its supervisor lives.

        On the way, what expires is renewed: of every run, and every time, this is asked.
        """
        attempts = {key: self._attempt(key) for key in keys}
        for attempt in attempts.values():
            self._renewals.see_to(attempt)
        return await self._looks.run(partial(self._tracing.traces, attempts))

    async def stop(self, key: RunKey, cause: StopCause, *, grace: float) -> None:
        """Write the wish, wake the supervisor. The first wish stands."""
        attempt = self._attempt(key)
        if not attempt.folder.is_dir():
            return
        try:
            if not attempt.stop.exists():
                atomic.write_json(attempt.stop, {"cause": str(cause), "grace": min(grace, self._options.grace)})
        except OSError as error:
            raise Transient(f"The attempt cannot be told to stop in {attempt.folder}: {error.strerror}.") from error
        identity.send(atomic.read_json(attempt.supervisor), signal.SIGUSR1)

    async def release(self, key: RunKey) -> None:
        """Leave no process and no data; logs stay."""
        attempt = self._attempt(key)
        try:
            await self._deeds.run(partial(self._release, attempt, key))
        except (EngineUnreachable, EngineRefused) as error:
            raise Transient(f"The attempt's container cannot be removed: {error}.", after=5.0) from error
        self._renewals.forget(attempt)

    async def discard(self, job_uid: str) -> None:
        """Forget everything of a job."""
        await self._deeds.run(partial(beneath.remove, self._options.attempts, job_uid))

    async def tidy(self) -> None:
        """Leave nothing of ended runs in the container engine; an engine that cannot be asked now is asked again."""
        if self._options.engine_socket is not None:
            with suppress(EngineUnreachable, EngineRefused):
                await self._deeds.run(partial(ordering.sweep, self._options.engine_socket, self._options.attempts))

    async def streams(self, key: RunKey) -> Sequence[Stream]:
        """The log, the host's use, and the metrics directory's files."""
        return await self._looks.run(partial(_streams, self._attempt(key)))

    async def read(self, key: RunKey, stream: Stream, offset: int, limit: int) -> Chunk:
        """Bytes of a stream; a freed middle is stepped over and told."""
        return await self._looks.run(partial(self._read, self._attempt(key), stream, offset, limit))

    async def marks(self, key: RunKey, stream: Stream) -> Sequence[Mark]:
        """When the log had which length."""
        return [] if stream.kind != "log" else await self._looks.run(partial(_marks, self._attempt(key)))

    async def capacity(self) -> Resources:
        """What settings say, else what this machine has."""
        return self._options.capacity or machine()

    def wakeups(self) -> AsyncIterator[str]:
        """Hints from supervisors and commands."""
        return self._wakeups()

    def _attempt(self, key: RunKey) -> Attempt:
        return Attempt(Path(f"{self._root}/{key.job_uid}/{key.kind}-{key.name}-{key.attempt}"))

    def _launch(self, attempt: Attempt, order: RunOrder) -> None:
        self._starter.prepare()
        if not attempt.order.exists():
            synced = [one.folder for one in syncing.synced(order.spec)]
            for folder in (
                attempt.log.parent,
                attempt.usage.parent,
                *(attempt.ml / name for name in (*FOLDERS, *synced)),
            ):
                folder.mkdir(parents=True, exist_ok=True)
            attempt.ballast.write_bytes(b"\0" * BALLAST)
            files = contract_files(spec=order.spec, job=order.job, attempt=order.key.attempt)
            for name, content in files.items():
                (attempt.ml / name).write_bytes(content)
            plain = {**self._plain(attempt, order), **self._role(attempt, order)}
            if order.placement.launcher == "container":
                plain |= self._container(attempt, order, plain["env"])
            atomic.write_json(attempt.order, plain, mode=0o600)
            atomic.sync_folder(attempt.folder.parent)
        self._starter.start(attempt)

    def _plain(self, attempt: Attempt, order: RunOrder) -> dict[str, Any]:
        spec, program = order.spec, order.placement.program
        transfers = self._transfers(attempt, order)
        volume = spec.resource_config.volume_size_in_gb if spec.resource_config else None
        helper = [sys.executable, "-m"]
        is_staged = bool(transfers.channels) or any(one.is_checkpoints for one in transfers.syncs)
        return {
            "version": VERSION,
            "job_uid": order.key.job_uid,
            "poke_socket": str(self._options.poke_socket),
            "engine": self._engine(),
            "argv": program.get("argv", []),
            "isolate": bool(spec.enable_network_isolation) or program.get("network") in ("none", "peers"),
            "mounts": program.get("mounts", []),
            "peers": [] if spec.enable_network_isolation else program.get("peers", []),
            "doorway": self._doorway(order),
            "ml": str(attempt.ml),
            "runtime_left": order.runtime_left,
            "grace": self._options.grace,
            "volume_bytes": (volume or 0) * _GB,
            "link_opt_ml": self._options.link_opt_ml,
            "log_cap": self._options.log_cap,
            "usage_interval": self._options.usage_interval,
            "fault_of_exit": program.get("fault_of_exit", {}),
            "stage_argv": [*helper, "trainyard.wiring.stage", str(attempt.folder)] if is_staged else [],
            "sync_argv": [*helper, "trainyard.wiring.sync", str(attempt.folder)] if transfers.syncs else [],
            "upload_argv": [*helper, "trainyard.wiring.upload", str(attempt.folder)],
            "helper_env": {**_FUSE, **{name: os.environ[name] for name in _PASSED_TO_HELPERS if name in os.environ}},
            "streams": _streams_beside(transfers, attempt),
            "fastfile": [channel.name for channel in transfers.channels if channel.mode == "FastFile"],
            "notices": _notices(order, transfers),
            "pipe_timeout": self._options.pipe_timeout,
            "output_folders": [output.folder for output in transfers.outputs],
            "transfers": transfers.to_plain(),
        }

    def _container(self, attempt: Attempt, order: RunOrder, env: dict[str, str]) -> dict[str, Any]:
        """What makes it a container: the engine's form, and the image's download where the engine lacks it."""
        ordering.open_up(attempt, [one.folder for one in syncing.synced(order.spec)])
        container = ordering.container_of(
            attempt, order, env, mark=ordering.mark_of(self._options.attempts), log_cap=self._options.log_cap
        )
        may_pull = order.placement.program["may_pull"]
        pull = [sys.executable, "-m", "trainyard.wiring.pull", str(attempt.folder)] if may_pull else []
        own = [] if os.geteuid() == 0 else [sys.executable, "-m", "trainyard.wiring.owning", str(attempt.folder)]
        return {"container": container, "pull_argv": pull, "own_argv": own}

    def _engine(self) -> dict[str, Any] | None:
        engine = self._options.engine
        if engine is None:
            return None
        env = {name: os.environ[name] for name in _PASSED_TO_ENGINE if name in os.environ}
        return {"argv": engine.argv, "env": env, "lock": str(engine.lock), "log": str(engine.log)}

    def _doorway(self, order: RunOrder) -> dict[str, Any] | None:
        """How the program's AWS clients are answered; None where they are not."""
        variables = self._aws_variables(order)
        if self._options.aws_socket is None or not variables or order.placement.launcher != "process":
            return None  # a container's network is its engine's
        return {"socket": str(self._options.aws_socket), "variables": dict(variables)}

    def _role(self, attempt: Attempt, order: RunOrder) -> dict[str, Any]:
        """The program's variables, among them what its role gives it; why it is not started where the role fails."""
        spec = order.spec
        try:
            role, refused = self._credentials(spec.role_arn), None
        except RoleUnusable as error:
            role, refused = Credentials(), f"The role {spec.role_arn} cannot be used: {error}"
        given = credentials.hand_out(
            attempt, role, arn=spec.role_arn, region=order.job.region,
            is_isolated=bool(spec.enable_network_isolation), now=self._clock.now(),
        )  # fmt: skip
        program = _dict(order.placement.program.get("env"))
        return {
            "env": {**given, **program, **contract_env(spec=spec, job=order.job)},
            "unmounted_env": credentials.unmounted(attempt, given),
            "refused": refused,
        }

    def _transfers(self, attempt: Attempt, order: RunOrder) -> TransferOrders:
        spec = order.spec
        data = attempt.ml / "input" / "data"
        channels = channel_orders(spec, data=data, listings=attempt.listings)
        if any(channel.mode == "FastFile" for channel in channels) and _no_mount(order):
            channels = tuple(staged(channel) for channel in channels)
        archive, root = not naming.is_uncompressed(spec), str(attempt.ml)
        outputs = (
            OutputOrder(root=root, folder="model", uri=naming.model_uri(spec), archive=archive, is_model=True),
            OutputOrder(root=root, folder="output/data", uri=naming.output_uri(spec), archive=archive, is_model=False),
        )
        syncs = tuple(
            SyncOrder(root=root, folder=one.folder, uri=one.uri, is_checkpoints=one.is_checkpoints)
            for one in syncing.synced(spec)
        )
        routes = self._options.routes_of(order.job.account)
        return TransferOrders(channels=channels, outputs=outputs, routes=routes, syncs=syncs)

    def _observe(self, attempt: Attempt) -> Observation:
        if not attempt.order.exists():
            return Absent()
        journal = atomic.read_json(attempt.journal)
        if journal is None or journal["outcome"] is None:
            if not identity.is_alive(atomic.read_json(attempt.supervisor)):
                self._starter.start(attempt)
            if journal is None:
                return Seen(milestones=())
        return _observation(journal, atomic.read_json(attempt.progress))

    def _release(self, attempt: Attempt, key: RunKey) -> None:
        if not attempt.folder.is_dir() or attempt.released.exists():
            return
        ordering.remove(attempt, key)
        identity.send(atomic.read_json(attempt.shim), signal.SIGKILL)
        for name in streams.names():
            streams.kill(attempt, name)
        transfers = TransferOrders.from_plain(atomic.read_json(attempt.order)["transfers"])
        synced = [one.folder for one in transfers.syncs]
        for folder in ("input/data", "model", "output/data", "checkpoints", "code", *synced):
            beneath.remove(attempt.ml, folder)
        beneath.remove(attempt.folder, attempt.listings.name)
        credentials.take_back(attempt)
        attempt.released.touch()

    def _read(self, attempt: Attempt, stream: Stream, offset: int, limit: int) -> Chunk:
        complete = _is_over(attempt)
        try:
            piece = self._piece(attempt, stream, offset, limit)
        except OSError:
            piece = logfile.Piece(offset, b"", is_last=True)
        if not piece.data:
            return Chunk(offset, b"", offset, complete=complete and piece.is_last)
        end, gap = piece.offset + len(piece.data), piece.offset - offset
        return Chunk(piece.offset, piece.data, end, gap=gap, complete=complete and piece.is_last)

    def _piece(self, attempt: Attempt, stream: Stream, offset: int, limit: int) -> logfile.Piece:
        if stream.kind == "log":
            return logfile.read(attempt.log, offset, limit)
        cap = self._options.log_cap if stream.kind == "metrics" else sys.maxsize  # a file may claim any length
        with beneath.file(*_place_of(attempt, stream)) as file:
            file.seek(offset)
            data = file.read(min(limit, max(0, cap - offset)))
        return logfile.Piece(offset, data, is_last=len(data) < limit)


_FUSE = {"FUSE_LIBRARY_NAME": "fuse3"}  # version 2 takes no device that is mounted already
_PASSED_TO_HELPERS = (
    "PATH", "HOME", "LANG", "LC_ALL", "SSL_CERT_FILE", "TRAINYARD_CRASHPOINT", "LD_LIBRARY_PATH",
    "DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR",
)  # fmt: skip
_PASSED_TO_ENGINE = (
    *dict.fromkeys((*PASSED_ON, *_PASSED_TO_HELPERS)),
    "DOCKER_HOST", "CONTAINER_HOST",
    "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_CA_BUNDLE", "HTTPS_PROXY", "NO_PROXY",
)  # fmt: skip


def _streams_beside(transfers: TransferOrders, attempt: Attempt) -> dict[str, list[str]]:
    """The commands of the helpers that work beside the program."""
    modes = {channel.mode for channel in transfers.channels}
    wanted = {"Pipe": "pipes", "FastFile": "mounts"}
    return {
        name: [sys.executable, "-m", f"trainyard.wiring.{name}", str(attempt.folder)]
        for mode, name in wanted.items()
        if mode in modes
    }


def _no_mount(order: RunOrder) -> str | None:
    """Why FastFile channels cannot be mounted, as a clause; None where they can."""
    return fuse.missing() if order.placement.launcher == "process" else "containers get no mounts of ours yet"


def _notices(order: RunOrder, transfers: TransferOrders) -> list[str]:
    """What is done otherwise than it was asked for."""
    channels, modes = order.spec.input_data_config or (), {one.name: one.mode for one in transfers.channels}
    instead = [one.channel_name for one in channels if modes.get(one.channel_name) != input_mode(order.spec, one)]
    instead = [name for name in instead if name in modes]
    if not instead:
        return []
    names = ", ".join(instead)
    return [f"There is no FastFile mode here, for {_no_mount(order)}: {names} was downloaded as in File mode."]


def machine() -> Resources:
    """The processors that we may use, the memory, the GPUs that a driver shows."""
    return Resources(cpus=float(len(os.sched_getaffinity(0))), memory=_memory(), gpus=_gpus("/dev"))


@cache
def _memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@lately(1.0)
def _gpus(folder: str) -> int:
    with suppress(OSError):
        return _gpus_of(folder, os.stat(folder).st_mtime_ns)
    return 0


@lru_cache(maxsize=1)
def _gpus_of(folder: str, _changed: int) -> int:
    """The GPUs that a driver shows in a folder of devices; read again once something in it came or went."""
    return sum(1 for name in os.listdir(folder) if name.startswith("nvidia") and name[6:].isdecimal())


def _dict(value: object) -> dict[str, str]:
    return dict(value) if isinstance(value, dict) else {}


def _is_over(attempt: Attempt) -> bool:
    """Whether the journal tells of an end; one that cannot be read tells of none, and hides no output."""
    with suppress(OSError, ValueError):
        return (atomic.read_json(attempt.journal) or {}).get("outcome") is not None
    return False


def _place_of(attempt: Attempt, stream: Stream) -> tuple[Path, str]:
    """A folder of ours, and the way to the stream's file below it."""
    if stream.kind == "metrics":
        return attempt.ml, f"{METRICS}/{Path(stream.name).name}"
    return attempt.usage.parent, attempt.usage.name


def _marks(attempt: Attempt) -> Sequence[Mark]:
    try:
        pairs = [line.split() for line in attempt.marks.read_text().splitlines()]
    except FileNotFoundError:
        return []
    return [Mark(int(pair[0]), float(pair[1])) for pair in pairs if len(pair) == 2]


def _streams(attempt: Attempt) -> Sequence[Stream]:
    kept = [Stream(kind, "algo-1") for kind, path in (("log", attempt.log), ("usage", attempt.usage)) if path.exists()]
    return kept + [Stream("metrics", name) for name in metric_files(attempt.ml)]


def _observation(journal: dict[str, Any], progress: dict[str, Any] | None) -> Observation:
    outcome = journal["outcome"]
    if outcome is not None and outcome["ending"] == "lost":
        return Lost(outcome["reason"], outcome["at"], outcome["interrupted"])
    blind, reached = journal.get("blind"), [name for name, _ in journal["milestones"]]
    if outcome is None and blind and Milestone.TRAINING in reached:
        return Unknown(blind)
    return Seen(
        milestones=tuple(Reached(Milestone(name), at) for name, at in journal["milestones"]),
        outcome=None if outcome is None else _outcome(outcome),
        progress=None if outcome is not None or progress is None else Progress(**progress),
        notices=(*journal["notices"], *_hindered(blind)),
    )


def _hindered(blind: str | None) -> tuple[str, ...]:
    """What keeps a program from being started is no riddle: the run itself is seen, and can be stopped."""
    return (f"The program is not started: {blind}.",) if blind else ()


def _outcome(plain: dict[str, Any]) -> Outcome:
    fault = plain.get("fault")
    return Outcome(
        ending=Ending(plain["ending"]),
        at=plain["at"],
        fault=None if fault is None else Fault(fault),
        detail=plain.get("detail", ""),
        exit_code=plain.get("exit_code"),
        model_uri=plain.get("model_uri"),
    )
