"""Strategic merge patch: a merge patch that knows which lists are merged, by key or as sets, and takes directives.

A patch may hold `$patch` (replace, delete, merge), `$retainKeys`, `$setElementOrder/LIST` and
`$deleteFromPrimitiveList/LIST`, as kubectl sends them. Which lists are merged is a table; all others are replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainyard.doors.kube.patches import PatchRefused, same

# A list's path without indices -> the key of its items; "" for a list of plain values.
MergeKeys = Mapping[tuple[str, ...], str]

METADATA_KEYS: MergeKeys = {("metadata", "ownerReferences"): "uid", ("metadata", "finalizers"): ""}
NAMESPACE_KEYS: MergeKeys = {**METADATA_KEYS, ("status", "conditions"): "type"}

_ORDER, _DELETE, _PATCH, _RETAIN = "$setElementOrder/", "$deleteFromPrimitiveList/", "$patch", "$retainKeys"


def strategic_patch(value: Any, patch: Any, keys: MergeKeys = METADATA_KEYS) -> Any:
    """The object with the patch applied. Raises PatchRefused."""
    if not isinstance(patch, Mapping) or not isinstance(value, Mapping):
        raise PatchRefused("a strategic merge patch is an object, and so is what it patches", 400)
    return _merged(value, patch, keys, ())


def _merged(value: Mapping[str, Any], patch: Mapping[str, Any], keys: MergeKeys, path: tuple[str, ...]) -> Any:
    directive = patch.get(_PATCH, "merge")
    if directive == "replace":
        return _plain({name: part for name, part in patch.items() if name != _PATCH})
    if directive == "delete":
        return {}
    if directive != "merge":
        raise _unknown(directive)
    merged = _retained(value, patch)
    for name, change in patch.items():
        if name in (_PATCH, _RETAIN) or name.startswith((_ORDER, _DELETE)):
            continue
        _change(merged, name, change, keys, (*path, name))
    _directed(merged, value, patch, keys, path)
    return merged


def _retained(value: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    kept = patch.get(_RETAIN)
    if kept is None:
        return dict(value)
    if not isinstance(kept, list):
        raise PatchRefused(f"{_RETAIN} must be a list of names", 400)
    given = {name for name in patch if not name.startswith("$")}
    if not given <= {name for name in kept if isinstance(name, str)}:
        raise PatchRefused(f"every member of the patch must be listed in {_RETAIN}", 400)
    return {name: member for name, member in value.items() if name in kept}


def _change(merged: dict[str, Any], name: str, change: Any, keys: MergeKeys, path: tuple[str, ...]) -> None:
    now = merged.get(name)
    if change is None:
        merged.pop(name, None)
    elif isinstance(change, Mapping):
        if change.get(_PATCH) == "delete":
            merged.pop(name, None)
        elif isinstance(now, Mapping):
            merged[name] = _merged(now, change, keys, path)
        else:
            merged[name] = _plain(change)
    elif isinstance(change, list):
        merged[name] = _list(now if isinstance(now, list) else [], change, keys, path)
    else:
        merged[name] = change


def _list(now: list[Any], change: list[Any], keys: MergeKeys, path: tuple[str, ...]) -> list[Any]:
    key = keys.get(path)
    whole = [item for item in change if isinstance(item, Mapping) and item.get(_PATCH) == "replace"]
    if key is None or whole:
        return [_plain(item) for item in change if not (isinstance(item, Mapping) and item.get(_PATCH) == "replace")]
    if key == "":
        return now + [item for item in change if not _holds(now, item)]
    for item in change:
        if not isinstance(item, Mapping) or key not in item:
            raise PatchRefused(f"an item of {'.'.join(path)} in the patch has no {key!r}, which its list is merged by")
        now = _item(now, item, key, keys, path)
    return now


def _item(now: list[Any], item: Mapping[str, Any], key: str, keys: MergeKeys, path: tuple[str, ...]) -> list[Any]:
    place = next((index for index, one in enumerate(now) if _key(one, key) == item[key]), None)
    if item.get(_PATCH) == "delete":
        return [one for one in now if _key(one, key) != item[key]]
    if place is None:
        return [*now, _plain(item)]
    return [*now[:place], _merged(now[place], item, keys, path), *now[place + 1 :]]


def _directed(
    merged: dict[str, Any], value: Mapping[str, Any], patch: Mapping[str, Any], keys: MergeKeys, path: tuple[str, ...]
) -> None:
    """Deletions from plain lists, then orders."""
    for directive, given in patch.items():
        if directive.startswith((_ORDER, _DELETE)) and not isinstance(given, list):
            raise PatchRefused(f"{directive[:80]} must be a list", 400)
        if directive.startswith(_DELETE):
            name = directive.removeprefix(_DELETE)
            if isinstance(merged.get(name), list):
                merged[name] = [item for item in merged[name] if not _holds(given, item)]
    for directive, order in patch.items():
        name = directive.removeprefix(_ORDER)
        if name != directive and isinstance(merged.get(name), list) and (*path, name) in keys:
            key = keys[*path, name]
            before = value.get(name) if isinstance(value.get(name), list) else []
            merged[name] = _ordered(merged[name], order, before or [], key)


def _ordered(items: list[Any], order: list[Any], before: Sequence[Any], key: str) -> list[Any]:
    """Items that the order names in that order; the others keep their places among those that stood there before."""
    wanted, earlier = [_key(one, key) for one in order], [_key(one, key) for one in before]
    named = sorted(
        (item for item in items if _holds(wanted, _key(item, key))), key=lambda one: _place(wanted, one, key)
    )
    others = [item for item in items if not _holds(wanted, _key(item, key))]
    result: list[Any] = []
    while others and named:
        left, right = _place(earlier, others[0], key), _place(earlier, named[0], key)
        first = others if -1 < left < right else named
        result.append(first.pop(0))
    return result + others + named


def _place(order: Sequence[Any], item: Any, key: str) -> int:
    mine = _key(item, key)
    return next((index for index, one in enumerate(order) if same(one, mine)), -1)


def _key(item: Any, key: str) -> Any:
    return item.get(key) if key and isinstance(item, Mapping) else item


def _holds(items: Sequence[Any], item: Any) -> bool:
    return any(same(one, item) for one in items)


def _plain(value: Any) -> Any:
    """A value of the patch as a value of the object: without directives and without nulls."""
    if isinstance(value, Mapping):
        return {
            name: _plain(part) for name, part in value.items() if part is not None and not name.startswith("$")
        }  # fmt: skip
    if isinstance(value, list):
        return [_plain(item) for item in value if not (isinstance(item, Mapping) and item.get(_PATCH) == "delete")]
    return value


def _unknown(directive: Any) -> PatchRefused:
    return PatchRefused(f"$patch must be replace, delete or merge, and is {str(directive)[:40]!r}", 400)
