"""Pages of what lies under a prefix in the order of keys, keys behind a delimiter told as one.

A page costs what it shows: it begins with a seek, and each common prefix is left with another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from trainyard.model.buckets import Listed, Listing
from trainyard.objects.embedded.records import key_bytes, key_text

E = TypeVar("E")
Rows = Callable[[bytes, str], Iterable[tuple[bytes, str, E]]]
"""(low, label) → (key, label, entry) of each row from the key `low` on, in order; of `low` itself, if a label is given,
only those behind that label."""


def page(listing: Listing, rows: Rows[E]) -> Listed[E]:
    """One page."""
    prefix, delimiter = key_bytes(listing.prefix), key_bytes(listing.delimiter)
    low, label = _beginning(listing, prefix, delimiter)
    entries: list[E] = []
    prefixes: list[str] = []
    last, last_label = b"", ""
    if listing.limit <= 0:
        return Listed()
    while low is not None:
        start, low = low, None
        for key, shown, entry in rows(start, label):
            if not key.startswith(prefix):
                break
            if len(entries) + len(prefixes) >= listing.limit:
                return Listed(
                    entries=entries, prefixes=prefixes, more=True, last=key_text(last), last_version=last_label
                )
            group = _group(key, prefix, delimiter)
            if group is not None:
                prefixes.append(key_text(group))
                last, last_label = group, ""
                low, label = _behind(group), ""
                break
            entries.append(entry)
            last, last_label = key, shown
    return Listed(entries=entries, prefixes=prefixes)


def _beginning(listing: Listing, prefix: bytes, delimiter: bytes) -> tuple[bytes | None, str]:
    """Where the page begins: the first key that may be told, and the label that its rows come behind."""
    after = key_bytes(listing.after)
    if after < prefix or not after:
        return prefix, ""
    if not after.startswith(prefix):
        return None, ""
    group = _group(after, prefix, delimiter)
    if group is not None:
        return _behind(group), ""
    if listing.after_version:
        return after, listing.after_version
    return after + b"\0", ""


def _group(key: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    """The common prefix that a key is told as, if it is."""
    place = key.find(delimiter, len(prefix)) if delimiter else -1
    return None if place < 0 else key[: place + len(delimiter)]


def _behind(group: bytes) -> bytes:
    """The first bytes that come after everything that begins with these; no byte of a key is the highest."""
    return group[:-1] + bytes((group[-1] + 1,))
