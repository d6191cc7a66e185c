"""Callers: who asks, in which role, for which scopes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

READING = frozenset({"GET", "HEAD"})


class Role(StrEnum):
    """What a caller may do: look; look and work in its scopes; everything."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who made a request. `scopes`: namespaces (or accounts) that the caller is held to; empty: all."""

    name: str
    role: Role
    scopes: frozenset[str] = frozenset()

    @property
    def may_write(self) -> bool:
        """More than looking."""
        return self.role is not Role.READ

    def may(self, method: str, scope: str) -> bool:
        """Whether the caller may use an HTTP method in a scope; "" is what belongs to no scope."""
        if self.role is Role.ADMIN and not self.scopes:
            return True
        if self.scopes and scope not in self.scopes:
            return False
        return method in READING or (self.may_write and (bool(scope) or self.role is Role.ADMIN))


OWNER = Caller("owner", Role.ADMIN)
