"""Which form of an answer a client wants, by its Accept header: the object, its metadata alone, or a table."""

from __future__ import annotations

from dataclasses import dataclass

from trainyard.doors.kube.answers import JSON
from trainyard.doors.kube.errors import not_acceptable

_KNOWN = (JSON,)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The form of the answer. `form` is "", "Table", "PartialObjectMetadata" or "PartialObjectMetadataList".

    version: of meta.k8s.io, for the forms that belong to it.
    """

    form: str = ""
    version: str = "v1"


def wanted_by(accept: str) -> Wanted:
    """The first form in the header that we have. Raises Refused (406)."""
    if not accept.strip():
        return Wanted()
    for choice in accept.split(",")[:50]:
        media, *rest = (part.strip() for part in choice.split(";"))
        if media not in (JSON, "*/*", "application/*"):
            continue
        parameters = dict(part.split("=", 1) for part in rest if "=" in part)
        form, group, version = (parameters.get(name, "") for name in ("as", "g", "v"))
        if not form:
            return Wanted()
        if group == "meta.k8s.io" and version in ("v1", "v1beta1") and form in _FORMS:
            return Wanted(form, version)
    raise not_acceptable(_KNOWN)


_FORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
