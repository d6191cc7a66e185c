"""The AWS services that the programs of jobs ask, answered by whoever leads, at a socket of the home.

What answers is loaded when somebody asks: a command that leads for a moment does not pay for it. Every request must be
signed by keys of this home, whoever connects: on the machine's own network others can.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from importlib import import_module

from trainyard.wiring.inside import can_answer
from trainyard.wiring.session import Session
from trainyard.wiring.sockets import unix_listener

_LOG = logging.getLogger(__name__)
_BACKLOG = 128
_AGAIN = 1.0  # seconds


@asynccontextmanager
async def answering_programs(session: Session) -> AsyncIterator[None]:
    """Answer for as long as the block lasts, from its first moment on; a home that takes no socket is led without."""
    with ExitStack() as closing:
        listener = None
        if can_answer():
            try:
                listener = closing.enter_context(unix_listener(session.home.path, session.home.aws_socket.name))
                listener.listen(_BACKLOG)
            except OSError as error:
                _LOG.warning("AWS clients of jobs are not answered: %s", error)
        answering = None if listener is None else asyncio.create_task(_answer(session, listener))
        try:
            yield
        finally:
            if answering is not None:
                answering.cancel()
                with suppress(asyncio.CancelledError):
                    await answering


async def _answer(session: Session, listener: socket.socket) -> None:
    while True:
        await _somebody_at(listener)
        try:
            inside = await asyncio.to_thread(import_module, "trainyard.wiring.aws_inside")
            async with inside.answering_at(session, listener):
                await asyncio.Event().wait()
        except Exception:  # noqa: BLE001 - whatever it was, the engine goes on, and whoever asked is still there
            _LOG.exception("AWS clients of jobs cannot be answered; tried again")
            await asyncio.sleep(_AGAIN)


async def _somebody_at(listener: socket.socket) -> None:
    """Wait for the first connection, and leave it where it is."""
    came = asyncio.Event()
    listener.setblocking(False)
    loop = asyncio.get_running_loop()
    loop.add_reader(listener, came.set)
    try:
        await came.wait()
    finally:
        loop.remove_reader(listener)
