"""The loop around the passes: what wakes a resource, who works, and what follows a failure.

Woken by the API server (any edit but the echo of our own writes) and by the service's change feed. Where the service
has one, nothing is polled; where the feed breaks, everything that is not at rest is looked at as soon as it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from trainyard.kit.backoff import spread
from trainyard.kubeapi.client import Client, Object, Selection
from trainyard.kubeapi.errors import ApiError, Conflict, NotFound, TooManyRequests
from trainyard.kubeapi.informer import Informer
from trainyard.kubeapi.lease import NotLeading
from trainyard.kubeapi.queue import WorkQueue
from trainyard.kubeapi.recorder import Recorder
from trainyard.operator.asking import Asking
from trainyard.operator.case import Rules
from trainyard.operator.census import Census
from trainyard.operator.feeds import Feeds
from trainyard.operator.index import Index
from trainyard.operator.metrics import Metrics
from trainyard.operator.mirror import Mirror
from trainyard.operator.namespaces import Namespaces
from trainyard.operator.options import WORKERS, Watching
from trainyard.operator.reconciler import TRAINING_JOBS, Reconciler, Tools
from trainyard.operator.rolemaps import FollowedMaps
from trainyard.operator.steps import Settle
from trainyard.ports.clock import Clock
from trainyard.ports.places import Place, Places

NAME = "trainingjob"
COMPONENT = "trainyard-operator"
_LOG = logging.getLogger(__name__)


class Controller:
    """Reconciles while it runs; `guard` (see kubeapi.lease) is asked before every write."""

    def __init__(
        self,
        client: Client,
        places: Places,
        rules: Rules,
        clock: Clock,
        *,
        watching: Watching | None = None,
        workers: int = WORKERS,
        metrics: Metrics | None = None,
    ) -> None:
        self._client, self._rules, self._clock = client, rules, clock
        self._watching, self._workers = watching or Watching(), workers
        self.metrics = metrics or Metrics()
        self.queue = WorkQueue()
        self.index, self.census = Index(rules), Census()
        self._mirror = _mirror(client, places, self.index) if self._watching.mirrors else None
        self._passing: dict[str, str] = {}  # keys that are worked on, and the revision that the pass has come to
        self.feeds = Feeds(
            places, clock, moved=self._moved, wake=self._wake_restless,
            pinned=() if rules.roaming else (places.home,),
        )  # fmt: skip
        self.guard: Callable[[], None] = lambda: None
        self._recorder = Recorder(client, clock, component=COMPONENT)
        self._informers = [
            Informer(
                client, TRAINING_JOBS, clock, self._changed, namespace=namespace,
                selected=Selection(labels=self._watching.labels), silence=self._watching.silence,
            )
            for namespace in self._watching.namespaces or (None,)
        ]  # fmt: skip
        self._namespaces = Namespaces(client, clock, self._annotated, silence=self._watching.silence)
        self._maps = FollowedMaps(
            client, clock, self._watching.system_namespace, self._wake_everywhere, silence=self._watching.silence
        )
        tools = Tools(
            client=client, asking=Asking(places, self.metrics, self._check), recorder=self._recorder,
            metrics=self.metrics, clock=clock, guard=self._check, wrote=self._wrote,
            placed=self.feeds.need,
        )  # fmt: skip
        self._reconciler = Reconciler(tools, rules, self._namespaces.annotations_of, self._maps.current)

    async def run(self) -> None:
        """Reconcile for ever. Raises NotLeading when the lease was lost."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._namespaces.run())
            for informer in self._informers:
                group.create_task(informer.run())
            group.create_task(self._recorder.run())
            group.create_task(self.feeds.run())
            if self._maps_roles:
                group.create_task(self._maps.run())
            for informer in self._informers:
                await informer.synced.wait()
            await self._namespaces.known()
            if self._maps_roles:
                await self._maps.known()
            for _ in range(self._workers):
                group.create_task(self._work())
            if self._mirror is not None:
                group.create_task(self._mirror.run(self._check))

    @property
    def _maps_roles(self) -> bool:
        """Whether anybody asks for a role by an account or a team."""
        roaming = self._rules.roaming
        return roaming is not None and (roaming.accounts or roaming.teams)

    def watch_age(self) -> float:
        """Seconds since the API server was last heard: whether we are alive at all."""
        return max(informer.age() for informer in self._informers)

    @property
    def synced(self) -> bool:
        """Whether everything was listed once."""
        return all(informer.synced.is_set() for informer in self._informers)

    def observe(self) -> None:
        """Bring the gauges up to now."""
        self.metrics.depth.labels(NAME).set(len(self.queue))
        self.metrics.adds.labels(NAME).set(self.queue.added)
        self.metrics.retries.labels(NAME).set(self.queue.retried)
        self.metrics.watch_age.set(self.watch_age())
        self.metrics.feed_age.set(self.feeds.broken_for())
        self.metrics.resources.set(sum(len(informer) for informer in self._informers))
        for status, count in self.census.jobs.items():
            self.metrics.jobs.labels(status).set(count)
        for condition, count in self.census.faults.items():
            self.metrics.faults.labels(condition).set(count)
        self.metrics.events.labels("sent").set(self._recorder.sent)
        self.metrics.events.labels("dropped").set(self._recorder.dropped)

    def _check(self) -> None:
        self.guard()

    def _changed(self, key: str, resource: Object | None, before: Object | None) -> None:
        if resource is None:
            self.index.drop(key)
            self.census.drop(key)
            self.queue.drop(key)
            self.feeds.leave(key)
            self._reconciler.forget(*key.split("/", 1))
            return
        resting = self.index.put(key, resource, self._clock.now())
        self.census.put(key, resource.get("status") or {})
        if key in self._passing:
            return  # most likely the echo of this pass's own write; `_work` looks again if it was not
        if before is None and resting:
            if self._rules.resync is not None:
                self.queue.add_after(key, spread(0.0, self._rules.resync))
            return
        self.queue.add(key)

    def _annotated(self, namespace: str) -> None:
        """What a namespace says counts for all resources in it."""
        for informer in self._informers:
            for key in informer.all_keys():
                if key.startswith(f"{namespace}/"):
                    self.queue.add(key)

    def _wrote(self, resource: Object) -> None:
        informer = self._informer_of(resource["metadata"].get("namespace"))
        key = _key(resource)
        if key in self._passing:
            self._passing[key] = _revision(resource)
        if informer is not None and informer.wrote(resource):
            self.index.put(key, resource, self._clock.now())
            self.census.put(key, resource.get("status") or {})

    def _informer_of(self, namespace: str | None) -> Informer | None:
        if not self._watching.namespaces:
            return self._informers[0]
        found = zip(self._watching.namespaces, self._informers, strict=True)
        return next((informer for watched, informer in found if watched == namespace), None)

    def _resource(self, key: str) -> Object | None:
        informer = self._informer_of(key.partition("/")[0])
        return None if informer is None else informer.get(key)

    def _moved(self, place: Place, name: str) -> None:
        keys = [key for key in self.index.keys_of(name) if self.feeds.concerns(key, place)]
        for key in keys:
            self.queue.add(key)
        if not keys and self._mirror is not None:
            self._mirror.noticed(name)

    def _wake_restless(self, place: Place) -> None:
        for key in self.index.restless():
            if self.feeds.concerns(key, place):
                self.queue.add(key)

    def _wake_everywhere(self) -> None:
        for key in self.index.restless():
            self.queue.add(key)

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            resource = self._resource(key)
            if resource is not None:
                self._passing[key] = _revision(resource)
            try:
                await self._handle(key, resource)
            finally:
                self._end_pass(key)
                self.queue.done(key)

    def _end_pass(self, key: str) -> None:
        """Look again if the watch brought a revision that this pass neither began with nor wrote."""
        known, decided = self._resource(key), self._passing.pop(key, None)
        if known is not None and decided is not None and _revision(known) != decided:
            self.queue.add(key)

    async def _handle(self, key: str, resource: Object | None) -> None:
        if resource is None:
            self.queue.drop(key)
            return
        began, result = self._clock.boottime(), "error"
        try:
            end = await self._reconciler.reconcile(resource)
            result = self._follow_up(key, end)
        except NotLeading:
            raise
        except Conflict:
            await self._refresh(key)
            self.queue.again(key)
            result = "requeue"
        except NotFound:
            await self._refresh(key)
        except TooManyRequests as slow:
            self.queue.add_after(key, slow.after or 1.0)
        except ApiError as error:
            _LOG.warning("%s will be tried again: %s", key, error)
            self.queue.again(key)
        except Exception:  # noqa: BLE001 - a bug of ours must not stop the other resources, nor fail this one by a guess
            _LOG.exception("a pass over %s failed and will be repeated", key)
            self.queue.again(key)
        self.metrics.reconciles.labels(NAME, result).inc()
        self.metrics.seconds.labels(NAME).observe(self._clock.boottime() - began)

    def _follow_up(self, key: str, end: Settle) -> str:
        if self.index.is_at_rest(key):
            self.feeds.leave(key)
        if end.again:
            self.queue.again(key)
            return "requeue"
        self.queue.forget(key)
        if end.after is None:
            return "success"
        self.queue.add_after(key, end.after)
        return "requeue_after"

    async def _refresh(self, key: str) -> None:
        """Read what the watch has not brought yet."""
        namespace, _, name = key.partition("/")
        informer = self._informer_of(namespace)
        if informer is None:
            return
        try:
            self._wrote(await self._client.get(TRAINING_JOBS, namespace, name))
        except NotFound:
            informer.lost(key)
        except ApiError as error:
            _LOG.warning("%s cannot be read: %s", key, error)


def _mirror(client: Client, places: Places, index: Index) -> Mirror:
    return Mirror(client, TRAINING_JOBS, lambda: places.service(places.home), index)


def _revision(resource: Object) -> str:
    return str(resource["metadata"].get("resourceVersion") or "")


def _key(resource: Object) -> str:
    metadata = resource["metadata"]
    return f"{metadata.get('namespace')}/{metadata['name']}"


@asynccontextmanager
async def running(controller: Controller) -> AsyncIterator[None]:
    """Run it in the background for as long as the block lasts."""
    task = asyncio.create_task(controller.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        controller.queue.close()
