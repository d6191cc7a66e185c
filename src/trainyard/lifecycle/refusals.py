"""What a store refuses, in the words that every store says it in."""

from __future__ import annotations

from trainyard.model.errors import ResourceInUse, StaleRecord, ValidationRefused
from trainyard.model.keys import JobKey

_LONGEST_COUNT = 18  # digits: what a store numbers its lines with holds them


def name_taken(key: JobKey) -> ResourceInUse:
    """Two jobs of one name, in the service's words."""
    return ResourceInUse(
        "Training job names must be unique within an AWS account and region, and a training job with "
        f"this name already exists ({key.arn})"
    )


def written_meanwhile(key: JobKey) -> StaleRecord:
    """The record is not the one that was read."""
    return StaleRecord(f"{key.name} was written by someone else since it was read")


def read_meanwhile(stream: str) -> StaleRecord:
    """The stream is not scanned up to where the caller read it from."""
    return StaleRecord(f"{stream} was read by someone else meanwhile")


def invalid_token() -> ValidationRefused:
    """No page begins there, in the service's words."""
    return ValidationRefused("The pagination token is invalid.")


def count_in(token: str | None) -> int:
    """The number in a token that is a plain one, 0 in none. Raises ValidationRefused for anything else."""
    if token is not None and not (token.isdecimal() and token.isascii() and len(token) <= _LONGEST_COUNT):
        raise invalid_token()
    return int(token or 0)
