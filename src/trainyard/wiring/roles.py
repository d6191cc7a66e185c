"""From a RoleArn to credentials: keys in trainyard.toml, a profile of the AWS configuration, or none."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainyard.model import arn as arns
from trainyard.model.keys import Scope
from trainyard.model.problems import Problem
from trainyard.runtimes.local.credentials import Credentials, RoleUnusable
from trainyard.wiring.settings import Settings

OURS = "trainyard-local"  # the role that our own commands write into requests: known, and without credentials
_WRITTEN = {"access_key_id": "access_key", "secret_access_key": "secret_key", "session_token": "session_token"}
_FIELDS = {
    "access_key_id": "aws_access_key_id",
    "secret_access_key": "aws_secret_access_key",
    "session_token": "aws_session_token",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The tables of trainyard.toml. `refuse_unknown`: a role without a table is refused."""

    tables: Mapping[str, Mapping[str, Any]]
    refuse_unknown: bool = False

    def problem(self, arn: str | None) -> Problem | None:
        """Why a job of this role cannot run; None where it can. Asks nobody beyond this machine."""
        table = self._table(arn)
        if table is None:
            text = f"The role {arn} has no table under [roles] in trainyard.toml, and settings refuse such roles."
            return Problem(path=("RoleArn",), message=text, code="unknown-role") if self.refuse_unknown else None
        try:
            if "profile" in table:
                _profile(table["profile"])
        except RoleUnusable as error:
            return Problem(path=("RoleArn",), message=f"The role {arn} cannot be used: {error}", code="role-unusable")
        return None

    def says(self, arn: str) -> bool:
        """Whether settings say anything of it."""
        return self._table(arn) is not None

    def knows(self, arn: str) -> bool:
        """Whether a job may name this role."""
        return self._table(arn) is not None or not self.refuse_unknown

    def has_keys(self, arn: str) -> bool:
        """Whether settings promise keys for it."""
        return bool((self._table(arn) or {}).keys() & {"access_key", "profile"})

    def is_without(self, arn: str) -> bool:
        """Whether settings say that its jobs have no credentials."""
        return (self._table(arn) or {}).get("credentials") == "none"

    def arn_of(self, name: str, scope: Scope) -> str | None:
        """The role of that name in an account; None where settings know none and refuse what they do not know."""
        for arn in self.tables:
            parts = arns.role_of(arn)
            if parts is not None and (parts[0], parts[2]) == (scope.account, name):
                return arn
        arn = arns.role_arn(scope.region, scope.account, name)
        return arn if self.knows(arn) else None

    def credentials(self, arn: str | None) -> Credentials:
        """The role's keys, now. Raises RoleUnusable where its profile has none to give."""
        table = self._table(arn) or {}
        if "profile" in table:
            keys, expires = _resolved(table["profile"])
        else:
            keys, expires = {ours: table[key] for ours, key in _WRITTEN.items() if key in table}, None
        return Credentials(keys=keys, expires=expires, region=table.get("region"), endpoint=table.get("endpoint"))

    def _table(self, arn: str | None) -> Mapping[str, Any] | None:
        """The table of a role, by its ARN or by its name alone."""
        whole = arn or ""
        name = whole.rpartition("/")[2]
        return self.tables.get(whole) or self.tables.get(name) or ({} if name == OURS else None)


def roles_of(settings: Settings) -> Roles:
    """The roles of a home."""
    return Roles(tables=settings.roles, refuse_unknown=settings.unknown_role == "refuse")


def _profile(name: str) -> Mapping[str, str]:
    """What the AWS configuration says of a profile. Raises RoleUnusable if that can be no credentials."""
    home = Path("~/.aws").expanduser()
    shared = os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or str(home / "credentials")
    config = os.environ.get("AWS_CONFIG_FILE") or str(home / "config")
    section = "default" if name == "default" else f"profile {name}"
    found = {**_section(config, section), **_section(shared, name)}
    if not found:
        raise RoleUnusable(f"there is no profile {name!r} in {shared} or {config}.")
    if "aws_access_key_id" not in found and importlib.util.find_spec("botocore") is None:
        raise RoleUnusable(f"the profile {name!r} has no keys of its own; to resolve it: pip install 'trainyard[aws]'.")
    return found


def _section(path: str, name: str) -> Mapping[str, str]:
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read(os.path.expanduser(path), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise RoleUnusable(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    return dict(parser[name]) if parser.has_section(name) else {}


def _resolved(name: str) -> tuple[dict[str, str], float | None]:
    """The profile's keys: its own, else what boto3's own chain makes of it (single sign-on, an assumed role, …).

    With them the epoch seconds at which they expire, where they do.
    """
    found = _profile(name)
    if "aws_access_key_id" in found:
        return {ours: found[theirs] for ours, theirs in _FIELDS.items() if theirs in found}, None
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.session import Session

    try:
        credentials = Session(profile=name).get_credentials()
        frozen = credentials.get_frozen_credentials() if credentials else None
    except (BotoCoreError, ClientError) as error:
        raise RoleUnusable(f"the profile {name!r} gives no credentials: {error}") from error
    if frozen is None or not frozen.access_key or not frozen.secret_key:
        raise RoleUnusable(f"the profile {name!r} gives no credentials.")
    keys = {"access_key_id": frozen.access_key, "secret_access_key": frozen.secret_key}
    expires = getattr(credentials, "_expiry_time", None)  # which botocore tells by no other name
    return {**keys, **({"session_token": frozen.token} if frozen.token else {})}, expires and expires.timestamp()
