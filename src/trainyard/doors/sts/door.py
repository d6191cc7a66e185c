"""GetCallerIdentity. It needs no permission, and any key that is let in has an identity."""

from __future__ import annotations

from trainyard.awswire.calls import Call
from trainyard.awswire.query import Action, Form, Members, QueryDoor
from trainyard.model.arn import partition_of

OURS = "trainyard"  # the user of calls that no key signed


async def caller_identity(call: Call, _form: Form) -> Members:
    """The caller's ARN, account and user id."""
    name = call.caller or OURS
    arn = f"arn:{partition_of(call.scope.region)}:iam::{call.scope.account}:user/{name}"
    return {"Arn": arn, "UserId": name, "Account": call.scope.account}


def sts_door() -> QueryDoor:
    """The door."""
    return QueryDoor(
        action="sts", version="2011-06-15", namespace="https://sts.amazonaws.com/doc/2011-06-15/",
        actions={"GetCallerIdentity": Action(caller_identity)},
    )  # fmt: skip
