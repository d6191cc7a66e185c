"""Times as JSON APIs write them."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(at: float) -> str:
    """Seconds since the epoch as `2026-01-31T23:59:59Z`, whole seconds."""
    return f"{datetime.fromtimestamp(int(at), UTC).isoformat()[:19]}Z"  # strftime takes ten times as long


def rfc3339_micro(at: float) -> str:
    """The same with six decimals, as Kubernetes writes a MicroTime."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def epoch(text: object) -> float | None:
    """Seconds since the epoch; None for what is no time."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
