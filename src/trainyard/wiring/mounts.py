"""Entry point of the helper that serves a job's FastFile channels: `python -m trainyard.wiring.mounts ATTEMPT`.

The mount is made inside the job's private view of the machine and its device handed over here, so that it is nobody
else's and goes with the job.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import traceback

from trainyard.agent import mounted
from trainyard.agent.fastfile import Blocks, Tree
from trainyard.agent.listing import Listing
from trainyard.runtimes.local import fuse
from trainyard.wiring.beside import Beside, run


async def _serve(beside: Beside) -> None:
    tree = Tree()
    for channel in beside.channels("FastFile"):
        tree.add(channel.name, Listing(channel))
    blocks = Blocks(beside.read, asyncio.get_running_loop())
    with fuse.listener(beside.attempt.folder) as listener:
        beside.ready()
        device = await asyncio.to_thread(fuse.taken, listener)
    threading.Thread(target=_answer, args=(device, tree, blocks, beside), daemon=True).start()


def _answer(device: int, tree: Tree, blocks: Blocks, beside: Beside) -> None:
    """Answer the kernel. A device that nobody answers is closed, so that reads fail and do not wait."""
    try:
        mounted.serve(device, tree, blocks, beside.notice)
    except Exception:  # noqa: BLE001 - whatever it is, the program must hear of it
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    run(sys.argv[1], "mounts", _serve)
