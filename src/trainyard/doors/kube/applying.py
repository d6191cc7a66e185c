"""Server-side apply over HTTP: a configuration to the change that it is, and who writes."""

from __future__ import annotations

from trainyard.doors.kube.apply import ApplyConflict, ApplyRefused, Writer, applied, tracked
from trainyard.doors.kube.bodies import parsed_yaml
from trainyard.doors.kube.errors import Refused, bad_request, unsupported_request
from trainyard.doors.kube.kinds import Kind
from trainyard.doors.kube.objects import timestamp
from trainyard.doors.kube.options import WriteOptions
from trainyard.ports.resources import Body

MEDIA_TYPE = "application/apply-patch+yaml"


def configuration(kind: Kind, raw: bytes, options: WriteOptions, subresource: str) -> Body:
    """The applied configuration: without what the path does not write. Raises Refused (400, 422)."""
    if not options.field_manager:
        raise unsupported_request("fieldManager", "Required value: is required for apply patch")
    body = parsed_yaml(raw)
    if not isinstance(body, dict):
        raise bad_request("the configuration must be an object")
    if subresource == "status":
        identity = ("apiVersion", "kind", "metadata", "status")
        return {name: value for name, value in body.items() if name in identity}
    return {name: value for name, value in body.items() if not (kind.status and name == "status")}


def with_configuration(
    kind: Kind, live: Body | None, config: Body, options: WriteOptions, subresource: str, now: float
) -> Body:
    """The object with the configuration applied. Raises Refused (400, 409)."""
    try:
        return applied(live, config, _writer(kind, options, subresource, now), kind.schema, force=options.force)
    except ApplyConflict as conflict:
        raise Refused(409, "Conflict", str(conflict), {"causes": conflict.causes}) from conflict
    except ApplyRefused as refusal:
        raise bad_request(str(refusal)) from refusal


def with_books(kind: Kind, live: Body | None, new: Body, options: WriteOptions, subresource: str, now: float) -> Body:
    """A plain write's object with the books of who manages what."""
    return tracked(live, new, _writer(kind, options, subresource, now), kind.schema)


def _writer(kind: Kind, options: WriteOptions, subresource: str, now: float) -> Writer:
    manager = options.field_manager or options.agent or "unknown"
    return Writer(manager=manager, api_version=kind.api_version, now=timestamp(now), subresource=subresource)
