"""Who we are to an image registry.

As trainyard.toml says, else as Docker's or Podman's configuration says, with the programs that keep their passwords,
else, to Amazon's own registry, as the job's role.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainyard.wiring.catalogue import ImageName

HUB = "https://index.docker.io/v1/"  # what configurations call the registry of names without one
PATIENCE = 30.0
_ECR = re.compile(r"(?P<account>[0-9]{12})\.dkr\.ecr(?P<fips>-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?")


class NoCredentials(Exception):  # noqa: N818 - it names a state
    """What should give a password for the registry gave none; its text says why."""


def credentials_for(
    image: str, tables: Mapping[str, Mapping[str, Any]], role: Mapping[str, str], variables: Mapping[str, str]
) -> str | None:
    """The value of X-Registry-Auth for an image; None where nothing is known of its registry. Raises NoCredentials.

    role: the keys of the job's role, as `runtimes.local.credentials` has them.
    """
    host = registry_of(image)
    if host in tables:
        return _encoded(host, str(tables[host].get("username", "")), _password(tables[host]))
    for found in _configured(host, variables):
        return found
    ecr = _ECR.fullmatch(host)
    return _encoded(host, "AWS", _ecr_password(ecr["account"], ecr["region"], role)) if ecr else None


def registry_of(image: str) -> str:
    """The host that an image is fetched from."""
    return ImageName.parse(image).registry or "docker.io"


def _password(table: Mapping[str, Any]) -> str:
    if "password" in table:
        return str(table["password"])
    try:
        return Path(str(table.get("password_file"))).read_text().strip()
    except OSError as error:
        raise NoCredentials(f"The registry's password file cannot be read: {error.strerror}.") from error


def _ecr_password(account: str, region: str, role: Mapping[str, str]) -> str:
    """A password of twelve hours, asked of ECR as the job's role, else as whoever runs the engine."""
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise NoCredentials("To ask ECR for a password: pip install 'trainyard[aws]'.") from error
    keys: dict[str, Any] = {
        "aws_access_key_id": role.get("access_key_id"),
        "aws_secret_access_key": role.get("secret_access_key"),
        "aws_session_token": role.get("session_token"),
    }
    try:
        client = boto3.client("ecr", region_name=region, **{name: key for name, key in keys.items() if key})
        told = client.get_authorization_token(registryIds=[account])["authorizationData"][0]["authorizationToken"]
        return base64.b64decode(told).decode().partition(":")[2]
    except (BotoCoreError, ClientError) as error:
        raise NoCredentials(f"ECR gives no password for {account} in {region}: {error}.") from error


def _configured(host: str, variables: Mapping[str, str]) -> Iterator[str]:
    for path in _files(variables):
        with suppress(OSError, ValueError, AttributeError, KeyError):
            config = json.loads(path.read_text())
            helper = (config.get("credHelpers") or {}).get(host) or config.get("credsStore")
            for server in _servers(host):
                entry = (config.get("auths") or {}).get(server)
                if helper and (entry is not None or host in (config.get("credHelpers") or {})):
                    yield _asked(helper, server, variables)
                elif entry:
                    yield _entry(server, entry)


def _files(variables: Mapping[str, str]) -> Iterator[Path]:
    if variables.get("REGISTRY_AUTH_FILE"):
        yield Path(variables["REGISTRY_AUTH_FILE"])
    if variables.get("XDG_RUNTIME_DIR"):
        yield Path(variables["XDG_RUNTIME_DIR"]) / "containers" / "auth.json"
    folder = variables.get("DOCKER_CONFIG") or (f"{variables['HOME']}/.docker" if variables.get("HOME") else None)
    if folder:
        yield Path(folder) / "config.json"


def _servers(host: str) -> tuple[str, ...]:
    """The names that a registry may have in a configuration."""
    own = (host, f"https://{host}", f"https://{host}/", f"https://{host}/v1/", f"https://{host}/v2/")
    return (HUB, *own) if host == "docker.io" else own


def _entry(server: str, entry: Mapping[str, Any]) -> str:
    if entry.get("identitytoken"):
        return _header({"identitytoken": entry["identitytoken"], "serveraddress": server})
    name, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    return _encoded(server, name, password)


def _asked(helper: str, server: str, variables: Mapping[str, str]) -> str:
    """What a password keeper says: `docker-credential-NAME get`, the server on its standard input."""
    try:
        done = subprocess.run(
            [f"docker-credential-{helper}", "get"], input=server, capture_output=True, text=True, timeout=PATIENCE,
            check=False, env=dict(variables),
        )  # fmt: skip
        told = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise NoCredentials(f"docker-credential-{helper} gives no password for {server}: {error}.") from error
    if told.get("Username") == "<token>":
        return _header({"identitytoken": told.get("Secret"), "serveraddress": server})
    return _encoded(server, str(told.get("Username", "")), str(told.get("Secret", "")))


def _encoded(server: str, name: str, password: str) -> str:
    return _header({"username": name, "password": password, "serveraddress": server})


def _header(plain: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode()
