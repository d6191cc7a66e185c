"""The AWS doors of a server: one port for all services, on loopback or over TLS with access keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import orjson

from trainyard.access import peers
from trainyard.access.guard import Judge, Loopback
from trainyard.access.keys import Key
from trainyard.access.sessions import Sessions
from trainyard.awswire.calls import Call
from trainyard.doors.aws.front import Door, Front, StreamingDoor, signer
from trainyard.doors.aws.identity import Identities
from trainyard.doors.cloudwatch.door import cloudwatch_door
from trainyard.doors.ecr.door import ecr_door
from trainyard.doors.iam import door as iam
from trainyard.doors.logs.door import logs_door
from trainyard.doors.sagemaker.door import sagemaker_door
from trainyard.doors.sts.door import Assuming, sts_door
from trainyard.kit import atomic
from trainyard.kit.clock import SystemClock
from trainyard.kit.ids import request_id
from trainyard.model.errors import TrainyardError
from trainyard.model.keys import Scope
from trainyard.wiring import s3
from trainyard.wiring.access_keys import AccessKeys, are_secret, keys_of
from trainyard.wiring.answering import answering
from trainyard.wiring.home import Home
from trainyard.wiring.inside import seals_of
from trainyard.wiring.listeners import DEFAULT_AWS_PORT, AwsListener
from trainyard.wiring.permissions import Permissions
from trainyard.wiring.roles import roles_of
from trainyard.wiring.session import Session, tenant_of
from trainyard.wiring.settings import Settings
from trainyard.wiring.sockets import tcp_listener, url_of

_TENANTS = 256  # whose services are kept ready
_GRACE = 5.0  # seconds that requests in flight have once the server is to stop


@asynccontextmanager
async def aws_serving(session: Session, where: AwsListener) -> AsyncIterator[str]:
    """The doors, open for as long as the block lasts; gives their URL. Raises TrainyardError for what is not safe."""
    keys = keys_of(session.settings)
    local = peers.is_loopback(where.host)
    if local:
        where = replace(where, certificate=None, key=None)  # nothing leaves this machine
    else:
        _require_safe(where, keys, session.home)
    judge: Judge = Loopback() if local else signer  # beyond loopback the signature is the judge
    async with s3.s3_door(session, for_owner=local) as objects:
        front = front_of(session, sessions_of(session.home), objects, Admission(judge=judge, verifies=not local))
        async with _listening(front, session, where) as url:
            yield url


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Who may connect to a front, and whether only signatures by known keys are let in."""

    judge: Judge
    verifies: bool


def front_of(session: Session, sessions: Sessions, objects: StreamingDoor, admission: Admission) -> Front:
    """What stands behind a listener."""
    settings = session.settings
    identities = Identities(
        keys=AccessKeys(session.home.settings, settings, guarded=admission.verifies),
        home=Scope(settings.account, settings.region), verifies=admission.verifies, sessions=sessions,
    )  # fmt: skip
    return Front(
        doors=doors_of(session, sessions),
        streams={"s3": (objects, s3.LIMITS)},
        identities=identities,
        judge=admission.judge,
        now=SystemClock().now,
        new_id=request_id,
    )


def sessions_of(home: Home) -> Sessions:
    """Temporary keys of a home: those that one of its processes gave out, all know."""
    return Sessions(seals_of(home), SystemClock().now)


def doors_of(session: Session, sessions: Sessions) -> dict[str, Door]:
    """The doors of whole bodies, by their services' signing names."""
    now, roles = SystemClock().now, roles_of(session.settings)

    def password(call: Call, until: float) -> str:
        return sessions.seals.seal("registry", {"account": call.scope.account, "until": until})

    permissions = Permissions(roles, session.objects, partial(tenant_of, session.settings))
    known = iam.Roles(
        arn_of=roles.arn_of, knows=roles.knows, allows=permissions.allows,
        since=lambda: session.home.settings.stat().st_mtime,
    )  # fmt: skip
    service_of = lru_cache(maxsize=_TENANTS)(session.service_of)
    return {
        "sagemaker": sagemaker_door(service_of, now),
        "logs": logs_door(service_of),
        "monitoring": cloudwatch_door(service_of, now),
        "sts": sts_door(Assuming(sessions, roles.knows)),
        "iam": iam.iam_door(known),
        "ecr": ecr_door(now, password),
    }


@asynccontextmanager
async def _listening(front: Front, session: Session, where: AwsListener) -> AsyncIterator[str]:
    with tcp_listener(where.host, where.port, usual=DEFAULT_AWS_PORT, option="--aws-port") as listener:
        url = url_of(where.host, listener, secure=where.certificate is not None)
        async with answering(front.app(), listener, grace=_GRACE, certificate=where.certificate, key=where.key):
            atomic.write_bytes(session.home.aws_endpoint, _endpoint(url, where), mode=0o600)
            yield url


def variables(home: Home, settings: Settings, *, account: str | None, region: str | None) -> dict[str, str]:
    """What leads stock AWS clients to the home's server. Raises TrainyardError where there never was one.

    On loopback any key is taken, and twelve digits are the account; beyond it the first of the settings' keys that is
    good for the account is meant.
    """
    endpoint = _written(home)
    wanted, place = account or settings.account, region or settings.region
    names = {"AWS_ENDPOINT_URL": endpoint["url"], "AWS_REGION": place, "AWS_DEFAULT_REGION": place}
    if not endpoint["authority"]:
        return {**names, "AWS_ACCESS_KEY_ID": wanted, "AWS_SECRET_ACCESS_KEY": "trainyard"}
    found = ((name, key) for name, key in keys_of(settings).items() if key.account == wanted)
    name, key = next(found, ("", None))
    if key is None:
        raise TrainyardError(f"No access key under [keys] in {home.settings} belongs to account {wanted}.")
    secrets = {"AWS_ACCESS_KEY_ID": name, "AWS_SECRET_ACCESS_KEY": key.secret}
    return {**names, **secrets, "AWS_CA_BUNDLE": endpoint["authority"]}


def _written(home: Home) -> dict[str, Any]:
    try:
        document: dict[str, Any] = orjson.loads(home.aws_endpoint.read_bytes())
    except FileNotFoundError:
        raise TrainyardError(
            f"No server has answered AWS clients from {home.path} yet: start `trainyard serve`."
        ) from None
    return document


def _endpoint(url: str, where: AwsListener) -> bytes:
    authority = "" if where.certificate is None else str(where.certificate.absolute())
    return orjson.dumps({"url": url, "authority": authority})


def _require_safe(where: AwsListener, keys: Mapping[str, Key], home: Home) -> None:
    if where.certificate is None or where.key is None:
        raise TrainyardError(
            f"{where.host} can be reached from other machines: name a certificate and its key (--tls-cert, --tls-key), "
            "or listen on 127.0.0.1."
        )
    if not keys:
        raise TrainyardError(
            f"{where.host} can be reached from other machines, and no access key is known: write one under [keys] in "
            f"{home.settings}, or listen on 127.0.0.1."
        )
    if not where.trusting:
        raise TrainyardError(
            "Jobs run here as processes of your own user, which is no security boundary: who may submit one from "
            "elsewhere can read and do what you can, the jobs of others included. If you trust everybody who is to "
            "hold a key, say so (--trust-submitters); else listen on 127.0.0.1."
        )
    if not are_secret(home.settings):
        raise TrainyardError(f"{home.settings} holds secrets, and others may read it: chmod 600 it.")
