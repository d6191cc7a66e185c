"""Entry point of the helper that feeds a job's pipes: `python -m trainyard.wiring.pipes ATTEMPT`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable

from trainyard.agent.epochs import epoch_bytes
from trainyard.agent.listing import Listing
from trainyard.agent.orders import ChannelOrder
from trainyard.agent.pipes import Pipe, Progress
from trainyard.kit import beneath
from trainyard.kit.crashpoint import crashpoint
from trainyard.wiring.beside import Beside, run


async def _feed(beside: Beside) -> None:
    with beneath.folder(beside.attempt.ml, "input/data") as folder:
        feeding = [_feeding(beside, channel, folder) for channel in beside.channels("Pipe")]
        beside.ready()
        await asyncio.gather(*feeding)


def _feeding(beside: Beside, channel: ChannelOrder, folder: int) -> Awaitable[None]:
    """Make the channel's pipe; what is returned feeds it."""
    listing = Listing(channel)
    progress = Progress(beside.attempt.pipe(channel.name))
    pipe = Pipe(folder, channel.name, progress, timeout=beside.plain["pipe_timeout"])

    def data(epoch: int) -> AsyncGenerator[bytes, None]:
        crashpoint("piping")
        return epoch_bytes(beside.read, listing, channel, epoch, beside.attempt.folder)

    return pipe.feed(data)


if __name__ == "__main__":
    run(sys.argv[1], "pipes", _feed)
