"""Pages by keyset: where one ended is told by a place in the order, not by a count.

So jobs that arrive or go meanwhile make no page repeat or skip another job. Ties are settled by the name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from trainyard.kit import tokens
from trainyard.lifecycle.refusals import invalid_token
from trainyard.model.listing import JobSummary

KINDS: Mapping[str, type] = {"Name": str, "CreationTime": float, "LastModifiedTime": float, "Status": str}


class Order(NamedTuple):
    """What is sorted by, and which way."""

    by: str
    descending: bool


class Place(NamedTuple):
    """The value that is sorted by, and the name."""

    value: str | float
    name: str


def place_of(one: JobSummary, by: str) -> Place:
    """A job's place in the order of one of `KINDS`."""
    by_name: Mapping[str, str | float] = {
        "Name": one.name, "CreationTime": float(one.created_at), "LastModifiedTime": float(one.modified_at),
        "Status": str(one.status),
    }  # fmt: skip
    return Place(by_name[by], one.name)


def token_of(order: Order, place: tuple[Any, ...]) -> str:
    """The token of the page that follows a place; it is good for this order alone."""
    return tokens.token_of(*order, *place)


def values_in(token: str, order: Order, *kinds: type) -> tuple[Any, ...]:
    """The place in a token, value by value. Raises ValidationRefused for what is no token of this order."""
    try:
        by, descending, *values = tokens.place_of(token, str, bool, *kinds)
    except ValueError as error:
        raise invalid_token() from error
    if (by, descending) != order:
        raise invalid_token()
    return tuple(values)


def place_in(token: str | None, order: Order) -> Place | None:
    """Where the last page ended; None for the first. Raises ValidationRefused."""
    return None if token is None else Place(*values_in(token, order, KINDS[order.by], str))
