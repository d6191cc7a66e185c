"""Formats of texts that schemas name. A text has every format that is not known here, as with the API server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any
from uuid import UUID


def has_format(value: str, form: str) -> bool:
    """Whether a text has a format; every text has one that is not known."""
    check = _FORMATS.get(form)
    if check is None:
        return True
    try:
        check(value)
    except ValueError:
        return False
    return True


def _date_time(value: str) -> None:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None or "T" not in value.upper():
        raise ValueError(value)


_FORMATS: Mapping[str, Callable[[str], Any]] = {
    "date-time": _date_time,
    "datetime": _date_time,
    "date": date.fromisoformat,
    "ipv4": IPv4Address,
    "ipv6": IPv6Address,
    "cidr": ip_network,
    "uuid": UUID,
}
