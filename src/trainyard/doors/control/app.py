"""The server's own HTTP: is it alive, how is it doing, and please finish.

It knows what it is handed, nothing of engines. GET /healthz is 200 while the engine makes passes, or
stands by while another process leads, and 503 once it has stalled; GET /metrics is Prometheus text; POST /drain stops
placing new jobs and lets the server end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

STALLED_AFTER = 30.0  # seconds without a pass of the engine; it makes one at least every second


@dataclass(frozen=True, slots=True)
class Vitals:
    """How the engine does. `pass_age` in seconds; counts of jobs by TrainingJobStatus.

    leading : False while another process leads this home; this one stands by, which is no fault.
    """

    pass_age: float
    jobs: dict[str, int]
    waiting: int
    leading: bool = True


def control_app(vitals: Callable[[], Vitals], drain: Callable[[], None]) -> Starlette:
    """The application that `serve` puts on the control socket, beside the job API."""

    async def healthz(_request: Request) -> Response:
        now = vitals()
        if not now.leading:
            return JSONResponse({"status": "standby"})
        alive = now.pass_age < STALLED_AFTER
        return JSONResponse(
            {"status": "ok" if alive else "stalled", "lastPassSeconds": round(now.pass_age, 3)},
            status_code=200 if alive else 503,
        )

    async def metrics(_request: Request) -> Response:
        return Response(_prometheus(vitals()), media_type="text/plain; version=0.0.4")

    async def begin_drain(_request: Request) -> Response:
        drain()
        return JSONResponse({"status": "draining"}, status_code=202)

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/metrics", metrics),
            Route("/drain", begin_drain, methods=["POST"]),
        ]
    )


def _prometheus(now: Vitals) -> bytes:
    registry = CollectorRegistry()
    Gauge("trainyard_engine_pass_age_seconds", "Since the engine's last pass.", registry=registry).set(now.pass_age)
    Gauge("trainyard_jobs_waiting", "Jobs waiting for their place.", registry=registry).set(now.waiting)
    Gauge("trainyard_engine_leading", "1 while this process leads its home.", registry=registry).set(now.leading)
    jobs = Gauge("trainyard_jobs", "Jobs by TrainingJobStatus.", ["status"], registry=registry)
    for status, count in now.jobs.items():
        jobs.labels(status=status).set(count)
    return generate_latest(registry)
