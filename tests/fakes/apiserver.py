"""A small, quick API server in memory: what a controller uses of the real one, and every trouble that it can have.

It is the common ground of the operator's benchmarks (ours and kopf run against the same process) and of the tests
that need an ill server. What is right about objects is judged on doors/kube and on real servers.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from trainyard.doors.kube.patches import json_patch, merge_patch

Object = dict[str, Any]
merged = merge_patch  # RFC 7396, as an API server applies it
Trouble = Callable[[web.BaseRequest], Awaitable[web.StreamResponse | None]]


@dataclass
class ApiServer:
    """Objects by (kind's path, namespace, name). `trouble` may answer in the server's stead; `log` has every write."""

    objects: dict[str, dict[tuple[str, str], Object]] = field(default_factory=lambda: defaultdict(dict))
    revision: int = 0
    oldest: int = 0
    history: list[tuple[int, str, str, bytes]] = field(default_factory=list)
    waiting: set[asyncio.Event] = field(default_factory=set)
    trouble: Trouble | None = None
    log: list[tuple[str, str]] = field(default_factory=list)
    bookmarks: float = 60.0
    deaf: bool = False
    port: int = 0
    keeps: Callable[[Any], Any] = lambda status: status  # what a definition that prunes leaves of a status

    def put(self, kind: str, item: Object) -> Object:
        """Store an object as it is, without a request."""
        metadata = item.setdefault("metadata", {})
        metadata.setdefault("uid", str(uuid.uuid4()))
        metadata.setdefault("generation", 1)
        metadata.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
        return self._keep(kind, item, "ADDED")

    def forget_history(self) -> None:
        """Compact: every watch from an older revision gets 410."""
        self.history.clear()
        self.oldest = self.revision
        self._wake()

    def get(self, kind: str, name: str, namespace: str = "default") -> Object:
        """An object as stored."""
        return self.objects[kind][namespace, name]

    def _keep(self, kind: str, item: Object, what: str) -> Object:
        self.revision += 1
        metadata = item["metadata"]
        metadata["resourceVersion"] = str(self.revision)
        key = metadata.get("namespace", ""), metadata["name"]
        if what == "DELETED":
            self.objects[kind].pop(key, None)
        else:
            self.objects[kind][key] = item
        line = orjson.dumps({"type": what, "object": item}) + b"\n"
        self.history.append((self.revision, kind, key[0], line))
        self._wake()
        return item

    def _wake(self) -> None:
        for event in self.waiting:
            event.set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request."""
        if self.trouble is not None:
            answer = await self.trouble(request)
            if answer is not None:
                return answer
        if request.path.startswith(("/fill/", "/writes")):
            return await self._benchmark(request)
        found = _discovery(request.path)
        if found is not None:
            return _json(found)
        kind, namespace, name, subresource = _parsed(request.path)
        if request.method == "GET" and not name:
            query = request.query
            if query.get("watch") == "true":
                return await self._watch(request, kind, namespace)
            return _json(self._list(kind, namespace, query))
        return self._one(request.method, kind, namespace, name, subresource, await request.read())

    async def _benchmark(self, request: web.BaseRequest) -> web.Response:
        """Objects put in as they are, and how many writes there were, for a server in another process."""
        if request.method == "POST":
            for item in orjson.loads(await request.read()):
                self.put(request.path.removeprefix("/fill/"), item)
            return _json({})
        count = {"status": 0, "resources": 0, "events": 0}
        for _, what in self.log:
            kind = "events" if what.startswith("events/") else "status" if what.endswith("/status") else "resources"
            count[kind] += 1
        return _json(count)

    def _one(self, method: str, kind: str, namespace: str, name: str, sub: str, content: bytes) -> web.Response:
        body = orjson.loads(content) if content else {}
        if method != "GET":
            self.log.append((method, f"{kind}/{namespace}/{name or body.get('metadata', {}).get('name')}/{sub}"))
        if method == "POST":
            body["metadata"].setdefault("namespace", namespace)
            if (namespace, body["metadata"]["name"]) in self.objects[kind]:
                return refusal(409, "AlreadyExists")
            body.pop("status", None)
            return _json(self.put(kind, body), 201)
        known = self.objects[kind].get((namespace, name))
        if known is None:
            return refusal(404, "NotFound")
        if method == "GET":
            return _json(known)
        if method == "DELETE":
            return self._delete(kind, known, body)
        wanted = _wanted(method, known, body)
        given = wanted["metadata"].get("resourceVersion")
        if given is not None and given != known["metadata"]["resourceVersion"]:
            return refusal(409, "Conflict")
        return self._write(kind, known, wanted, sub)

    def _write(self, kind: str, known: Object, wanted: Object, sub: str) -> web.Response:
        metadata = known["metadata"] if sub == "status" else {**wanted["metadata"], "uid": known["metadata"]["uid"]}
        item = {**(known if sub == "status" else wanted)}
        item["status"] = self.keeps(wanted.get("status", {})) if sub == "status" else known.get("status", {})
        if not item["status"]:
            del item["status"]
        changed = item.get("spec") != known.get("spec")
        item["metadata"] = {**metadata, "generation": known["metadata"].get("generation", 1) + changed}
        item["metadata"]["resourceVersion"] = known["metadata"]["resourceVersion"]
        if item == known:
            return _json(known)
        if item["metadata"].get("deletionTimestamp") and not item["metadata"].get("finalizers"):
            return _json(self._keep(kind, item, "DELETED"))
        return _json(self._keep(kind, item, "MODIFIED"))

    def _delete(self, kind: str, known: Object, body: Object) -> web.Response:
        if (body.get("preconditions") or {}).get("uid", known["metadata"]["uid"]) != known["metadata"]["uid"]:
            return refusal(409, "Conflict")
        if known["metadata"].get("finalizers"):
            marked = {**known, "metadata": {**known["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
            return _json(self._keep(kind, marked, "MODIFIED"))
        return _json(self._keep(kind, {**known, "metadata": {**known["metadata"]}}, "DELETED"))

    def _list(self, kind: str, namespace: str, query: Any) -> Object:
        keys = sorted(key for key in self.objects[kind] if not namespace or key[0] == namespace)
        begin, revision = 0, self.revision
        if query.get("continue"):
            at, _, last = query["continue"].partition(":")
            revision, begin = int(at), sum(f"{key[0]}/{key[1]}" <= last for key in keys)
        limit = int(query.get("limit") or len(keys) or 1)
        page = keys[begin : begin + limit]
        metadata: Object = {"resourceVersion": str(revision)}
        if begin + limit < len(keys):
            metadata["continue"] = f"{revision}:{page[-1][0]}/{page[-1][1]}"
        items = [self.objects[kind][key] for key in page]
        return {"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items}

    async def _watch(self, request: web.BaseRequest, kind: str, namespace: str) -> web.StreamResponse:
        position = int(request.query.get("resourceVersion") or self.revision)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        woken, dead = asyncio.Event(), False
        self.waiting.add(woken)
        try:
            while True:
                if position < self.oldest:
                    await response.write(orjson.dumps({"type": "ERROR", "object": _status(410, "Expired")}) + b"\n")
                    return response
                lines = self._since(position, kind, namespace)
                position = self.revision
                dead = dead or self.deaf  # and it stays so, however the others do
                if lines and not dead:
                    await response.write(b"".join(lines))
                woken.clear()
                try:
                    async with asyncio.timeout(self.bookmarks):
                        await woken.wait()
                except TimeoutError:
                    mark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(self.revision)}}}
                    if not dead:
                        await response.write(orjson.dumps(mark) + b"\n")
        except ConnectionError:
            return response
        finally:
            self.waiting.discard(woken)

    def _since(self, position: int, kind: str, namespace: str) -> list[bytes]:
        begin = max(0, position - self.oldest)
        return [
            line
            for _, one, where, line in self.history[begin:]
            if one == kind and (not namespace or where == namespace)
        ]

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on a loopback port; gives the address."""
        server = web.Server(self.handle, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=0.05)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port or self.port)
            await site.start()
            self.port = runner.addresses[0][1]
            yield f"http://127.0.0.1:{self.port}"
        finally:
            await runner.cleanup()


def refusal(status: int, reason: str, **headers: str) -> web.Response:
    """A refusal as the API server writes it."""
    return web.Response(
        body=orjson.dumps(_status(status, reason)), status=status, headers=headers, content_type="application/json"
    )


def _status(code: int, reason: str) -> Object:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "message": reason,
        "code": code,
    }


def _wanted(method: str, known: Object, body: Any) -> Object:
    if method == "PUT":
        return dict(body)
    found: Object = json_patch(known, body) if isinstance(body, list) else merged(known, body)
    return found


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def _parsed(path: str) -> tuple[str, str, str, str]:
    """(kind's plural, namespace, name, subresource)."""
    steps = path.strip("/").split("/")
    steps = steps[2:] if steps[0] == "api" else steps[3:]
    namespace = ""
    if steps and steps[0] == "namespaces" and len(steps) > 2:
        namespace, steps = steps[1], steps[2:]
    kind, name, sub = (*steps, "", "", "")[:3]
    return kind, namespace, name, sub


_GROUP, _VERSION = "sagemaker.services.k8s.aws", "v1alpha1"


def _discovery(path: str) -> Object | None:
    """As much as kopf asks for."""
    steps = path.strip("/")
    if steps == "version":
        return {"major": "1", "minor": "34"}
    if steps == "api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if steps == "apis":
        version = {"groupVersion": f"{_GROUP}/{_VERSION}", "version": _VERSION}
        return {
            "kind": "APIGroupList",
            "groups": [{"name": _GROUP, "versions": [version], "preferredVersion": version}],
        }
    verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
    if steps == "api/v1":
        names = (("namespaces", "Namespace", False), ("events", "Event", True))
        return {
            "kind": "APIResourceList",
            "groupVersion": "v1",
            "resources": [
                {"name": name, "singularName": "", "namespaced": scoped, "kind": kind, "verbs": verbs}
                for name, kind, scoped in names
            ],
        }
    if steps == f"apis/{_GROUP}/{_VERSION}":
        one = {
            "name": "trainingjobs",
            "singularName": "trainingjob",
            "namespaced": True,
            "kind": "TrainingJob",
            "verbs": verbs,
        }
        status = {**one, "name": "trainingjobs/status", "verbs": ["get", "patch", "update"]}
        return {"kind": "APIResourceList", "groupVersion": f"{_GROUP}/{_VERSION}", "resources": [one, status]}
    return None


if __name__ == "__main__":  # a process of its own, for benchmarks

    async def main() -> None:
        """Serve until killed; the first argument is the port."""
        async with ApiServer().running(int(sys.argv[1])):
            await asyncio.Event().wait()

    asyncio.run(main())
