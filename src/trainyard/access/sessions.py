"""Temporary keys: whoever acts as a role for a while signs with them. They say themselves whose they are, sealed."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from trainyard.access.keys import Key
from trainyard.access.seals import Seals

PREFIX = "ASIA"  # of temporary access keys, as the service writes them
_KEYS, _SECRETS = "session keys", "session secrets"  # what a seal is for
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class Ended(Exception):  # noqa: N818 - an answer, not a fault
    """These were temporary keys of ours, and their time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Who acts as whom. role: its ARN. name: of the session. region: the one that it is good for; "" for all."""

    account: str
    role: str
    name: str
    region: str = ""
    reads_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporaryKeys:
    """What is given out. expires: epoch seconds."""

    access_key: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    expires: float


@dataclass(frozen=True, slots=True)
class Sessions:
    """Gives temporary keys out and knows them again."""

    seals: Seals
    now: Callable[[], float]

    def begin(self, grant: Grant, seconds: float) -> TemporaryKeys:
        """Keys that are good for so long."""
        access_key = PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(16))
        expires = self.now() + seconds
        payload = {
            "key": access_key, "until": expires, "account": grant.account, "role": grant.role, "name": grant.name,
            "region": grant.region, "reads": grant.reads_only,
        }  # fmt: skip
        token = self.seals.seal(_KEYS, payload)
        secret = self.seals.derived(_SECRETS, token)
        return TemporaryKeys(access_key=access_key, secret=secret, token=token, expires=expires)

    def key(self, access_key: str, token: str | None) -> Key | None:
        """The key that belongs to an access key and its token; None for keys of others. Raises Ended."""
        if not token or not access_key.startswith(PREFIX):
            return None
        payload = self.seals.opened(_KEYS, token)
        if payload is None or payload["key"] != access_key:
            return None
        if self.now() >= payload["until"]:
            raise Ended
        return _key(payload, self.seals.derived(_SECRETS, token))


def _key(payload: dict[str, Any], secret: str) -> Key:
    return Key(
        secret=secret, account=payload["account"], region=payload["region"], reads_only=payload["reads"],
        session=(payload["role"], payload["name"]),
    )  # fmt: skip
