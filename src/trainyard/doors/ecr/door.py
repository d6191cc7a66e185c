"""GetAuthorizationToken. There is no registry behind it: images are resolved on this machine, and need no login."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from trainyard.awswire.calls import Call, Refusal
from trainyard.awswire.json_door import JsonDoor, Operation
from trainyard.model.arn import partition_of
from trainyard.model.errors import TrainyardError

GOOD_FOR = 12 * 3600.0  # seconds
_MOST = 10  # registries that may be named
_ACCOUNT = re.compile(r"[0-9]{12}")
_SUFFIX = {"aws-cn": "amazonaws.com.cn"}


def ecr_door(now: Callable[[], float], password: Callable[[Call, float], str]) -> JsonDoor:
    """The door. password: a secret that names the caller until then (epoch seconds)."""

    async def authorization_token(call: Call, members: dict[str, Any]) -> Mapping[str, Any]:
        registries = _registries(members) or [call.scope.account]
        until = now() + GOOD_FOR
        token = base64.b64encode(f"AWS:{password(call, until)}".encode()).decode()
        region = call.scope.region
        suffix = _SUFFIX.get(partition_of(region), "amazonaws.com")
        return {
            "authorizationData": [
                {
                    "authorizationToken": token,
                    "expiresAt": round(until, 3),
                    "proxyEndpoint": f"https://{registry}.dkr.ecr.{region}.{suffix}",
                }
                for registry in registries
            ]
        }

    return JsonDoor(
        prefix="AmazonEC2ContainerRegistry_V20150921", action="ecr", refusal_of=_refusal_of,
        operations={"GetAuthorizationToken": Operation(authorization_token)},
    )  # fmt: skip


def _registries(members: dict[str, Any]) -> list[str]:
    """The registries that the request names. Raises Refusal."""
    unknown = sorted(members.keys() - {"registryIds"})
    if unknown:
        raise _invalid(f"Unknown parameter: {unknown[0][:64]}")
    given = members.get("registryIds")
    if given is None:
        return []
    if not isinstance(given, list) or not 0 < len(given) <= _MOST:
        raise _invalid(f"Invalid parameter at 'registryIds': a list of 1 to {_MOST} registries is expected")
    for registry in given:
        if not isinstance(registry, str) or not _ACCOUNT.fullmatch(registry):
            text = "Invalid parameter at 'registryIds' failed to satisfy constraint: "
            raise _invalid(f"{text}'Member must satisfy regular expression pattern: [0-9]{{12}}'")
    return given


def _invalid(text: str) -> Refusal:
    return Refusal("InvalidParameterException", text)


def _refusal_of(error: TrainyardError) -> Refusal:
    return Refusal("ServerException", str(error), status=500)
