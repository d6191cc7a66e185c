"""Questions that are answered and not stored: may I, and who am I."""

from __future__ import annotations

from typing import Any

from trainyard.doors.kube.builtin import ACCESS_REVIEW
from trainyard.doors.kube.errors import bad_request
from trainyard.doors.kube.kinds import Kind
from trainyard.ports.resources import Body

READING = frozenset({"get", "list", "watch"})


def answered(kind: Kind, given: Any, *, user: str, may_write: bool) -> Body:
    """The review with its status. Raises Refused (400)."""
    if not isinstance(given, dict):
        raise bad_request(f"the body must be a {kind.kind} object")
    head = {**given, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}}
    if kind is ACCESS_REVIEW:
        spec = given.get("spec")
        asked = (
            (spec.get("resourceAttributes") or spec.get("nonResourceAttributes")) if isinstance(spec, dict) else None
        )
        if not isinstance(asked, dict):
            raise bad_request("exactly one of nonResourceAttributes or resourceAttributes must be specified")
        return {**head, "status": {"allowed": may_write or asked.get("verb") in READING}}
    return {**head, "status": {"userInfo": {"username": user, "groups": ["system:authenticated"]}}}
