"""Who makes a call: by an access key that is known, or on loopback by being our own user."""

from __future__ import annotations

import re
from dataclasses import dataclass

from trainyard.access.keys import Key, KeyOf
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
    home     : the account and region of calls that name none.
    verifies : only signatures by known keys are let in. Without it the listener lets in our own user alone, and
               whatever key he has is taken: one of twelve digits is the account, as with other local clouds.
    """

    keys: KeyOf
    home: Scope
    verifies: bool

    def of(self, signed: CredentialScope | None) -> Identity:
        """Who signed so. Raises SignatureRefused for nobody who is let in; the signature is not verified here."""
        if signed is None:
            if self.verifies:
                raise SignatureRefused(Fault.ABSENT, "Missing Authentication Token")
            return Identity(self.home)
        key = self.keys(signed.access_key)
        if key is not None:
            return Identity(self._scope(key, signed), key)
        if self.verifies:
            raise SignatureRefused(Fault.UNKNOWN_KEY, "The security token included in the request is invalid.")
        named = _ACCOUNT.fullmatch(signed.access_key)
        return Identity(Scope(signed.access_key if named else self.home.account, signed.region))

    def _scope(self, key: Key, signed: CredentialScope) -> Scope:
        if key.region and key.region != signed.region:
            raise SignatureRefused(
                Fault.SCOPE,
                f"Credential should be scoped to a valid region, not '{signed.region}'.",
            )
        return Scope(key.account, signed.region)
