"""The engine that is left behind: `python -m trainyard.wiring.caretaker HOME`. Leads while a job is unfinished.

Whoever starts it took the lead for it: the lock is its descriptor `detached.HELD`.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from trainyard.kit import detached
from trainyard.wiring.session import lead, open_session

LOOK = 0.5  # seconds between looks at whether anything is left


async def _care(home: str) -> None:
    async with open_session(home) as session:
        session.leadership.inherit(detached.HELD)
        leading = asyncio.create_task(lead(session))
        while await session.engine.has_unfinished() and not leading.done():
            await asyncio.sleep(LOOK)
        leading.cancel()
        with suppress(asyncio.CancelledError):
            await leading
        session.leadership.leave()


if __name__ == "__main__":
    asyncio.run(_care(sys.argv[1]))
