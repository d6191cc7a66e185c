"""Who makes a call: by an access key that is known, by temporary keys, or on loopback by being our own user."""

from __future__ import annotations

import re
from dataclasses import dataclass

from trainyard.access.keys import Key, KeyOf
from trainyard.access.sessions import Ended, Sessions
from trainyard.awswire.sigv4 import CredentialScope, Fault, SignatureRefused
from trainyard.model.keys import Scope

_ACCOUNT = re.compile(r"[0-9]{12}")


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller's scope; `key` is None where nothing can be, and need not be, verified."""

    scope: Scope
    key: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """The rule.

    keys     : the known access keys.
    sessions : knows the temporary ones; None where none are given out.
    home     : the account and region of calls that name none.
    verifies : only signatures by known keys are let in. Without it the listener lets in our own user alone, and
               whatever key he has is taken: one of twelve digits is the account, as with other local clouds.
    """

    keys: KeyOf
    home: Scope
    verifies: bool
    sessions: Sessions | None = None

    def of(self, signed: CredentialScope | None, token: str | None = None) -> Identity:
        """Who signed so, with the session token that came along. The signature is not verified here.

        Raises SignatureRefused for nobody who is let in.
        """
        if signed is None:
            if self.verifies:
                raise SignatureRefused(Fault.ABSENT, "Missing Authentication Token")
            return Identity(self.home)
        key = self.keys(signed.access_key) or self._temporary(signed.access_key, token)
        if key is not None:
            return Identity(self._scope(key, signed), key)
        if self.verifies:
            raise SignatureRefused(Fault.UNKNOWN_KEY, "The security token included in the request is invalid.")
        named = _ACCOUNT.fullmatch(signed.access_key)
        return Identity(Scope(signed.access_key if named else self.home.account, signed.region))

    def _temporary(self, access_key: str, token: str | None) -> Key | None:
        try:
            return None if self.sessions is None else self.sessions.key(access_key, token)
        except Ended:
            raise SignatureRefused(Fault.EXPIRED_KEY, "The security token included in the request is expired") from None

    def _scope(self, key: Key, signed: CredentialScope) -> Scope:
        if key.region and key.region != signed.region:
            raise SignatureRefused(
                Fault.SCOPE,
                f"Credential should be scoped to a valid region, not '{signed.region}'.",
            )
        return Scope(key.account, signed.region)
