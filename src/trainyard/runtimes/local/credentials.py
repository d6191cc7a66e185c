"""What an attempt has of its job's role: a file for the program's AWS clients, and one for our transfer helpers.

Both are readable by their owner alone, lie in no argument, variable or log, and go when the attempt is released. Keys
that expire are given to the program by a command that AWS clients ask again in time (`credential_process`): a client
reads a file of keys once and no more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from trainyard.kit import atomic
from trainyard.runtimes.local.attempt import Attempt

SEEN_AT = "/opt/ml-private"  # where the program finds the folder `Attempt.private`
_INI = {
    "access_key_id": "aws_access_key_id",
    "secret_access_key": "aws_secret_access_key",
    "session_token": "aws_session_token",
}
_PROCESS = {"access_key_id": "AccessKeyId", "secret_access_key": "SecretAccessKey", "session_token": "SessionToken"}
_TEMPORARY = "credentials.json"
# Both views of the machine have it beside the configuration that names it.
_ASK = f"""credential_process = /bin/sh -c 'cat "${{AWS_CONFIG_FILE%/*}}/{_TEMPORARY}"'\n"""
_FILES = {"AWS_SHARED_CREDENTIALS_FILE": "credentials", "AWS_CONFIG_FILE": "config"}


class RoleUnusable(Exception):  # noqa: N818 - it names a state
    """The credentials that settings promise for a role cannot be had; its text says why."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A role's keys (access_key_id, secret_access_key, session_token; none: no credentials) and where it is at home.

    expires: epoch seconds after which the keys are none; None where they do not end by themselves.
    """

    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    expires: float | None = None
    region: str | None = None
    endpoint: str | None = None


def hand_out(
    attempt: Attempt, role: Credentials, *, arn: str | None, region: str, is_isolated: bool, now: float
) -> dict[str, str]:
    """Write the files; returns the variables that lead AWS clients to them, and away from the machine's own keys.

    A program under network isolation gets nothing, as on the service; the transfer helpers work for it all the same.
    """
    _note(attempt, role, arn, now)
    is_temporary = role.expires is not None
    files = {
        "AWS_SHARED_CREDENTIALS_FILE": "" if is_temporary else _keys(role),
        "AWS_CONFIG_FILE": _config(role) + (_ASK if is_temporary else ""),
    }
    if is_temporary and not is_isolated:
        attempt.private.mkdir(mode=0o700, parents=True, exist_ok=True)
        _tell(attempt, role)
    variables = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": role.region or region}
    for variable, text in files.items():
        variables[variable] = "/dev/null"
        if text and not is_isolated:
            attempt.private.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic.write_bytes(attempt.private / _FILES[variable], f"[default]\n{text}".encode(), mode=0o600)
            variables[variable] = f"{SEEN_AT}/{_FILES[variable]}"
    return variables


def keys_of(attempt: Attempt) -> dict[str, str]:
    """What transfers sign with, now."""
    return given(attempt)[0]


def given(attempt: Attempt) -> tuple[dict[str, str], float | None]:
    """The role's keys, now, and when they end (epoch seconds; None where they do not); none where it has none."""
    plain = atomic.read_json(attempt.role) or {}
    return dict(plain.get("keys", plain)), plain.get("expires")


def renewal_of(attempt: Attempt) -> tuple[str | None, float] | None:
    """The role whose keys are to be renewed, and when (epoch seconds); None where they do not expire."""
    plain = atomic.read_json(attempt.role) or {}
    return (plain["role"], plain["renew_at"]) if plain.get("renew_at") is not None else None


def renew(attempt: Attempt, role: Credentials, *, arn: str | None, now: float) -> None:
    """Put new keys in the places of those that are about to end. A program that has none gets none."""
    _note(attempt, role, arn, now)
    if (attempt.private / _TEMPORARY).exists():
        _tell(attempt, role)
    if attempt.released.exists():
        take_back(attempt)


def unmounted(attempt: Attempt, variables: Mapping[str, str]) -> dict[str, str]:
    """Those of the variables that lead elsewhere where the program sees the machine's own /opt."""
    return {
        name: str(attempt.private / _FILES[name])
        for name, value in variables.items()
        if value.startswith(f"{SEEN_AT}/")
    }


def take_back(attempt: Attempt) -> None:
    """Remove the files; harmless when repeated."""
    for path in (attempt.role, *(attempt.private / name for name in (*_FILES.values(), _TEMPORARY))):
        path.unlink(missing_ok=True)


def _note(attempt: Attempt, role: Credentials, arn: str | None, now: float) -> None:
    """For us: the keys, and when half of their life is over."""
    renew_at = None if role.expires is None else now + max(0.0, role.expires - now) / 2
    plain = {"keys": dict(role.keys), "role": arn, "renew_at": renew_at, "expires": role.expires}
    atomic.write_json(attempt.role, plain, mode=0o600)


def _tell(attempt: Attempt, role: Credentials) -> None:
    """For the program's AWS clients, in the words of a credential process."""
    expires = datetime.fromtimestamp(role.expires or 0.0, UTC).isoformat()
    plain = {"Version": 1, **{_PROCESS[name]: value for name, value in role.keys.items()}, "Expiration": expires}
    atomic.write_bytes(attempt.private / _TEMPORARY, json.dumps(plain).encode(), mode=0o600)


def _keys(role: Credentials) -> str:
    return "".join(f"{_INI[name]} = {value}\n" for name, value in role.keys.items())


def _config(role: Credentials) -> str:
    return f"endpoint_url = {role.endpoint}\n" if role.endpoint else ""
