"""A patch's media type and body to a function from an object to the object that is wanted."""

from __future__ import annotations

from typing import Any

from trainyard.doors.kube.applying import MEDIA_TYPE as APPLY_PATCH
from trainyard.doors.kube.bodies import parsed_json
from trainyard.doors.kube.errors import Refused, bad_request, invalid_patch, too_large_patch, unsupported_media_type
from trainyard.doors.kube.kinds import Kind
from trainyard.doors.kube.patches import PatchRefused, json_patch, merge_patch
from trainyard.doors.kube.strategic import strategic_patch
from trainyard.doors.kube.writing import Change
from trainyard.ports.resources import Body

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


def media_types(kind: Kind) -> tuple[str, ...]:
    """The patches that a kind takes: strategic ones are for built-in kinds, whose lists' keys are known."""
    return (JSON_PATCH, MERGE_PATCH, *(() if kind.custom else (STRATEGIC_PATCH,)), APPLY_PATCH)


def change_of(kind: Kind, media: str, raw: bytes) -> Change:
    """What a patch does to an object. Raises Refused (400, 415); the function raises it (400, 413, 422)."""
    if media not in media_types(kind):
        raise unsupported_media_type(media_types(kind))
    patch = parsed_json(raw)
    if media != JSON_PATCH and not isinstance(patch, dict):
        raise bad_request("the patch must be an object")
    apply = {JSON_PATCH: json_patch, MERGE_PATCH: merge_patch, STRATEGIC_PATCH: strategic_patch}[media]

    def change(body: Body) -> Any:
        try:
            return apply(body, patch)
        except PatchRefused as refusal:
            raise _refused(kind, body, refusal) from refusal

    return change


def _refused(kind: Kind, body: Body, refusal: PatchRefused) -> Refused:
    if refusal.code == 413:
        return too_large_patch(str(refusal))
    if refusal.code == 400:
        return bad_request(str(refusal))
    return invalid_patch(kind, body["metadata"]["name"], str(refusal))
