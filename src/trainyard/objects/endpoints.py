"""Objects at Amazon S3 or a compatible endpoint, through obstore."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import obstore
from obstore import exceptions
from obstore.store import S3Store

from trainyard.model.errors import TrainyardError, Transient, ValidationRefused
from trainyard.ports.objects import PARTIAL, ObjectInfo


class EndpointStore:
    """One bucket at one endpoint. Credentials: those given, else none if `anonymous`, else obstore's own chain."""

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str | None,
        region: str | None,
        credentials: dict[str, str],
        anonymous: bool = False,
    ) -> None:
        self._base = f"s3://{bucket}/"
        self._place = endpoint or "Amazon S3"
        options: dict[str, Any] = {**credentials, "region": region or "us-east-1"}
        if anonymous:
            options["skip_signature"] = True
        if endpoint is not None:
            options |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
        client: Any = {"allow_http": True} if (endpoint or "").startswith("http://") else {}
        self._store = S3Store(bucket, client_options=client, **options)

    async def list(self, uri: str) -> AsyncIterator[ObjectInfo]:
        """Objects in key order. The store lists by whole segments, so the rest of the prefix is compared here."""
        prefix = uri.removeprefix(self._base)
        folder = prefix[: prefix.rfind("/") + 1]
        empty: set[str] = set()
        try:
            async for batch in obstore.list(self._store, prefix=folder or None):
                for meta in batch:
                    info = self._info(meta)
                    if info.size == 0 and (info.uri in empty or not await self._is_empty(info.uri)):
                        info = replace(info, uri=f"{info.uri}/")  # a folder's marker: obstore drops the slash
                    elif info.size == 0:
                        empty.add(info.uri)
                    if info.uri.startswith(self._base + prefix):
                        yield info
        except Exception as error:
            raise self._explained(error, uri) from error

    async def head(self, uri: str) -> ObjectInfo | None:
        """One object, or None."""
        try:
            return self._info(await obstore.head_async(self._store, uri.removeprefix(self._base)))
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._explained(error, uri) from error

    async def get(self, uri: str) -> bytes:
        """The whole object."""
        try:
            answer = await obstore.get_async(self._store, uri.removeprefix(self._base))
            return bytes(await answer.bytes_async())
        except Exception as error:
            raise self._explained(error, uri) from error

    async def read(self, info: ObjectInfo, start: int, stop: int) -> bytes:
        """A part of the object, asked for by its range and its ETag."""
        if start == stop:
            return b""
        options: Any = {"range": (start, stop), **({"if_match": info.etag} if info.etag else {})}
        try:
            answer = await obstore.get_async(self._store, info.uri.removeprefix(self._base), options=options)
            data = bytes(await answer.bytes_async())
        except exceptions.PreconditionError as error:
            text = f"The object {info.uri} is not what it was when the job began to read it."
            raise ValidationRefused(text) from error
        except Exception as error:
            raise self._explained(error, info.uri) from error
        if len(data) != stop - start:
            raise Transient(f"{info.uri} came with {len(data)} of {stop - start} bytes.")
        return data

    async def download(self, info: ObjectInfo, target: Path) -> int:
        """Stream into a temporary file, compare the length, then rename."""
        partial = target.with_name(f"{PARTIAL}{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:32]}")
        written = 0
        try:
            answer = await obstore.get_async(self._store, info.uri.removeprefix(self._base))
            with partial.open("wb") as file:
                async for piece in answer.stream(min_chunk_size=1 << 20):
                    written += file.write(piece)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        except Exception as error:
            partial.unlink(missing_ok=True)
            raise self._explained(error, info.uri) from error
        if written != info.size:
            partial.unlink(missing_ok=True)
            raise Transient(f"{info.uri} came with {written} of {info.size} bytes.")
        partial.replace(target)
        return written

    async def put(self, uri: str, content: bytes) -> None:
        """Write a small object."""
        try:
            await obstore.put_async(self._store, uri.removeprefix(self._base), content)
        except Exception as error:
            raise self._explained(error, uri) from error

    async def upload(self, source: Path, uri: str) -> int:
        """Upload a file, in parts where it is large; the object appears when it is complete."""
        try:
            await obstore.put_async(self._store, uri.removeprefix(self._base), source)
        except Exception as error:
            raise self._explained(error, uri) from error
        return source.stat().st_size

    async def delete(self, uri: str) -> None:
        """Remove an object."""
        try:
            await obstore.delete_async(self._store, uri.removeprefix(self._base))
        except FileNotFoundError:
            return
        except Exception as error:
            raise self._explained(error, uri) from error

    def place_of(self, uri: str) -> str:  # noqa: ARG002 - the whole bucket is in one place
        """The endpoint."""
        return self._place

    async def _is_empty(self, uri: str) -> bool:
        """Whether there is an object of that very key, and no bytes in it."""
        found = await self.head(uri)
        return found is not None and found.size == 0

    def _info(self, meta: Any) -> ObjectInfo:
        return ObjectInfo(
            uri=self._base + meta["path"],
            size=meta["size"],
            etag=meta["e_tag"] or "",
            modified=meta["last_modified"].timestamp(),
        )

    def _explained(self, error: Exception, uri: str) -> TrainyardError:
        if isinstance(error, TrainyardError):
            return error
        text = str(error).split("\n", 1)[0][:300]
        if isinstance(error, exceptions.NotFoundError | FileNotFoundError) or "NoSuchBucket" in str(error):
            return ValidationRefused(f"There is nothing at {uri} ({self._place}): {text}")
        if "invalid path" in text or "Could not parse path" in text:
            return ValidationRefused(f"A key at {uri} cannot be served from {self._place}: {text}")
        denied = exceptions.PermissionDeniedError | exceptions.UnauthenticatedError | PermissionError
        if isinstance(error, denied) or "403" in text:
            text = f"Access to {uri} was denied by {self._place}; trainyard.toml gives a bucket or a role its keys."
            return ValidationRefused(text)
        return Transient(f"{self._place} did not serve {uri}: {text}")
