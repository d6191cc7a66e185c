"""The webhook put together: its settings, its place in the home, HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from trainyard.kit.clock import SystemClock
from trainyard.model.errors import TrainyardError
from trainyard.webhook.telling import Telling
from trainyard.wiring.session import Session

_PATIENCE = 15.0  # seconds for one post
_AFTER_A_BUG = 5.0  # seconds


@asynccontextmanager
async def telling_beside(session: Session) -> AsyncIterator[None]:
    """Tell the configured URL of state changes for as long as the block lasts; nothing where there is none.

    Raises TrainyardError for a secret that cannot be read.
    """
    settings = session.settings.webhook
    if "url" not in settings:
        yield
        return
    import aiohttp

    secret = _secret(settings.get("secret_file"))
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE)) as http:

        async def post(body: bytes, headers: Mapping[str, str]) -> int:
            try:
                async with http.post(settings["url"], data=body, headers=headers, allow_redirects=False) as answer:
                    return answer.status
            except aiohttp.ClientError as error:
                raise OSError(str(error)) from error

        place = session.home.path / "webhook.json"
        telling = Telling(session.service, post, place, SystemClock(), secret)
        task = asyncio.create_task(_restarted(telling))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _restarted(telling: Telling) -> None:
    """A bug here stops neither the engine nor the doors."""
    while True:
        try:
            await telling.run()
        except Exception:
            logging.getLogger(__name__).exception("the webhook broke down and begins anew")
            await asyncio.sleep(_AFTER_A_BUG)


def _secret(file: str | None) -> bytes | None:
    if file is None:
        return None
    try:
        return Path(file).expanduser().read_bytes().strip()
    except OSError as error:
        raise TrainyardError(f"webhook.secret_file cannot be read: {error}") from error
