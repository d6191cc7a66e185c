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
    """Who made a request.

    scopes: what the caller is held to; empty: nothing. Namespaces by their names; places of the job API as
            `ACCOUNT/REGION`, or `ACCOUNT/*` for all regions. No namespace's name holds a slash: neither is the other.
    """

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

    def may_in(self, account: str, region: str, *, writes: bool) -> bool:
        """Whether the caller may use jobs of one account and region: look at them, or `writes` as well."""
        if self.scopes and self.scopes.isdisjoint({f"{account}/{region}", f"{account}/*"}):
            return False
        return self.may_write or not writes


OWNER = Caller("owner", Role.ADMIN)
