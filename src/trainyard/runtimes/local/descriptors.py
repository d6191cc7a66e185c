"""What a fork keeps open. Standard library only."""

from __future__ import annotations

import os

_MOST = 1024  # the supervisor, whose forks these are, opens a handful


def close_all_but(*kept: int) -> None:
    """Leave nothing of the parent's open, above all not its lock: the fork would hold it for ever."""
    low = 3
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, _MOST)
