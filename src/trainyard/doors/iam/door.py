"""GetRole and SimulatePrincipalPolicy, answered by the roles that jobs run as here.

Nothing is written through this door: roles are made in settings. No policy stands behind a role either; what it may do
is what a job of it can do here, and the answer to a simulation is found out by asking just that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

from trainyard.awswire.calls import Call, Refusal
from trainyard.awswire.json_door import not_authorized
from trainyard.awswire.query import Action, Form, Members, QueryDoor, invalid, listed, moment, required
from trainyard.model import arn as arns
from trainyard.model.keys import Scope

LONGEST_SESSION = 12 * 3600  # seconds that a role's temporary keys may be good for
_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_ACTION = re.compile(r"[a-zA-Z0-9-]{1,64}:[a-zA-Z0-9*?]{1,128}|\*")
_MOST = 1000  # actions times resources of one simulation
_WITHOUT_EFFECT = (
    "PolicyInputList", "PermissionsBoundaryPolicyInputList", "ContextEntries", "ResourcePolicy", "ResourceOwner",
    "CallerArn", "ResourceHandlingOption",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whether a job of a role may do something. scope: who asks."""

    scope: Scope
    role: str
    action: str
    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What the door knows of roles.

    arn_of : the ARN of the role that has this name in a scope's account; None where there is none.
    knows  : whether a job may run as the role of this ARN.
    allows : the answer to a question about a role that is known.
    since  : when the roles were last written down, epoch seconds.
    """

    arn_of: Callable[[str, Scope], str | None]
    knows: Callable[[str], bool]
    allows: Callable[[Question], Awaitable[bool]]
    since: Callable[[], float]

    async def get(self, call: Call, form: Form) -> Members:
        """GetRole."""
        name = required(form, "RoleName")
        if not _NAME.fullmatch(name):
            raise invalid("roleName", name, r"satisfy regular expression pattern: [\w+=,.@-]+")
        arn = self.arn_of(name, call.scope)
        if arn is None:
            raise Refusal("NoSuchEntity", f"The role with name {name} cannot be found.", status=404)
        account, path, _ = arns.role_of(arn) or (call.scope.account, "/", name)
        role = {
            "Path": path, "RoleName": name, "RoleId": arns.role_id(arn), "Arn": arn,
            "CreateDate": moment(self.since()), "AssumeRolePolicyDocument": quote(_trust(account, arn)),
            "MaxSessionDuration": str(LONGEST_SESSION),
        }  # fmt: skip
        return {"Role": role}

    async def simulate(self, call: Call, form: Form) -> Members:
        """SimulatePrincipalPolicy."""
        role = required(form, "PolicySourceArn")
        unknown = [name for name in _WITHOUT_EFFECT if any(key.partition(".")[0] == name for key in form)]
        if unknown:
            raise Refusal("InvalidInput", f"Roles have no policies here: {unknown[0]} would change nothing.")
        self._require_known(call, role)
        actions, resources = listed(form, "ActionNames"), listed(form, "ResourceArns") or ["*"]
        _check(actions, len(resources))
        pairs = [(action, resource) for action in actions for resource in resources]
        return {
            "IsTruncated": False,
            "EvaluationResults": [await self._result(call.scope, role, *pair) for pair in pairs],
        }

    def _require_known(self, call: Call, role: str) -> None:
        parts = arns.role_of(role)
        if parts is None:
            raise Refusal("InvalidInput", f"Invalid Entity Arn: {role[:256]} does not clearly define a role.")
        if call.seed is not None and parts[0] != call.scope.account:
            text = not_authorized(call, "iam:SimulatePrincipalPolicy", role)
            raise Refusal("AccessDenied", text, status=403)
        if not self.knows(role):
            raise Refusal("NoSuchEntity", f"The role with name {parts[2]} cannot be found.", status=404)

    async def _result(self, scope: Scope, role: str, action: str, resource: str) -> Members:
        allowed = await self.allows(Question(scope=scope, role=role, action=action, resource=resource))
        return {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": "allowed" if allowed else "implicitDeny",
            "MatchedStatements": [],
            "MissingContextValues": [],
        }


def iam_door(roles: Roles) -> QueryDoor:
    """The door."""
    return QueryDoor(
        action="iam", version="2010-05-08", namespace="https://iam.amazonaws.com/doc/2010-05-08/",
        actions={"GetRole": Action(roles.get), "SimulatePrincipalPolicy": Action(roles.simulate)},
    )  # fmt: skip


def _check(actions: list[str], resources: int) -> None:
    """Raises Refusal for actions that are none, or too many."""
    if not actions:
        raise invalid("actionNames", "[]", "have length greater than or equal to 1")
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise Refusal("InvalidInput", f"Invalid Action: {action[:128]} is not of the form service:action.")
    if len(actions) * resources > _MOST:
        raise Refusal("InvalidInput", f"More than {_MOST} decisions are asked for at once.")


def _trust(account: str, arn: str) -> str:
    """Who may act as a role here: the training service for its jobs, and everybody in the account."""
    everybody = f"arn:{arn.split(':', 2)[1]}:iam::{account}:root"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sagemaker.amazonaws.com", "AWS": everybody},
        "Action": "sts:AssumeRole",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
