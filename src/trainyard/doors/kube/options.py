"""The options of a request, read from its query and, for deletions, its body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from trainyard.doors.kube.errors import Refused, bad_request, unsupported_request

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"", "0", "f", "F", "false", "FALSE", "False"})


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a write is to be done.

    field_validation: Strict, Warn or Ignore unknown fields.
    agent           : the client's program, the manager of the fields where it names none.
    applies         : the object is an applied one: its managed fields are right as they are.
    """

    dry_run: bool = False
    field_validation: str = "Warn"
    field_manager: str = ""
    force: bool = False
    agent: str = ""
    applies: bool = False


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """How a deletion is to be done, and what must hold for it."""

    dry_run: bool = False
    propagation: str = ""
    uid: str | None = None
    resource_version: str | None = None


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What of a collection is wanted, and for a watch from when on and for how long (seconds)."""

    labels: str = ""
    fields: str = ""
    limit: int = 0
    token: str = ""
    resource_version: str = ""
    match: str = ""
    watch: bool = False
    bookmarks: bool = False
    initial_events: bool | None = None
    timeout: float | None = None


def write_options(query: Mapping[str, str], agent: str = "") -> WriteOptions:
    """From the query of a write and its User-Agent. Raises Refused."""
    validation = query.get("fieldValidation") or "Warn"
    if validation not in ("Strict", "Warn", "Ignore"):
        raise _unsupported("fieldValidation", validation, "Ignore, Strict, Warn")
    manager = query.get("fieldManager", "")
    if len(manager) > 128 or not manager.isprintable():
        raise _unsupported("fieldManager", manager[:128], "up to 128 printable characters")
    return WriteOptions(
        dry_run=_dry_run([query["dryRun"]] if query.get("dryRun") else []),
        field_validation=validation,
        field_manager=manager,
        force=_flag(query, "force"),
        agent=agent.split("/", maxsplit=1)[0][:128] if agent.isprintable() else "",
    )


def delete_options(query: Mapping[str, str], body: Any) -> DeleteOptions:
    """From the query and the DeleteOptions object of a deletion, which goes first. Raises Refused."""
    options = DeleteOptions(
        dry_run=_dry_run([query["dryRun"]] if query.get("dryRun") else []),
        propagation=_propagation(query.get("propagationPolicy"), _orphans(query)),
    )
    if body is None:
        return options
    if not isinstance(body, dict):
        raise bad_request("the body of a deletion must be a DeleteOptions object")
    preconditions = body.get("preconditions") or {}
    if not isinstance(preconditions, dict):
        raise bad_request("json: cannot unmarshal preconditions into an object")
    policy = _propagation(body.get("propagationPolicy"), body.get("orphanDependents"))
    return replace(
        options,
        dry_run=options.dry_run or _dry_run(body.get("dryRun") or []),
        propagation=policy or options.propagation,
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
    )


def list_options(query: Mapping[str, str]) -> ListOptions:
    """From the query of a list or a watch. Raises Refused."""
    initial = query.get("sendInitialEvents")
    return ListOptions(
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        limit=_whole(query, "limit"),
        token=query.get("continue", ""),
        resource_version=query.get("resourceVersion", ""),
        match=query.get("resourceVersionMatch", ""),
        watch=_flag(query, "watch"),
        bookmarks=_flag(query, "allowWatchBookmarks"),
        initial_events=None if initial is None else _flag(query, "sendInitialEvents"),
        timeout=float(_whole(query, "timeoutSeconds")) or None,
    )


def _flag(query: Mapping[str, str], name: str) -> bool:
    given = query.get(name, "")
    if given in _TRUE:
        return True
    if given in _FALSE:
        return False
    raise bad_request(f"{name}: {given[:50]!r} is neither true nor false")


def _orphans(query: Mapping[str, str]) -> bool | None:
    return _flag(query, "orphanDependents") if "orphanDependents" in query else None


def _whole(query: Mapping[str, str], name: str) -> int:
    given = query.get(name, "")
    if not given:
        return 0
    if not given.isascii() or not given.isdigit() or len(given) > 12:
        raise bad_request(f"{name}: {given[:50]!r} is not a whole number")
    return int(given)


def _dry_run(given: Any) -> bool:
    if given in ([], None):
        return False
    if given == ["All"]:
        return True
    raise _unsupported("dryRun", str(given)[:50], "All")


def _propagation(policy: Any, orphans: Any) -> str:
    if policy in (None, ""):
        return {True: "Orphan", False: "Background"}.get(orphans, "") if isinstance(orphans, bool) else ""
    if policy not in ("Orphan", "Background", "Foreground"):
        raise _unsupported("propagationPolicy", str(policy)[:50], "Background, Foreground, Orphan")
    return str(policy)


def _unsupported(field: str, value: str, known: str) -> Refused:
    return unsupported_request(
        field, f'Unsupported value: "{value}": supported values: {known}', "FieldValueNotSupported"
    )
