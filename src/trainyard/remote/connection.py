"""The way to another Trainyard: HTTP over its control socket, or over TLS with a token."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from pydantic import ValidationError

from trainyard.controlapi.errors import decode_error
from trainyard.controlapi.methods import METHODS, SIGN_OF_LIFE
from trainyard.model.errors import TrainyardError, Transient
from trainyard.model.keys import Scope
from trainyard.remote import faults

ANSWER_WITHIN = 60.0  # seconds for a whole answer; a stream has no end, only signs of life
CONNECTED_WITHIN = 10.0  # seconds; a machine that is gone does not even refuse
SILENCE = 3 * SIGN_OF_LIFE  # seconds of a stream without a line: the other side is gone
LONGEST_WAIT = 300.0  # seconds that an answer may ask to wait; more is a mistake of its sender
_WHOLE = aiohttp.ClientTimeout(total=ANSWER_WITHIN, sock_connect=CONNECTED_WITHIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a Trainyard answers.

    url    : https://host:port, or http:// where `socket` is given or the host is this machine's own loopback.
    socket : its control socket; then the url's host is only a name.
    ca     : a file of the certificates that are trusted instead of the system's.
    token  : asked before every request, so that a renewed token is used at once; None sends none.
    """

    url: str = "http://trainyard"
    socket: Path | None = None
    ca: Path | None = None
    token: Callable[[], str] | None = None


class Connection:
    """Calls methods there. Open it as an async context manager; one connection serves many tasks."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        socket, ca = self._address.socket, self._address.ca
        trusted = faults.trusting(ca) if ca is not None else True
        connector = aiohttp.UnixConnector(str(socket)) if socket is not None else aiohttp.TCPConnector(ssl=trusted)
        self._session = aiohttp.ClientSession(connector=connector, timeout=_WHOLE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(self, scope: Scope, name: str, /, **given: Any) -> Any:
        """One method's result. Raises what the service there raised, Transient where it cannot be reached."""
        try:
            async with self._post(scope, name, given) as answer:
                plain = await _json(answer)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise faults.unreachable(self.where, METHODS[name], error) from error
        if answer.status != 200 or not isinstance(plain, Mapping) or "result" not in plain:
            raise _refusal(answer, plain)
        return _decoded(name, plain["result"])

    async def follow(self, scope: Scope, name: str, /, **given: Any) -> AsyncIterator[Any]:
        """A stream's items until it ends or falls silent, which is Transient: ask again from where you were."""
        endless = aiohttp.ClientTimeout(total=None, sock_connect=CONNECTED_WITHIN, sock_read=SILENCE)
        try:
            async with self._post(scope, name, given, timeout=endless) as answer:
                if answer.status != 200:
                    raise _refusal(answer, await _json(answer))
                async for line in answer.content:
                    if line.strip():
                        yield _item(name, line)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise faults.unreachable(self.where, METHODS[name], error) from error
        raise Transient(f"{self.where} ended its stream of {name}.")

    @property
    def where(self) -> str:
        """The place, in words."""
        return str(self._address.socket or self._address.url)

    def _post(self, scope: Scope, name: str, given: Mapping[str, Any], **options: Any) -> Any:
        if self._session is None:
            raise TrainyardError("The connection is not open.")
        token = self._address.token
        headers = {"Authorization": f"Bearer {token()}"} if token is not None else {}
        url = f"{self._address.url}/v1/{scope.account}/{scope.region}/{name}"
        body = METHODS[name].encode_arguments(given)
        return self._session.post(url, json=body, headers=headers, allow_redirects=False, **options)


def _refusal(answer: aiohttp.ClientResponse, plain: Any) -> TrainyardError:
    told = answer.headers.get("Retry-After", "")
    after = min(float(told), LONGEST_WAIT) if told.isdecimal() else 1.0
    return decode_error(answer.status, plain.get("error") if isinstance(plain, Mapping) else None, after)


def _item(name: str, line: bytes) -> Any:
    try:
        plain = json.loads(line)
    except ValueError as error:
        raise Transient(f"A line of the stream of {name} broke off.") from error
    if isinstance(plain, Mapping) and "error" in plain:
        raise decode_error(500, plain["error"])
    return _decoded(name, plain)


def _decoded(name: str, plain: Any) -> Any:
    try:
        return METHODS[name].result.decode(plain)
    except ValidationError as error:
        raise TrainyardError(
            f"The Trainyard there answers {name} in a way that this release does not know; bring both to one release."
        ) from error


async def _json(answer: aiohttp.ClientResponse) -> Any:
    try:
        return json.loads(await answer.read())
    except ValueError:
        return None
