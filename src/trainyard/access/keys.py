"""Access keys of AWS clients: whose each is, and what its holder may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One access key.

    secret  : what its holder signs with.
    account : whose jobs and objects its holder sees, and nobody else's.
    region  : the one region that it is good for; "" for all.
    reads_only : its holder may look and change nothing.
    session : the role that its holder acts as (its ARN), and the session's name; None for keys that do not end.
    """

    secret: str = field(repr=False)
    account: str
    region: str = ""
    reads_only: bool = False
    session: tuple[str, str] | None = None


KeyOf = Callable[[str], Key | None]
"""The key of that name, as it is now; None where there is none."""
