"""Names that nothing else has."""

from __future__ import annotations

import secrets


def ordered_id(now: float) -> str:
    """32 hexadecimal digits: the milliseconds of `now`, then 80 random bits.

    What is made one after the other stands side by side in an index, and a write touches few of its pages.
    """
    return f"{int(now * 1000) & (1 << 48) - 1:012x}{secrets.token_hex(10)}"
