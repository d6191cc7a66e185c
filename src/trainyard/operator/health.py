"""/healthz, /readyz and /metrics, as a pod's probes and Prometheus ask for them.

Alive is who hears the API server: a process whose watch fell silent is restarted, however well it answers HTTP.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from trainyard.model.errors import TrainyardError

NOWHERE = ("", "0")
_LARGEST_PORT = 65535
DEAF_AFTER = 300.0  # seconds without hearing the API server


@asynccontextmanager
async def answering(
    health: str, metrics: str, *, age: Callable[[], float], ready: Callable[[], bool], page: Callable[[], bytes]
) -> AsyncIterator[None]:
    """Answer on two addresses, `host:port` each, for as long as the block lasts; "" and "0" are none."""

    async def healthz(_request: web.Request) -> web.Response:
        seconds = age()
        alive = seconds < DEAF_AFTER
        return web.json_response({"watchAgeSeconds": round(seconds, 3)}, status=200 if alive else 503)

    async def readyz(_request: web.Request) -> web.Response:
        return web.json_response({"synced": ready()}, status=200 if ready() else 503)

    async def show(_request: web.Request) -> web.Response:
        return web.Response(body=page(), headers={"Content-Type": "text/plain; version=0.0.4"})

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_site(health, [web.get("/healthz", healthz), web.get("/readyz", readyz)]))
        await stack.enter_async_context(_site(metrics, [web.get("/metrics", show)]))
        yield


@asynccontextmanager
async def _site(address: str, routes: Sequence[web.RouteDef]) -> AsyncIterator[None]:
    host, _, port = address.rpartition(":")
    if address in NOWHERE:
        yield
        return
    if not port.isdecimal() or int(port[:6]) > _LARGEST_PORT:
        raise TrainyardError(f"{address!r} is no address: write host:port, or 0 for none.")
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host.strip("[]") or "0.0.0.0", int(port)).start()  # noqa: S104 - ACK's ":8080"
        yield
    except OSError as error:
        raise TrainyardError(f"{address} cannot be listened on: {error.strerror}.") from error
    finally:
        await runner.cleanup()
