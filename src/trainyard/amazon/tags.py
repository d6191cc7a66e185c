"""A job's tags: DescribeTrainingJob does not tell them, so they are read apart and kept for a while.

A controller looks at every job again and again; a tag that somebody else puts on shows within `KEPT` seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

from trainyard.amazon.asking import tags_of
from trainyard.amazon.calling import Calling
from trainyard.amazon.telling import tags_in
from trainyard.ports.clock import Clock

KEPT = 300.0  # seconds
_MOST = 20_000  # jobs whose tags are kept
Tags = tuple[tuple[str, str], ...]


class JobTags:
    """The tags of jobs, by ARN."""

    def __init__(self, calling: Calling, clock: Clock) -> None:
        self._calling, self._clock = calling, clock
        self._kept: dict[str, tuple[float, Tags]] = {}

    async def of(self, arn: str) -> Tags:
        """All tags of a job."""
        now = self._clock.boottime()
        read_at, tags = self._kept.get(arn, (-KEPT, ()))
        if now - read_at < KEPT:
            return tags
        found: Tags = ()
        async for page in self._calling.pages("sagemaker", "list_tags", ResourceArn=arn):
            found += tags_in(page.get("Tags", ()))
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[arn] = (now, found)
        return found

    def put(self, arn: str, tags: Tags) -> None:
        """Take in what a job was made with."""
        self._kept[arn] = (self._clock.boottime(), tags)

    async def add(self, arn: str, tags: Sequence[tuple[str, str]]) -> Tags:
        """Add or replace; returns all of them."""
        self._kept.pop(arn, None)
        await self._calling("sagemaker", "add_tags", ResourceArn=arn, Tags=tags_of(dict(tags)))
        return await self.of(arn)

    async def remove(self, arn: str, keys: Sequence[str]) -> None:
        """Take off; harmless for keys that are not there."""
        self._kept.pop(arn, None)
        await self._calling("sagemaker", "delete_tags", ResourceArn=arn, TagKeys=list(keys))
