"""GetCallerIdentity and AssumeRole. The first needs no permission: any key that is let in has an identity."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from trainyard.access.sessions import Grant, Sessions
from trainyard.awswire.calls import OURS, Call, Refusal
from trainyard.awswire.query import Action, Form, Members, QueryDoor, invalid, moment, required
from trainyard.model import arn as arns

SHORTEST, USUAL, LONGEST, CHAINED = 900, 3600, 43200, 3600  # seconds that temporary keys are good for
_NAME = r"[\w+=,.@-]"
_UNHEARD = (
    "Policy", "PolicyArns", "Tags", "TransitiveTagKeys", "SerialNumber", "TokenCode", "ProvidedContexts",
)  # fmt: skip


async def caller_identity(call: Call, _form: Form) -> Members:
    """The caller's ARN, account and user id."""
    if call.session is not None:
        role, name = call.session
        user = f"{arns.role_id(role)}:{name}"
    else:
        user = call.caller or OURS
    return {"Arn": call.principal, "UserId": user, "Account": call.scope.account}


@dataclass(frozen=True, slots=True)
class Assuming:
    """Gives the keys of a role out to who may act as it. knows: whether a job may run as the role of an ARN."""

    sessions: Sessions
    knows: Callable[[str], bool]

    async def assume(self, call: Call, form: Form) -> Members:
        """AssumeRole."""
        role, name = required(form, "RoleArn"), required(form, "RoleSessionName")
        seconds = _checked(call, form, role, name)
        account = self._account_of(call, role)
        grant = Grant(account=account, role=role, name=name, region=call.region, reads_only=call.reads_only)
        keys = self.sessions.begin(grant, seconds)
        source = form.get("SourceIdentity")
        return {
            "Credentials": {
                "AccessKeyId": keys.access_key, "SecretAccessKey": keys.secret, "SessionToken": keys.token,
                "Expiration": moment(keys.expires),
            },
            "AssumedRoleUser": {
                "AssumedRoleId": f"{arns.role_id(role)}:{name}", "Arn": arns.assumed_role_arn(role, name),
            },
            **({"SourceIdentity": source} if source else {}),
        }  # fmt: skip

    def _account_of(self, call: Call, role: str) -> str:
        """The role's account. Raises Refusal for a role that is not there, or another tenant's."""
        account, _, _ = arns.role_of(role) or ("", "", "")
        is_foreign = call.seed is not None and account != call.scope.account
        if not account or is_foreign or not self.knows(role):
            text = f"User: {call.principal} is not authorized to perform: sts:AssumeRole on resource: {role[:2048]}"
            raise Refusal("AccessDenied", text, status=403)
        return account


def sts_door(assuming: Assuming) -> QueryDoor:
    """The door."""
    return QueryDoor(
        action="sts", version="2011-06-15", namespace="https://sts.amazonaws.com/doc/2011-06-15/",
        actions={"GetCallerIdentity": Action(caller_identity), "AssumeRole": Action(assuming.assume)},
    )  # fmt: skip


def _checked(call: Call, form: Form, role: str, name: str) -> int:
    """For how many seconds, of a request that keeps all rules. Raises Refusal."""
    if not 20 <= len(role) <= 2048:
        raise invalid("roleArn", role, "have length between 20 and 2048")
    for member, text in (("roleSessionName", name), ("sourceIdentity", form.get("SourceIdentity", name))):
        if not re.fullmatch(_NAME + "*", text, re.ASCII):
            raise invalid(member, text, f"satisfy regular expression pattern: {_NAME}*")
        if not 2 <= len(text) <= 64:
            raise invalid(member, text, "have length between 2 and 64")
    unheard = [member for member in _UNHEARD if any(key.partition(".")[0] == member for key in form)]
    if unheard:
        raise Refusal("ValidationError", f"{unheard[0]} is not supported here: a role may do what its account may.")
    return _seconds(call, form.get("DurationSeconds", str(USUAL)))


def _seconds(call: Call, text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text) or not SHORTEST <= int(text) <= LONGEST:
        least = not text.isascii() or not text.isdigit() or int(text[:10]) < SHORTEST
        bound = f"greater than or equal to {SHORTEST}" if least else f"less than or equal to {LONGEST}"
        raise invalid("durationSeconds", text, f"have value {bound}")
    if call.session is not None and int(text) > CHAINED:
        words = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        raise Refusal("ValidationError", words)
    return int(text)
