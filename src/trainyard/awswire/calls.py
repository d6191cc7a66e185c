"""A call of an AWS service between the front that received it and the door that answers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from trainyard.awswire.sigv4 import Claim, RawRequest, Seed
from trainyard.model import arn
from trainyard.model.keys import Scope

REQUEST_ID = "x-amzn-requestid"
OURS = "trainyard"  # the user of calls that no key signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who asks what, as far as the front knows.

    service : the service's signing name ("sagemaker", "s3"), from the signature or, unsigned, from the request.
    scope   : the caller's account and the region that was signed for.
    caller  : the access key that signed; "" for a request without a signature.
    session : the role that the caller acts as, and its session's name; None for a caller who is himself.
    reads_only : the caller may look and change nothing.
    region  : the one that the caller's key is good for; "" for all.
    claim   : the signature; None where there is none.
    seed    : the signature found true; None where nothing was verified: a server for its own user alone.
    request_id : what the answer, and our log of a fault, name this call by.
    """

    service: str
    scope: Scope
    request: RawRequest
    request_id: str
    caller: str = ""
    session: tuple[str, str] | None = None
    reads_only: bool = False
    region: str = ""
    claim: Claim | None = None
    seed: Seed | None = None

    @property
    def principal(self) -> str:
        """Who calls, as policies name it."""
        if self.session is not None:
            return arn.assumed_role_arn(*self.session)
        partition = arn.partition_of(self.scope.region)
        return f"arn:{partition}:iam::{self.scope.account}:user/{self.caller or OURS}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back over the wire. headers: lower-case names and their values."""

    status: int = 200
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = field(default=())


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """An error in a service's words; each protocol writes it its own way.

    member : what its text is called in the body: services' modelled errors say `Message`, all others `message`.
    """

    def __init__(self, code: str, message: str, *, status: int = 400, member: str = "message") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.member = member
