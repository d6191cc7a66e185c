"""What answers the programs of jobs: the AWS doors, to which keys of this home alone are let in, and those keys."""

from __future__ import annotations

import socket
from contextlib import AbstractAsyncContextManager
from functools import partial

from trainyard.access.guard import Guard, nobody_else
from trainyard.access.sessions import Grant, Sessions
from trainyard.doors.aws.front import signer
from trainyard.doors.container.app import Keys, credentials_app
from trainyard.kit.clock import SystemClock
from trainyard.runtimes.local import credentials
from trainyard.runtimes.local.attempt import Attempt
from trainyard.wiring import aws, s3
from trainyard.wiring.answering import ByPath, answering
from trainyard.wiring.home import Home
from trainyard.wiring.inside import CREDENTIALS, TOKENS
from trainyard.wiring.session import Session

GOOD_FOR = 3600.0  # seconds; clients ask again a quarter of an hour before
_SESSION = "SageMaker"  # as the service calls the sessions of its jobs
_GRACE = 1.0  # seconds that requests in flight have when the lead changes hands


def answering_at(session: Session, listener: socket.socket) -> AbstractAsyncContextManager[None]:
    """The AWS doors and the keys of jobs on a socket, for as long as the block lasts."""
    sessions = aws.sessions_of(session.home)
    door = s3.door_of(session, for_owner=not session.settings.keys, for_programs=True)
    front = aws.front_of(session, sessions, door, aws.Admission(judge=signer, verifies=True))
    keys = Guard(credentials_app(partial(_keys_of, session.home, sessions)), nobody_else)
    return answering(ByPath(CREDENTIALS, keys, front.app()), listener, grace=_GRACE)


def _keys_of(home: Home, sessions: Sessions, token: str) -> Keys | None:
    """The keys of the running job whose token it is: those that settings give its role, else new ones of this home."""
    job = sessions.seals.opened(TOKENS, token)
    if job is None:
        return None
    attempt = Attempt(home.attempts / job["run"])
    if not attempt.order.exists() or attempt.released.exists():
        return None
    given, until = credentials.given(attempt)
    if given:
        expires = until or SystemClock().now() + GOOD_FOR
        return Keys(
            role=job["role"], access_key=given["access_key_id"], secret=given["secret_access_key"],
            token=given.get("session_token", ""), expires=expires,
        )  # fmt: skip
    grant = Grant(account=job["account"], role=job["role"], name=_SESSION, region=job["region"])
    ours = sessions.begin(grant, GOOD_FOR)
    return Keys(
        role=job["role"], access_key=ours.access_key, secret=ours.secret, token=ours.token, expires=ours.expires
    )
