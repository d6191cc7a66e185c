"""The engine that is left behind: `python -m trainyard.wiring.caretaker HOME`. Leads while a job is unfinished."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from trainyard.wiring.session import lead, open_session

LOOK = 0.5  # seconds between looks at whether anything is left


async def _care(home: str) -> None:
    async with open_session(home) as session:
        if not session.leadership.try_lead():
            return
        leading = asyncio.create_task(lead(session))
        while await session.engine.unfinished() and not leading.done():
            await asyncio.sleep(LOOK)
        leading.cancel()
        with suppress(asyncio.CancelledError):
            await leading
        session.leadership.leave()


if __name__ == "__main__":
    asyncio.run(_care(sys.argv[1]))
