"""What an attempt has of its job's role: a file for the program's AWS clients, and one for our transfer helpers.

Both are readable by their owner alone, lie in no argument, variable or log, and go when the attempt is released.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trainyard.kit import atomic
from trainyard.runtimes.local.attempt import Attempt

SEEN_AT = "/opt/ml-private"  # where the program finds the folder `Attempt.private`
_INI = {
    "access_key_id": "aws_access_key_id",
    "secret_access_key": "aws_secret_access_key",
    "session_token": "aws_session_token",
}
_FILES = {"AWS_SHARED_CREDENTIALS_FILE": "credentials", "AWS_CONFIG_FILE": "config"}


class RoleUnusable(Exception):  # noqa: N818 - it names a state
    """The credentials that settings promise for a role cannot be had; its text says why."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A role's keys (access_key_id, secret_access_key, session_token; none: no credentials) and where it is at home."""

    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    region: str | None = None
    endpoint: str | None = None


def hand_out(attempt: Attempt, role: Credentials, *, region: str, is_isolated: bool) -> dict[str, str]:
    """Write the files; returns the variables that lead AWS clients to them, and away from the machine's own keys.

    A program under network isolation gets nothing, as on the service; the transfer helpers work for it all the same.
    """
    atomic.write_json(attempt.role, dict(role.keys), mode=0o600)
    files = {"AWS_SHARED_CREDENTIALS_FILE": _keys(role), "AWS_CONFIG_FILE": _config(role)}
    variables = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": role.region or region}
    for variable, text in files.items():
        variables[variable] = "/dev/null"
        if text and not is_isolated:
            attempt.private.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic.write_bytes(attempt.private / _FILES[variable], f"[default]\n{text}".encode(), mode=0o600)
            variables[variable] = f"{SEEN_AT}/{_FILES[variable]}"
    return variables


def unmounted(attempt: Attempt, variables: Mapping[str, str]) -> dict[str, str]:
    """Those of the variables that lead elsewhere where the program sees the machine's own /opt."""
    return {
        name: str(attempt.private / _FILES[name])
        for name, value in variables.items()
        if value.startswith(f"{SEEN_AT}/")
    }


def take_back(attempt: Attempt) -> None:
    """Remove the files; harmless when repeated."""
    for path in (attempt.role, *(attempt.private / name for name in _FILES.values())):
        path.unlink(missing_ok=True)


def _keys(role: Credentials) -> str:
    return "".join(f"{_INI[name]} = {value}\n" for name, value in role.keys.items())


def _config(role: Credentials) -> str:
    return f"endpoint_url = {role.endpoint}\n" if role.endpoint else ""
