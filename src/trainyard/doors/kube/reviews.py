"""May this caller do this: asked before every request, and by clients as a review that is answered and not stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainyard.access.callers import Caller, Role
from trainyard.doors.kube.builtin import ACCESS_REVIEW, NAMESPACE, RULES_REVIEW, SECRET, SUBJECT_REVIEW
from trainyard.doors.kube.errors import bad_request, forbidden
from trainyard.doors.kube.kinds import Kind
from trainyard.doors.kube.paths import Target
from trainyard.ports.resources import Body

_READING = ("get", "list", "watch")
_DOCUMENTS = ("/api", "/api/*", "/apis", "/apis/*", "/openapi/*", "/version")
_WRITING = ("create", "delete", "deletecollection", "patch", "update")


def permit(caller: Caller, method: str, kind: Kind, target: Target) -> None:
    """Raises Refused (403) for what the caller's role and scopes do not cover. Secrets are not for readers."""
    scope = target.name if kind is NAMESPACE else target.namespace
    if kind is NAMESPACE and method not in ("GET", "HEAD"):
        scope = ""  # namespaces are made and removed by admins
    if _may(caller, method, kind, scope):
        return
    where = f'in the namespace "{scope}"' if scope else "at the cluster scope"
    why = (
        f'User "{caller.name}" cannot {_verb(method, target)} resource "{kind.plural}" in API group "{kind.group}" '
        f"{where}: {_hold(caller, scope)}"
    )
    raise forbidden(kind, target.name, why)


def _verb(method: str, target: Target) -> str:
    """A method on a path as the API's rules name it."""
    if method in ("GET", "HEAD"):
        return "get" if target.name else "list"
    if method == "DELETE" and not target.name:
        return "deletecollection"
    return {"POST": "create", "PUT": "update"}.get(method, method.lower())


def answered(kind: Kind, given: Any, caller: Caller, kinds: Sequence[Kind]) -> Body:
    """The review with its status; `kinds` are all that there are. Raises Refused (400)."""
    if not isinstance(given, dict):
        raise bad_request(f"the body must be a {kind.kind} object")
    spec = given.get("spec")
    status = _STATUSES[kind.kind](caller, spec if isinstance(spec, dict) else {}, kinds)
    return {**given, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}, "status": status}


def _who(caller: Caller, _spec: Body, _kinds: Sequence[Kind]) -> Body:
    return {"userInfo": {"username": caller.name, "groups": ["system:authenticated"]}}


def _access(caller: Caller, spec: Body, kinds: Sequence[Kind]) -> Body:
    asked = spec.get("resourceAttributes") or spec.get("nonResourceAttributes")
    if not isinstance(asked, dict):
        raise bad_request("exactly one of nonResourceAttributes or resourceAttributes must be specified")
    method = "GET" if asked.get("verb") in _READING else "POST"
    scope = str(asked.get("namespace") or "")
    place = asked.get("group") or "", asked.get("resource")
    kind = next((one for one in kinds if (one.group, one.plural) == place), None)
    if kind is not None and not kind.namespaced:
        scope = str(asked.get("name") or "") if kind is NAMESPACE and method == "GET" else ""
    if _may(caller, method, kind, scope):
        return {"allowed": True}
    return {"allowed": False, "reason": _hold(caller, scope)}


def _rules(caller: Caller, spec: Body, kinds: Sequence[Kind]) -> Body:
    """Everything that the caller may do in a namespace, and beyond all of them."""
    namespace = str(spec.get("namespace") or "")
    if caller.may("POST", ""):
        everything = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
    else:
        everything = [rule for kind in kinds if (rule := _rule(caller, kind, namespace))]
    documents = [{"verbs": ["get"], "nonResourceURLs": list(_DOCUMENTS)}]
    return {"resourceRules": everything, "nonResourceRules": documents, "incomplete": False}


def _rule(caller: Caller, kind: Kind, namespace: str) -> Body | None:
    if kind.review:
        return {"verbs": ["create"], "apiGroups": [kind.group], "resources": [kind.plural]}
    scope = namespace if kind.namespaced else ""
    if kind is NAMESPACE and not _may(caller, "GET", kind, "") and _may(caller, "GET", kind, namespace):
        return {"verbs": ["get"], "apiGroups": [""], "resources": [kind.plural], "resourceNames": [namespace]}
    verbs = [
        *(_READING if _may(caller, "GET", kind, scope) else ()),
        *(_WRITING if _may(caller, "POST", kind, scope) else ()),
    ]
    resources = [kind.plural, *([f"{kind.plural}/status"] if kind.status else [])]
    return {"verbs": verbs, "apiGroups": [kind.group], "resources": resources} if verbs else None


def _may(caller: Caller, method: str, kind: Kind | None, scope: str) -> bool:
    return caller.may(method, scope) and not (kind is SECRET and caller.role is Role.READ)


def _hold(caller: Caller, scope: str) -> str:
    """What keeps a caller from a deed that it may not do."""
    if caller.scopes and scope not in caller.scopes:
        return f"its token is held to {', '.join(sorted(caller.scopes))}"
    return f"its role is {caller.role.value}"


_STATUSES: Mapping[str, Callable[[Caller, Body, Sequence[Kind]], Body]] = {
    ACCESS_REVIEW.kind: _access,
    RULES_REVIEW.kind: _rules,
    SUBJECT_REVIEW.kind: _who,
}
