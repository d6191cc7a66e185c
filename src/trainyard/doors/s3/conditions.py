"""If-Match and its like: what a client expects of the version that it reads, replaces or copies. Rules only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from trainyard.model.buckets import Version
from trainyard.model.errors import ObjectRefused, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Those of one request; None for one that it does not make. Times in seconds since the epoch."""

    match: frozenset[str] | None = None
    none_match: frozenset[str] | None = None
    modified_since: int | None = None
    unmodified_since: int | None = None

    @property
    def on_writing(self) -> bool:
        """Whether there are any that a write must meet."""
        return self.match is not None or self.none_match is not None

    def expect_read(self, version: Version | None) -> None:
        """Judge what is to be read. A condition on the ETag goes before one on the time. Raises ObjectRefused."""
        if version is None:
            raise ObjectRefused(Refusal.NO_SUCH_KEY)
        at = int(version.modified)
        if self.match is not None:
            if not _names(self.match, version):
                raise ObjectRefused(Refusal.PRECONDITION)
        elif self.unmodified_since is not None and at > self.unmodified_since:
            raise ObjectRefused(Refusal.PRECONDITION)
        if self.none_match is not None:
            if _names(self.none_match, version):
                raise ObjectRefused(Refusal.NOT_MODIFIED)
        elif self.modified_since is not None and at <= self.modified_since:
            raise ObjectRefused(Refusal.NOT_MODIFIED)

    def expect_source(self, version: Version | None) -> None:
        """Judge what is to be copied: as for reading, but nothing is merely not modified. Raises ObjectRefused."""
        try:
            self.expect_read(version)
        except ObjectRefused as refused:
            if refused.reason is Refusal.NOT_MODIFIED:
                raise ObjectRefused(Refusal.PRECONDITION) from None
            raise

    def expect_write(self, current: Version | None) -> None:
        """Judge what is to be replaced. Raises ObjectRefused."""
        if self.match is not None:
            if current is None:
                raise ObjectRefused(Refusal.NO_SUCH_KEY)
            if not _names(self.match, current):
                raise ObjectRefused(Refusal.PRECONDITION)
        if self.none_match is not None and current is not None and _names(self.none_match, current):
            raise ObjectRefused(Refusal.PRECONDITION)


def of(headers: Mapping[str, str], prefix: str = "") -> Conditions:
    """Those that the headers make, whose names begin with `prefix`."""
    return Conditions(
        match=_etags(headers.get(f"{prefix}if-match")),
        none_match=_etags(headers.get(f"{prefix}if-none-match")),
        modified_since=_time(headers.get(f"{prefix}if-modified-since")),
        unmodified_since=_time(headers.get(f"{prefix}if-unmodified-since")),
    )


def bare(etag: str) -> str:
    """An ETag without its quotes."""
    return etag.strip().removeprefix("W/").strip('"')


def _names(etags: frozenset[str], version: Version) -> bool:
    return "*" in etags or version.etag in etags


def _etags(text: str | None) -> frozenset[str] | None:
    return None if text is None else frozenset(bare(one) for one in text.split(","))


def _time(text: str | None) -> int | None:
    """A time that cannot be read makes no condition, as HTTP has it."""
    if text is None:
        return None
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except (ValueError, TypeError, OverflowError):
        return None
