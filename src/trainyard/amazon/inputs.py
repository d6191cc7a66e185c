"""Whether a job's inputs are there, looked at with the caller's own credentials before SageMaker is asked.

SageMaker looks again, with the job's role, when the job is created; what we may not look at is its to judge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.amazon.calling import Calling
from trainyard.model.errors import ServiceError, TrainyardError
from trainyard.model.problems import Problem
from trainyard.model.spec import TrainingJobSpec

MOST_PAGES = 10  # of a thousand objects each; what has more is not counted
_NO_BUCKET = "NoSuchBucket"
Stage = tuple[str, str, int | None, int | None]


@dataclass(frozen=True, slots=True)
class Found:
    """One channel as it was seen: its stage for a plan, and what stands against it or is not known of it."""

    stage: Stage
    problem: Problem | None = None
    notice: str | None = None


class Inputs:
    """The objects of a job's S3 channels."""

    def __init__(self, calling: Calling, region: str) -> None:
        self._calling, self._region = calling, region

    async def look(self, spec: TrainingJobSpec) -> list[Found]:
        """Every channel that reads from S3, in the request's order."""
        asked = [
            self._channel(spec, index, channel.channel_name, channel.data_source.s3_data_source.s3_uri)
            for index, channel in enumerate(spec.input_data_config or ())
            if channel.data_source.s3_data_source is not None
        ]
        return list(await asyncio.gather(*asked))

    async def _channel(self, spec: TrainingJobSpec, index: int, name: str, uri: str) -> Found:
        bucket, prefix = _place(uri)
        blank: Stage = (name, uri, None, None)
        if not bucket:
            return Found(blank)  # no place of S3's; that is refused by itself
        try:
            count, size, whole = await self._counted(bucket, prefix)
        except ServiceError as error:
            if error.code == _NO_BUCKET:
                return Found(blank, problem=self._missing(spec, index, uri))
            return Found(blank, notice=_unseen(name, uri, error))
        except TrainyardError as error:
            return Found(blank, notice=_unseen(name, uri, error))
        if not count:
            return Found((name, uri, 0, 0), problem=self._missing(spec, index, uri))
        return Found((name, uri, count, size) if whole else blank)

    async def _counted(self, bucket: str, prefix: str) -> tuple[int, int, bool]:
        """Objects and bytes, and whether that is all of them."""
        count = size = 0
        request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
        for _ in range(MOST_PAGES):
            page: Mapping[str, Any] = await self._calling("s3", "list_objects_v2", **request)
            found = page.get("Contents", ())
            count, size = count + len(found), size + sum(one["Size"] for one in found)
            if not page.get("IsTruncated"):
                return count, size, True
            request["ContinuationToken"] = page["NextContinuationToken"]
        return count, size, False

    def _missing(self, spec: TrainingJobSpec, index: int, uri: str) -> Problem:
        """The service's own words."""
        message = (
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
            f"exists in the selected region ({self._region}), that objects exist under that S3 prefix, and that the "
            f'role "{spec.role_arn}" has "s3:ListBucket" permissions on bucket "{_place(uri)[0]}".'
        )
        path = ("InputDataConfig", index, "DataSource", "S3DataSource", "S3Uri")
        return Problem(path=path, message=message, code="no-data")


def _unseen(channel: str, uri: str, error: TrainyardError) -> str:
    return f"Whether the channel {channel} has data at {uri} cannot be looked at with these credentials: {error}"


def _place(uri: str) -> tuple[str, str]:
    """Bucket and prefix of an s3:// URI, or of S3's https:// form; empty for others."""
    scheme, _, rest = uri.partition("://")
    if scheme == "https":
        rest = rest.partition("/")[2]
    elif scheme != "s3":
        return "", ""
    bucket, _, prefix = rest.partition("/")
    return bucket, prefix
