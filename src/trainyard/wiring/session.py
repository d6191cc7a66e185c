"""Everything put together for one process: settings to concrete classes, and the engine while the process may lead."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from trainyard.agent.metrics import Re2Scanners
from trainyard.kit import detached
from trainyard.kit.clock import SystemClock
from trainyard.kit.ids import ordered_id
from trainyard.model.buckets import Tenant
from trainyard.model.errors import TrainyardError, ValidationRefused
from trainyard.model.keys import Scope
from trainyard.model.problems import Problem
from trainyard.model.record import Placement
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.objects.buckets import Buckets, Route
from trainyard.ports.objects import ObjectStore
from trainyard.ports.runtime import Resolution
from trainyard.ports.service import SupportsInterrupt, SupportsPlan, TrainingService
from trainyard.runtimes.local.credentials import RoleUnusable
from trainyard.runtimes.local.runtime import EngineOrder, LocalOptions, LocalRuntime
from trainyard.stores.sqlite.database import Database
from trainyard.stores.sqlite.ledger import SqliteLedger
from trainyard.stores.sqlite.store import SqliteJobStore
from trainyard.wiring import file_systems, leadership, networks
from trainyard.wiring.catalogue import Alias, Catalogue, Program
from trainyard.wiring.home import Home
from trainyard.wiring.inside import Inside, seals_of
from trainyard.wiring.launching import Launchers, engine_of, program_of
from trainyard.wiring.roles import Roles, roles_of
from trainyard.wiring.settings import Settings, load
from trainyard.yard.engine import Engine, Yard
from trainyard.yard.preflight import Preflight
from trainyard.yard.scanning import Scanning
from trainyard.yard.service import YardService
from trainyard.yard.telling import Descriptions

GIB = 1024**3
LOOK = 0.1  # seconds between looks at a job that is watched
LEAD_AGAIN = 1.0  # seconds before an engine that died is started again
_LOG = logging.getLogger(__name__)


class Service(TrainingService, SupportsInterrupt, SupportsPlan, Protocol):
    """What is known of jobs, and asked for them, by commands."""


class Jobs(Protocol):
    """What a command about jobs works with, wherever they run: a Session, or another Trainyard (wiring.elsewhere)."""

    @property
    def service(self) -> Service:
        """The jobs of the command's scope."""
        ...

    @property
    def where(self) -> str:
        """The place, as a person names it."""
        ...

    @property
    def look(self) -> float:
        """Seconds between looks at a job that is watched."""
        ...

    def place_of(self, uri: str) -> str:
        """Where an object's bytes are, in words."""
        ...

    async def holds(self, uri: str) -> bool:
        """Whether a model is there; True where we may not look, for the job could."""
        ...

    def fetching(self, name: str, uri: str) -> str:
        """How a person brings a job's model here, in a sentence."""
        ...


class JobsAndObjects(Jobs, Protocol):
    """Jobs, and their objects too: this home's, or Amazon's. Another Trainyard's objects are its own."""

    @property
    def objects(self) -> ObjectStore:
        """Every bucket that the caller may look into."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a command works with here.

    service : jobs of the command's own scope; `service_of` makes any other's.
    objects : all of the home, whoever's they are; jobs reach those of their account alone.
    tidy    : leave nothing of ended runs where they ran.
    """

    home: Home
    database: Database
    settings: Settings
    service: YardService
    service_of: Callable[[Scope], YardService]
    objects: Buckets
    engine: Engine
    tidy: Callable[[], Awaitable[None]]
    catalogue: Catalogue
    launchers: Launchers
    leadership: leadership.Leadership

    look = LOOK

    @property
    def where(self) -> str:
        """The home's path."""
        return str(self.home.path)

    def place_of(self, uri: str) -> str:
        """Where an object's bytes are, in words."""
        return self.objects.place_of(uri)

    async def holds(self, uri: str) -> bool:
        """Whether a model is there; True where we may not look, for the job could."""
        from trainyard.wiring.fetching import model_at

        try:
            return bool(await model_at(self.objects, uri))
        except TrainyardError:
            return True

    def fetching(self, name: str, uri: str) -> str:  # noqa: ARG002 - `artifacts` knows where each job's is
        """How a person brings a job's model here, in a sentence."""
        return f"Fetch it with: trainyard artifacts {name} --to FOLDER"


@asynccontextmanager
async def open_session(
    home: str | None = None, *, region: str | None = None, account: str | None = None, lead: bool = False
) -> AsyncIterator[Session]:
    """A session over a home. With `lead` it runs the engine, now or as soon as the present leader goes.

    On leaving, a small detached engine is started if jobs are unfinished and nobody leads.
    """
    place = Home.open(home)
    settings = load(place.settings)
    scope = Scope(account or settings.account, region or settings.region)
    with ExitStack() as closing:
        session = _session(place, settings, scope, closing)
        async with AsyncExitStack() as stack:
            if lead:
                await stack.enter_async_context(_leading(session))
            yield session
        await leave(session)


@asynccontextmanager
async def _leading(session: Session) -> AsyncIterator[None]:
    """Lead in the background for as long as the block lasts."""
    task = asyncio.create_task(lead(session))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        session.leadership.leave()


async def lead(session: Session) -> None:
    """Lead once nobody else does, until cancelled.

    An engine that dies (a full disk, a store that fails) gives the lead up, for another process or for the next try.
    """
    from trainyard.wiring.programs import answering_programs

    while True:
        await session.leadership.lead()
        try:
            async with answering_programs(session), session.engine.running():
                await session.tidy()
                await session.leadership.beat()
        except* Exception:  # noqa: BLE001 - whatever it was, the home must not be held by an engine that is gone
            _LOG.exception("the engine ended and is started again")
        finally:
            session.leadership.leave()
        await asyncio.sleep(LEAD_AGAIN)


async def leave(session: Session) -> None:
    """See that somebody goes on leading while there is something to do."""
    if await session.engine.has_unfinished() and session.leadership.try_lead():
        caretaker = caretaker_of(session.home)
        detached.spawn(caretaker.argv, env=os.environ, log=caretaker.log, holding=session.leadership.lock)
        session.leadership.leave()


def caretaker_of(home: Home) -> EngineOrder:
    """A detached engine that goes when everything is final; it leads from its first moment by the lock handed to it."""
    argv = (sys.executable, "-P", "-m", "trainyard.wiring.caretaker", str(home.path))
    return EngineOrder(argv=argv, lock=home.leader_lock, log=home.path / "caretaker.log")


def _session(home: Home, settings: Settings, scope: Scope, closing: ExitStack) -> Session:
    clock = SystemClock()
    database = Database(home.database)
    closing.callback(database.close)
    buckets = _buckets(home, settings)
    closing.callback(buckets.close)
    catalogue = _catalogue(settings)
    launchers = _launchers(catalogue, settings)
    roles = roles_of(settings)
    inside = Inside(roles, buckets, seals_of(home))
    runtime = LocalRuntime(
        LocalOptions(
            attempts=home.attempts, poke_socket=home.poke_socket, capacity=_capacity(settings),
            engine=caretaker_of(home),
            aws_socket=home.aws_socket,
            routes_of=lambda account: buckets.of(tenant_of(settings, account)).to_plain(),
            link_opt_ml=_links_opt_ml(settings),
            engine_socket=launchers.socket,
            log_cap=settings.logs.get("cap_bytes", GIB),
            pipe_timeout=float(settings.channels.get("pipe_timeout_seconds", 3600.0)),
            usage_interval=float(settings.metrics.get("usage_interval_seconds", 10.0)),
        ),
        resolve=lambda spec: _resolve(launchers, inside, settings, spec),
        wakeups=lambda: leadership.hints(home),
        credentials=roles.credentials,
        aws_variables=inside.variables,
        clock=clock,
    )  # fmt: skip
    closing.callback(runtime.close)
    yard = Yard(jobs=SqliteJobStore(database), ledger=SqliteLedger(database), runtime=runtime, clock=clock)
    scanners = Re2Scanners()
    hinting, descriptions, leading = leadership.Hinting(home), Descriptions(), leadership.Leadership(home)

    def service_of(scope: Scope) -> YardService:
        his = buckets.of(tenant_of(settings, scope.account))
        preflight = Preflight(
            objects=partial(_as_role, his, roles), admit=his.admit, runtime=runtime, scanners=scanners,
            region=scope.region,
            refusals=_refusals, refuse_oversize=settings.capacity.get("oversize") == "refuse",
            one_at_a_time=_links_opt_ml(settings),
        )  # fmt: skip
        return YardService(
            scope, yard, preflight, new_uid=lambda: ordered_id(clock.now()),
            poke=hinting.tell,
            staleness=lambda: None if leading.held else leadership.staleness(home, clock.now()),
            descriptions=descriptions,
        )  # fmt: skip

    engine = Engine(yard, Scanning(yard.ledger, runtime, scanners, clock))
    return Session(
        home=home, database=database, settings=settings,
        service=service_of(scope), service_of=service_of, objects=buckets,
        engine=engine,
        tidy=runtime.tidy, catalogue=catalogue, launchers=launchers, leadership=leading,
    )  # fmt: skip


def _buckets(home: Home, settings: Settings) -> Buckets:
    embedded = str(home.embedded_store)
    default = Route(embedded=embedded) if settings.default_store == "embedded" else Route()
    return Buckets({name: _route(entry, embedded) for name, entry in settings.buckets.items()}, default)


def tenant_of(settings: Settings, account: str) -> Tenant:
    """Whose buckets an account's jobs reach.

    What no account made is the home's own user's, and without access keys all accounts are his.
    """
    return Tenant(account=account, takes_unowned=not settings.keys or account == settings.account)


def _route(entry: dict[str, Any], embedded: str) -> Route:
    if entry.get("embedded"):
        return Route(embedded=embedded)
    keys = {"access_key_id": entry.get("access_key"), "secret_access_key": entry.get("secret_key")}
    folder, endpoint, region = (entry.get(key) and str(entry[key]) for key in ("folder", "endpoint", "region"))
    credentials = {name: str(value) for name, value in keys.items() if value}
    return Route(folder=folder, endpoint=endpoint, region=region, credentials=credentials)


def _links_opt_ml(settings: Settings) -> bool:
    return bool(settings.process.get("opt_ml") == "link")


def _capacity(settings: Settings) -> Resources | None:
    from trainyard.runtimes.local.runtime import machine

    if not {"cpus", "memory_gib", "gpus"} & settings.capacity.keys():
        return None
    real = machine()
    return Resources(
        cpus=float(settings.capacity.get("cpus", real.cpus)),
        memory=int(settings.capacity.get("memory_gib", real.memory / GIB) * GIB),
        gpus=settings.capacity.get("gpus", real.gpus),
    )


def _catalogue(settings: Settings) -> Catalogue:
    aliases = {
        name: Alias(command=tuple(entry.get("command", ())), python=entry.get("python"), env=entry.get("env", {}))
        for name, entry in settings.images.items()
    }
    return Catalogue(aliases=aliases, python=_callers_python())


def _launchers(catalogue: Catalogue, settings: Settings) -> Launchers:
    return Launchers(
        catalogue=catalogue,
        launcher=settings.launcher,
        pull=settings.container.get("pull", "missing"),
        socket=None if settings.launcher == "process" else engine_of(settings.container, os.environ),
    )


def _callers_python() -> str:
    """The interpreter that `python` means where the command was typed: an active environment's, else our own."""
    environment = os.environ.get("VIRTUAL_ENV")
    python = Path(environment) / "bin" / "python" if environment else Path(sys.executable)
    return str(python) if python.exists() else sys.executable


def _refusals(spec: TrainingJobSpec, place: str) -> tuple[Problem, ...]:
    from trainyard.lifecycle import support

    return tuple(support.refusals(spec, place))


def _as_role(buckets: Buckets, roles: Roles, spec: TrainingJobSpec) -> Buckets:
    try:
        return buckets.signed(dict(roles.credentials(spec.role_arn).keys))
    except RoleUnusable as error:
        raise ValidationRefused(f"The role {spec.role_arn} cannot be used: {error}") from error


def _resolve(launchers: Launchers, inside: Inside, settings: Settings, spec: TrainingJobSpec) -> Resolution:
    chosen = launchers.resolve(spec)
    if isinstance(chosen, tuple):
        return Resolution(placement=None, problems=chosen)
    network = networks.network_of(settings.networks, spec)
    mounts = file_systems.mounts_of(settings.file_systems, spec)
    problems = [one for one in (network, inside.roles.problem(spec.role_arn), *mounts) if isinstance(one, Problem)]
    if problems or isinstance(network, Problem):
        return Resolution(placement=None, problems=tuple(problems))
    notices = inside.notices(spec, reaches_us=isinstance(chosen, Program))
    if isinstance(chosen, Program):
        return Resolution(placement=_as_process(chosen, spec, {**network, "mounts": mounts}, notices))
    joined = networks.engines_network(network, settings.container.get("network"))
    if isinstance(joined, Problem):
        return Resolution(placement=None, problems=(joined,))
    program = {**program_of(chosen, settings.container, joined), "mounts": mounts}
    return Resolution(
        placement=Placement(
            launcher="container",
            image=chosen.label,
            needs=Resources(cpus=1.0),
            program=program,
            notices=notices,
            why=chosen.why,
        )
    )


def _as_process(
    program: Program, spec: TrainingJobSpec, network: dict[str, Any], notices: tuple[str, ...]
) -> Placement:  # fmt: skip
    plain: dict[str, object] = {
        "argv": list(program.command(spec)), "env": dict(program.env), **network,
        "fault_of_exit": dict(program.fault_of_exit),
        "metrics": [list(pair) for pair in program.metrics],
    }  # fmt: skip
    return Placement(
        launcher="process",
        image=program.label,
        needs=Resources(cpus=1.0),
        program=plain,
        notices=(*program.notices, *notices),
    )
