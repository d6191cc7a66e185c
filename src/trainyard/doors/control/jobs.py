"""The TrainingService over our own JSON API: one route per method, for whoever drives this Trainyard from elsewhere.

It knows services by their port and the wire by `controlapi`. The guard in front says who asks; here it is held against
the method (does it write?) and the place (the account and region of the path).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from trainyard.access.callers import Caller
from trainyard.access.guard import Denied, Guard, Judge, Limits
from trainyard.controlapi.errors import encode_error
from trainyard.controlapi.methods import METHODS, SIGN_OF_LIFE, Method
from trainyard.lifecycle.querying import check_list, check_search
from trainyard.model.errors import AccessDenied, TrainyardError, Transient, Unsupported, ValidationRefused
from trainyard.model.keys import Scope
from trainyard.model.ledger import Change
from trainyard.ports.service import TrainingService

PREFIX = "/v1/"  # of every path here; no Kubernetes API has it, so that both fit on one port
LIMITS = Limits(body=4 << 20)  # the largest CreateTrainingJob is far below
_CHECKS: dict[str, Callable[[Any], None]] = {"list": check_list, "search": check_search}
_ACCOUNT, _REGION = re.compile(r"[0-9]{12}"), re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
ServiceOf = Callable[[Scope], TrainingService]


def jobs_app(service_of: ServiceOf, closing: asyncio.Event, judge: Judge, limits: Limits = LIMITS) -> ASGIApp:
    """POST /v1/{account}/{region}/{method} for every method of the port. Streams end once `closing` is set."""

    async def call(request: Request) -> Response:
        try:
            return await _answer(service_of, request, closing)
        except TrainyardError as error:
            status, plain = encode_error(error)
            return JSONResponse({"error": plain}, status_code=status)
        except Denied as denied:  # the body was too large, or too slow
            return Response(_told(denied), status_code=denied.code, media_type="application/json")

    route = Route(PREFIX + "{account}/{region}/{method}", call, methods=["POST"])
    return Guard(Starlette(routes=[route]), judge, limits, _told)


def _told(denied: Denied) -> bytes:
    """The guard's refusal in the words of this API."""
    error: TrainyardError
    match denied.code:
        case 401:
            error = AccessDenied("The token is not known here, or no longer.")
        case 403:
            error = AccessDenied(f"Refused: {denied.message}.")
        case 408 | 429 | 503:
            error = Transient(f"Refused for now: {denied.message}.")
        case _:
            error = ValidationRefused(f"Refused: {denied.message}.")
    return json.dumps({"error": encode_error(error)[1]}).encode()


def _scope_of(request: Request, method: Method) -> Scope:
    """The place of the path, if the caller may do this there. Raises ValidationRefused, AccessDenied."""
    account, region = request.path_params["account"], request.path_params["region"]
    if not (_ACCOUNT.fullmatch(account) and _REGION.fullmatch(region)):
        raise ValidationRefused("An account is twelve digits, a region looks like us-east-1.")
    caller: Caller = request.scope["caller"]
    if not caller.may_in(account, region, writes=method.writes):
        held = ", ".join(sorted(caller.scopes)) or "no place in particular"
        raise AccessDenied(
            f"{caller.name} may not {method.name} in {account}/{region}: "
            f"the token's role is {caller.role}, and it is held to {held}."
        )
    return Scope(account, region)


async def _answer(service_of: ServiceOf, request: Request, closing: asyncio.Event) -> Response:
    method = METHODS.get(request.path_params["method"])
    if method is None:
        raise Unsupported(f"There is no method {request.path_params['method']}; there are {', '.join(METHODS)}.")
    scope = _scope_of(request, method)
    function = getattr(service_of(scope), method.name, None)
    if function is None:
        raise Unsupported(f"This service has no {method.name}.")
    arguments = method.decode_arguments(await _body(request))
    if method.name in _CHECKS:  # whatever the service behind would make of it
        _CHECKS[method.name](arguments["query"])
    if method.is_stream:
        lines = _lines(
            method, _of_scope(function(**arguments), scope), closing, _now_and_then(request.scope["welcome"])
        )
        return StreamingResponse(lines, media_type="application/x-ndjson")
    return JSONResponse({"result": method.result.encode(await function(**arguments))})


async def _body(request: Request) -> Any:
    content = await request.body()
    try:
        return json.loads(content or b"{}")
    except (ValueError, RecursionError) as error:
        raise ValidationRefused(f"The request is no JSON: {error}.") from error


async def _of_scope(changes: AsyncIterator[Change], scope: Scope) -> AsyncIterator[Change | None]:
    """The changes of one tenant; None for another's, so that the reader's position can move on unseen."""
    async for change in changes:
        yield change if (change.account, change.region) == (scope.account, scope.region) else None


async def _lines(
    method: Method, items: AsyncIterator[Any], closing: asyncio.Event, welcome: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """JSON lines, and an empty one whenever nothing was told for a while; no more of either for who is not welcome."""
    upcoming = asyncio.ensure_future(anext(items))
    closed = asyncio.ensure_future(closing.wait())
    try:
        while not closing.is_set() and welcome():
            done, _ = await asyncio.wait({upcoming, closed}, timeout=SIGN_OF_LIFE, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                yield b"\n"
            if upcoming in done:
                item, upcoming = upcoming.result(), asyncio.ensure_future(anext(items))
                if item is not None:
                    yield json.dumps(method.result.encode(item)).encode() + b"\n"
    except TrainyardError as error:
        yield json.dumps({"error": encode_error(error)[1]}).encode() + b"\n"
    finally:
        upcoming.cancel()
        closed.cancel()


def _now_and_then(ask: Callable[[], bool]) -> Callable[[], bool]:
    """The last answer; asked for again once it is old."""
    loop = asyncio.get_running_loop()
    asked, last = loop.time(), True

    def answer() -> bool:
        nonlocal asked, last
        if loop.time() >= asked + SIGN_OF_LIFE:
            asked, last = loop.time(), ask()
        return last

    return answer
