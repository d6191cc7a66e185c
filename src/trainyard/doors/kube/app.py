"""The ASGI application: a request to its verb, a verb's outcome to an answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from trainyard.access.callers import OWNER, Caller
from trainyard.access.guard import Denied
from trainyard.doors.kube import applying, reviews, tables
from trainyard.doors.kube.answers import Answer, Stream
from trainyard.doors.kube.bodies import media_type, object_body, raw_body
from trainyard.doors.kube.builtin import AT_START, DEFINITION, NAMESPACE
from trainyard.doors.kube.collecting import Collector
from trainyard.doors.kube.documents import DocumentPaths
from trainyard.doors.kube.errors import Refused, bad_request, internal, method_not_allowed, no_such_place, unavailable
from trainyard.doors.kube.forgetting import Forgetting
from trainyard.doors.kube.kinds import Kind
from trainyard.doors.kube.negotiating import Wanted, wanted_by
from trainyard.doors.kube.options import WriteOptions, delete_options, list_options, write_options
from trainyard.doors.kube.patching import change_of
from trainyard.doors.kube.paths import Target, target_of
from trainyard.doors.kube.reading import Objects, Reading
from trainyard.doors.kube.watching import Watching
from trainyard.doors.kube.world import World
from trainyard.doors.kube.writing import Outcome, Writing
from trainyard.model.errors import TrainyardError, Transient
from trainyard.ports.resources import Body

_log = logging.getLogger(__name__)


class KubeDoor:
    """A Kubernetes API over one world. `running` keeps its background work going."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reading = Reading(world)
        self._writing = Writing(world)
        self._watching = Watching(world)
        self._documents = DocumentPaths(world.registry)
        self._ending = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Make what every cluster has, follow the definitions and collect, for as long as the block lasts."""
        await self._world.registry.refresh()
        for name in AT_START:
            with suppress(Refused):
                await self._writing.create(NAMESPACE, "", {"metadata": {"name": name}}, WriteOptions(agent="trainyard"))
        tasks = [
            asyncio.create_task(work.run())
            for work in (Collector(self._world, self._writing), Forgetting(self._world, self._writing))
        ]
        tasks.append(asyncio.create_task(self._world.registry.follow()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def end_watches(self) -> None:
        """End every watch, as at the end of its time: the server is about to go, and waits for no client."""
        self._ending.set()

    async def install(self, definition: Body) -> None:
        """See to it that a CustomResourceDefinition is served as given. Raises Refused."""
        options = WriteOptions(field_manager="trainyard", force=True)
        await self._writing.apply(DEFINITION, "", definition["metadata"]["name"], definition, options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        with suppress(ClientDisconnect):
            answer = await self._safely(request)
            await answer.send(receive, send)

    async def _safely(self, request: Request) -> Answer | Stream:
        """The answer, a refusal and a fault included."""
        try:
            return await self._answer(request)
        except Refused as refused:
            return Answer(refused.status(), refused.code)
        except Transient as error:
            return _failed(unavailable(str(error), error.after))
        except TrainyardError as error:
            return _failed(Refused(500, "InternalError", f"Internal error occurred: {error}"))
        except (ClientDisconnect, Denied):
            raise
        except Exception:  # noqa: BLE001 - a bug answers 500, and the log has it
            _log.exception("%s %s", request.method, request.url.path)
            return _failed(internal())

    async def _answer(self, request: Request) -> Answer | Stream:
        path = request.url.path
        if request.method in ("GET", "HEAD"):
            document = self._documents.answer(path, request.headers.get("accept", ""))
            if document is not None:
                return document
        target = target_of(path)
        if target is None:
            raise no_such_place()
        kind = self._kind(target)
        if kind.review:
            return await self._review(request, kind)
        reviews.permit(_caller(request), request.method, kind, target)
        return await (self._one(request, kind, target) if target.name else self._all(request, kind, target))

    def _kind(self, target: Target) -> Kind:
        kind = self._world.registry.find(target.group, target.version, target.plural)
        if kind is None or (target.subresource and not (target.subresource == "status" and kind.status)):
            raise no_such_place()
        if kind.namespaced != bool(target.namespace) and (target.name or not kind.namespaced):
            raise no_such_place()
        return kind

    async def _review(self, request: Request, kind: Kind) -> Answer:
        if request.method != "POST":
            raise method_not_allowed(kind)
        kinds = self._world.registry.kinds()
        return Answer(reviews.answered(kind, await _required_body(request), _caller(request), kinds), 201)

    async def _all(self, request: Request, kind: Kind, target: Target) -> Answer | Stream:
        query, render = request.query_params, self._renderer(request, kind)
        match request.method:
            case "GET":
                options = list_options(query)
                if options.watch:
                    lines = self._watching.lines(kind, target.namespace, options, render.event)
                    return Stream(lines, options.timeout, self._ending, request.scope.get("welcome", _always))
                return Answer(render.list(await self._reading.list(kind, target.namespace, options)))
            case "POST" if kind.namespaced == bool(target.namespace):
                body = await _required_body(request)
                return render.outcome(await self._writing.create(kind, target.namespace, body, _options(request)))
            case "DELETE" if kind.namespaced == bool(target.namespace):
                return Answer(render.list(await self._delete_all(request, kind, target)))
        raise method_not_allowed(kind)

    async def _one(self, request: Request, kind: Kind, target: Target) -> Answer | Stream:
        query, render = request.query_params, self._renderer(request, kind)
        namespace, name = target.namespace, target.name
        match request.method:
            case "GET":
                return Answer(render.one(await self._reading.get(kind, namespace, name)))
            case "PUT":
                body, options = await _required_body(request), _options(request)
                replaced = self._writing.replace(kind, namespace, name, body, options, subresource=target.subresource)
                return render.outcome(await replaced)
            case "PATCH":
                return render.outcome(await self._patch(request, kind, target))
            case "DELETE" if not target.subresource:
                deletion = delete_options(query, await object_body(request))
                return render.outcome(await self._writing.delete(kind, namespace, name, deletion))
        raise method_not_allowed(kind)

    async def _patch(self, request: Request, kind: Kind, target: Target) -> Outcome:
        where, subresource = (kind, target.namespace, target.name), target.subresource
        options, raw, media = _options(request), await raw_body(request), media_type(request)
        if media == applying.MEDIA_TYPE:
            config = applying.configuration(kind, raw, options, subresource)
            return await self._writing.apply(*where, config, options, subresource=subresource)
        return await self._writing.change(*where, change_of(kind, media, raw), options, subresource=subresource)

    async def _delete_all(self, request: Request, kind: Kind, target: Target) -> Objects:
        """Delete every object in view; the answer lists them as they were."""
        deletion = delete_options(request.query_params, await object_body(request))
        listed = await self._reading.list(kind, target.namespace, list_options(request.query_params))
        for one in listed.items:
            try:
                await self._writing.delete(kind, target.namespace, one["metadata"]["name"], deletion)
            except Refused as refused:
                if refused.code != 404:
                    raise
        return listed

    def _renderer(self, request: Request, kind: Kind) -> _Renderer:
        wanted = wanted_by(request.headers.get("accept", ""))
        include = request.query_params.get("includeObject") or "Metadata"
        if include not in ("Metadata", "Object", "None"):
            raise bad_request(f"unrecognized includeObject value: {include[:50]!r}")
        return _Renderer(kind, wanted, include, self._world.now)


class _Renderer:
    """Objects in the form that the client wants."""

    def __init__(self, kind: Kind, wanted: Wanted, include: str, now: Callable[[], float]) -> None:
        self._kind = kind
        self._wanted = wanted
        self._include = include
        self._now = now
        self._headed = True

    def one(self, body: Body) -> Body:
        """One object."""
        form, version = self._wanted.form, self._wanted.version
        if form == "Table":
            metadata = {"resourceVersion": body["metadata"].get("resourceVersion", "")}
            return self._table([body], metadata)
        return tables.bare(body, version) if form else body

    def event(self, body: Body) -> Body:
        """An object in a watch; the first table alone has its heads."""
        rendered = self.one(body)
        self._headed = False
        return rendered

    def list(self, listed: Objects) -> Body:
        """A page of a list."""
        if self._wanted.form == "Table":
            return self._table(listed.items, listed.metadata)
        if self._wanted.form:
            return tables.bare_list(listed.items, listed.metadata, self._wanted.version)
        return {
            "kind": self._kind.list_kind or f"{self._kind.kind}List", "apiVersion": self._kind.api_version,
            "metadata": listed.metadata, "items": listed.items,
        }  # fmt: skip

    def outcome(self, outcome: Outcome) -> Answer:
        """The answer to a write."""
        is_status = outcome.body.get("kind") == "Status" and outcome.body.get("apiVersion") == "v1"
        body = outcome.body if is_status else self.one(outcome.body)
        return Answer(body, outcome.code, outcome.warnings)

    def _table(self, objects: Any, metadata: Body) -> Body:
        return tables.table(
            self._kind, objects, metadata, version=self._wanted.version, include=self._include, now=self._now(),
            headed=self._headed,
        )  # fmt: skip


async def _required_body(request: Request) -> Any:
    body = await object_body(request)
    if body is None:
        raise bad_request("the request has no body")
    return body


def _always() -> bool:
    return True


def _caller(request: Request) -> Caller:
    caller: Caller = request.scope.get("caller", OWNER)
    return caller


def _options(request: Request) -> WriteOptions:
    return write_options(request.query_params, request.headers.get("user-agent", ""))


def _failed(refused: Refused) -> Answer:
    return Answer(refused.status(), refused.code)
