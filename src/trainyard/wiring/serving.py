"""The engine held by a server, and the examination of a machine."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
from collections import Counter
from contextlib import suppress

from trainyard.model.errors import Unsupported
from trainyard.runtimes.local.runtime import machine
from trainyard.wiring.session import Session


async def serve(session: Session, stopping: asyncio.Event, drain_timeout: float) -> None:
    """Answer on the control socket until `stopping`; running jobs go on without us."""
    if importlib.util.find_spec("uvicorn") is None:
        raise Unsupported("`serve` needs its extra: pip install 'trainyard[serve]'.")
    import uvicorn

    from trainyard.doors.control.app import Vitals, control_app

    latest = Vitals(pass_age=0.0, jobs={}, waiting=0)

    async def count() -> None:
        nonlocal latest
        while True:
            records = await session.engine.unfinished()
            age = max(0.0, session.engine.pass_age())
            jobs = Counter(str(record.status) for record in records)
            latest = Vitals(
                pass_age=age, jobs=dict(jobs), waiting=sum(record.waiting is not None for record in records)
            )
            await asyncio.sleep(1.0)

    def drain() -> None:
        session.engine.placing = False
        stopping.set()

    path = session.home.control_socket
    path.unlink(missing_ok=True)
    config = uvicorn.Config(
        control_app(lambda: latest, drain), uds=str(path), log_level="warning", lifespan="off",
        timeout_graceful_shutdown=int(drain_timeout),
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    counting, serving = asyncio.create_task(count()), asyncio.create_task(server.serve())
    await stopping.wait()
    server.should_exit = True
    counting.cancel()
    with suppress(asyncio.CancelledError):
        await counting
    await serving
    path.unlink(missing_ok=True)


def examine(session: Session) -> list[tuple[str, str, str]]:
    """(check, ok | warn | fail, detail) for everything that jobs here depend on."""
    room = shutil.disk_usage(session.home.path).free
    size = machine()
    unprivileged = _reads_one("/proc/sys/kernel/unprivileged_userns_clone", default=True)
    private = os.geteuid() == 0 or unprivileged
    xgboost = importlib.util.find_spec("xgboost") is not None
    return [
        ("home", "ok", str(session.home.path)),
        ("disk", "ok" if room > 10**9 else "warn", f"{room / 10**9:.1f} GB free"),
        ("machine", "ok", f"{size.cpus:g} vCPU, {size.memory / 1024**3:.1f} GiB, {size.gpus} GPU"),
        ("private /opt/ml", "ok" if private else "warn", "by namespaces" if private else "not on this system"),
        ("s3://", "ok", session.objects.place_of("s3://any-other-bucket/")),
        (
            "built-in XGBoost",
            "ok" if xgboost else "warn",
            "installed" if xgboost else "pip install 'trainyard[xgboost]'",
        ),
        ("local/python", "ok", session.catalogue.python),
    ]


def _reads_one(path: str, *, default: bool) -> bool:
    try:
        with open(path) as file:
            return file.read().strip() == "1"
    except FileNotFoundError:
        return default
