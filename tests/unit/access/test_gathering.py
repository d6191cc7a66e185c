"""Writes that are gathered: fewer, in order, and none kept back."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trainyard.access.gathering import MOST_HELD, Gathering


class Noting:
    """A transport that notes what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written.append(data)

    def close(self) -> None:
        self.closed = True


async def _written(pieces: list[bytes], *, close: bool) -> tuple[Noting, int]:
    """A transport after some writes of one turn, and how many writes it had met before the next."""
    transport: Any = Noting()
    gathering = Gathering(transport, asyncio.get_running_loop())
    for piece in pieces:
        gathering.write(piece)
    if close:
        gathering.close()
    at_once = len(transport.written)
    await asyncio.sleep(0)
    return transport, at_once


def test_a_head_and_its_body_are_one_write() -> None:
    transport, at_once = asyncio.run(_written([b"head", b"body"], close=False))
    assert (transport.written, at_once) == ([b"headbody"], 0)


def test_what_is_large_goes_at_once() -> None:
    _, at_once = asyncio.run(_written([b"head", b"x" * MOST_HELD], close=False))
    assert at_once == 1


@given(st.lists(st.integers(0, MOST_HELD).map(lambda size: b"x" * size)), st.booleans())
def test_everything_goes_out_in_order_and_before_the_end(pieces: list[bytes], close: bool) -> None:
    marked = [piece + b"%d" % place for place, piece in enumerate(pieces)]
    transport, _ = asyncio.run(_written(marked, close=close))
    assert b"".join(transport.written) == b"".join(marked)
    assert transport.closed == close
