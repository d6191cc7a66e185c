"""May this caller do this: asked before every request, and by clients as a review that is answered and not stored."""

from __future__ import annotations

from typing import Any

from trainyard.access.callers import Caller, Role
from trainyard.doors.kube.builtin import ACCESS_REVIEW, NAMESPACE, SECRET
from trainyard.doors.kube.errors import bad_request, forbidden
from trainyard.doors.kube.kinds import Kind
from trainyard.doors.kube.paths import Target
from trainyard.ports.resources import Body

_READING = frozenset({"get", "list", "watch"})


def permit(caller: Caller, method: str, kind: Kind, target: Target) -> None:
    """Raises Refused (403) for what the caller's role and scopes do not cover. Secrets are not for readers."""
    scope = target.name if kind is NAMESPACE else target.namespace
    if kind is NAMESPACE and method not in ("GET", "HEAD"):
        scope = ""  # namespaces are made and removed by admins
    if caller.may(method, scope) and not (kind is SECRET and caller.role is Role.READ):
        return
    where = f'in the namespace "{scope}"' if scope else "at the cluster scope"
    why = (
        f'User "{caller.name}" cannot {method.lower()} resource "{kind.plural}" in API group "{kind.group}" {where}: '
        f"its role is {caller.role.value}"
    )
    raise forbidden(kind, target.name, why)


def answered(kind: Kind, given: Any, caller: Caller) -> Body:
    """The review with its status. Raises Refused (400)."""
    if not isinstance(given, dict):
        raise bad_request(f"the body must be a {kind.kind} object")
    head = {**given, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}}
    if kind is not ACCESS_REVIEW:
        return {**head, "status": {"userInfo": {"username": caller.name, "groups": ["system:authenticated"]}}}
    spec = given.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    asked = spec.get("resourceAttributes") or spec.get("nonResourceAttributes")
    if not isinstance(asked, dict):
        raise bad_request("exactly one of nonResourceAttributes or resourceAttributes must be specified")
    method = "GET" if asked.get("verb") in _READING else "POST"
    secret = caller.role is Role.READ and asked.get("resource") == "secrets"
    return {**head, "status": {"allowed": caller.may(method, str(asked.get("namespace") or "")) and not secret}}
