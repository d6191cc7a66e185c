"""The TrainingService over our own JSON API: one route per method, for whoever drives this Trainyard from elsewhere.

It knows services by their port and the wire by `controlapi`. Who may call is decided before a request gets here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from trainyard.controlapi.errors import encode_error
from trainyard.controlapi.methods import METHODS, SIGN_OF_LIFE, Method
from trainyard.model.errors import TrainyardError, Unsupported, ValidationRefused
from trainyard.model.keys import Scope
from trainyard.model.ledger import Change
from trainyard.ports.service import TrainingService

LARGEST_REQUEST = 4 << 20  # bytes; the largest CreateTrainingJob is far below
ServiceOf = Callable[[Scope], TrainingService]


def jobs_routes(service_of: ServiceOf, closing: asyncio.Event) -> list[Route]:
    """POST /v1/{account}/{region}/{method} for every method of the port. Streams end once `closing` is set."""

    async def call(request: Request) -> Response:
        try:
            return await _answer(service_of, request, closing)
        except TrainyardError as error:
            status, plain = encode_error(error)
            return JSONResponse({"error": plain}, status_code=status)

    return [Route("/v1/{account}/{region}/{method}", call, methods=["POST"])]


async def _answer(service_of: ServiceOf, request: Request, closing: asyncio.Event) -> Response:
    method = METHODS.get(request.path_params["method"])
    if method is None:
        raise Unsupported(f"There is no method {request.path_params['method']}; there are {', '.join(METHODS)}.")
    scope = Scope(request.path_params["account"], request.path_params["region"])
    function = getattr(service_of(scope), method.name, None)
    if function is None:
        raise Unsupported(f"This service has no {method.name}.")
    arguments = method.decode_arguments(await _body(request))
    if method.is_stream:
        lines = _lines(method, _of_scope(function(**arguments), scope), closing)
        return StreamingResponse(lines, media_type="application/x-ndjson")
    return JSONResponse({"result": method.result.encode(await function(**arguments))})


async def _body(request: Request) -> Any:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > LARGEST_REQUEST:
            raise ValidationRefused(f"The request is larger than {LARGEST_REQUEST} bytes.")
    try:
        return json.loads(content or b"{}")
    except (ValueError, RecursionError) as error:
        raise ValidationRefused(f"The request is no JSON: {error}.") from error


async def _of_scope(changes: AsyncIterator[Change], scope: Scope) -> AsyncIterator[Change | None]:
    """The changes of one tenant; None for another's, so that the reader's position can move on unseen."""
    async for change in changes:
        yield change if (change.account, change.region) == (scope.account, scope.region) else None


async def _lines(method: Method, items: AsyncIterator[Any], closing: asyncio.Event) -> AsyncIterator[bytes]:
    """JSON lines, and an empty one whenever nothing was told for a while."""
    upcoming = asyncio.ensure_future(anext(items))
    closed = asyncio.ensure_future(closing.wait())
    try:
        while not closing.is_set():
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
