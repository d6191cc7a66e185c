"""Which bucket lies where: the router over the stores, built of plain settings so that helper processes rebuild it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from trainyard.kit.clock import SystemClock
from trainyard.kit.lately import Lately
from trainyard.model import uris
from trainyard.model.buckets import Tenant
from trainyard.model.errors import ObjectRefused, ValidationRefused
from trainyard.objects.embedded.bucket import EmbeddedBucket
from trainyard.objects.embedded.store import EmbeddedStore
from trainyard.objects.folders import FolderStore
from trainyard.ports.objects import ObjectInfo, ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where one bucket is: exactly one of `folder`, `embedded` (the embedded store's root) or an endpoint.

    `endpoint` None with neither folder nor embedded means Amazon S3. `anonymous` requests are not signed.
    """

    folder: str | None = None
    embedded: str | None = None
    endpoint: str | None = None
    region: str | None = None
    credentials: dict[str, str] = field(default_factory=dict)
    anonymous: bool = False


class Buckets:
    """ports.objects.ObjectStore over every bucket and `file://`.

    Embedded stores are opened when they are first needed, and `close` closes them; routers made by `signed` share them.
    """

    def __init__(
        self, routes: dict[str, Route], default: Route, embedded: dict[str, EmbeddedStore] | None = None,
        tenant: Tenant | None = None,
    ) -> None:  # fmt: skip
        self._routes, self._default, self._tenant = routes, default, tenant
        self._stores: dict[str, ObjectStore] = {}
        self._admitted: set[str] = set()
        self._nobodys: Lately[str, bool] = Lately(_STILL_NOBODYS)
        self._embedded: dict[str, EmbeddedStore] = {} if embedded is None else embedded

    def close(self) -> None:
        """Close what was opened."""
        for store in self._embedded.values():
            store.close()
        self._embedded.clear()
        self._stores.clear()

    def embedded(self, root: str) -> EmbeddedStore:
        """The embedded store in that folder."""
        if root not in self._embedded:
            self._embedded[root] = EmbeddedStore(Path(root), SystemClock())
        return self._embedded[root]

    def to_plain(self) -> dict[str, Any]:
        """For attempt.json; `from_plain` makes the same router of it."""
        return {
            "buckets": {name: asdict(route) for name, route in self._routes.items()},
            "default": asdict(self._default),
            **({} if self._tenant is None else {"tenant": asdict(self._tenant)}),
        }

    def signed(self, keys: dict[str, str]) -> Buckets:
        """The same router for a job's role: buckets at an endpoint that have no keys of their own take the role's.

        Without any keys requests are anonymous: a transfer signs as its role says, never as whoever started it.
        """
        signed = {name: _signed(route, keys) for name, route in self._routes.items()}
        return Buckets(signed, _signed(self._default, keys), self._embedded, self._tenant)

    def of(self, tenant: Tenant) -> Buckets:
        """The same router for a tenant's jobs: of the embedded store they reach his buckets alone."""
        return Buckets(self._routes, self._default, self._embedded, tenant)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Buckets:
        """What `to_plain` gave."""
        routes = {name: Route(**route) for name, route in plain["buckets"].items()}
        tenant = Tenant(**plain["tenant"]) if "tenant" in plain else None  # a release before this one knew none
        return cls(routes, Route(**plain["default"]), tenant=tenant)

    def embeds(self, bucket: str = "") -> bool:
        """Whether a bucket is, or would be, in the embedded store; without a name, any that settings do not name."""
        return self._routes.get(bucket, self._default).embedded is not None

    def elsewhere(self, bucket: str) -> str | None:
        """Where a bucket is that is not in the embedded store, in words; None for one that is, or would be."""
        route = self._routes.get(bucket, self._default)
        return None if route.embedded is not None else self.place_of(f"s3://{bucket}/")

    async def admit(self, uri: str) -> None:
        """Refuse what is another tenant's before anything is asked of it. Raises ValidationRefused.

        What an endpoint refuses is known only when it is asked.
        """
        bucket = uri.removeprefix("s3://").partition("/")[0]
        root = self._routes.get(bucket, self._default).embedded
        if not uri.startswith("s3://") or root is None or bucket in self._admitted or self._nobodys.get(bucket):
            return
        if await EmbeddedBucket(self.embedded(root), bucket, self._tenant).admit():
            if len(self._admitted) >= _MOST_ADMITTED:
                self._admitted.clear()
            self._admitted.add(bucket)
        else:
            self._nobodys.keep(bucket, answer=True)

    async def admits(self, bucket: str, tenant: Tenant, *, has_keys: bool) -> bool:
        """Whether a bucket may be written to for a tenant, with keys or without. One that is not there is made."""
        route = self._routes.get(bucket, self._default)
        if route.embedded is None:
            return route.folder is not None or bool(route.credentials) or has_keys
        try:
            return tenant.owns(await self.embedded(route.embedded).bucket(bucket))
        except ObjectRefused:
            return True

    async def list(self, uri: str) -> AsyncIterator[ObjectInfo]:
        """Objects under a prefix."""
        store, plain = self._at(uri)
        async for info in store.list(plain):
            yield info

    async def head(self, uri: str) -> ObjectInfo | None:
        """One object, or None."""
        store, plain = self._at(uri)
        return await store.head(plain)

    async def get(self, uri: str) -> bytes:
        """The whole of a small object."""
        store, plain = self._at(uri)
        return await store.get(plain)

    async def read(self, info: ObjectInfo, start: int, stop: int) -> bytes:
        """A part of an object."""
        return await self._at(info.uri)[0].read(info, start, stop)

    async def download(self, info: ObjectInfo, target: Path) -> int:
        """An object into a file."""
        return await self._at(info.uri)[0].download(info, target)

    async def put(self, uri: str, content: bytes) -> None:
        """Write a small object."""
        store, plain = self._at(uri)
        await store.put(plain, content)

    async def upload(self, source: Path, uri: str) -> int:
        """A file into an object."""
        store, plain = self._at(uri)
        return await store.upload(source, plain)

    async def delete(self, uri: str) -> None:
        """Remove an object."""
        store, plain = self._at(uri)
        await store.delete(plain)

    def place_of(self, uri: str) -> str:
        """Where the URI's bytes are."""
        store, plain = self._at(uri)
        return store.place_of(plain)

    def _at(self, uri: str) -> tuple[ObjectStore, str]:
        """The store of a URI, and the URI in its plain `s3://` or `file:///` form."""
        plain = uris.plain(uri)
        scheme, _, rest = plain.partition("://")
        if scheme == "file" and rest.startswith("/"):
            return self._store("file"), plain
        bucket = rest.partition("/")[0]
        if scheme != "s3" or not bucket or bucket in (".", ".."):
            raise ValidationRefused(f"{uri!r} is no object URI; write s3://bucket/key or file:///path.")
        return self._store(bucket, is_bucket=True), plain

    def _store(self, name: str, *, is_bucket: bool = False) -> ObjectStore:
        known = f"s3://{name}/" if is_bucket else "file:///"
        if known not in self._stores:
            self._stores[known] = self._bucket_store(name, known) if is_bucket else _FILES
        return self._stores[known]

    def _bucket_store(self, bucket: str, base: str) -> ObjectStore:
        route = self._routes.get(bucket, self._default)
        if route.folder is not None:
            return FolderStore(Path(route.folder), base, create=False)
        if route.embedded is not None:
            return EmbeddedBucket(self.embedded(route.embedded), bucket, self._tenant)
        from trainyard.objects.endpoints import EndpointStore  # noqa: PLC0415 - folders alone do not load the client

        return EndpointStore(
            bucket, endpoint=route.endpoint, region=route.region, credentials=route.credentials,
            anonymous=route.anonymous,
        )  # fmt: skip


_MOST_ADMITTED = 1000  # buckets that are remembered as the tenant's own
_STILL_NOBODYS = 0.5  # seconds: a job that writes to a bucket which is another's by then is refused when it writes
_FILES = FolderStore(Path("/"), "file:///", create=True)


def _signed(route: Route, keys: dict[str, str]) -> Route:
    if route.folder is not None or route.embedded is not None or route.credentials:
        return route
    return replace(route, credentials=keys, anonymous=not keys)
