"""The requests; constraints are the API's own, held against botocore's model by a test."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trainyard.model.shapes import Items, Number, OneOf, Structure, Text

_GROUP = Text(min=1, max=512, pattern=r"[\.\-_/#A-Za-z0-9]+")
_GROUP_PATTERN = Text(min=0, max=512, pattern=r"[\.\-_/#A-Za-z0-9]*")
_GROUP_ID = Text(min=1, max=2048, pattern=r"[\w#+=/:,.@-]*")
_STREAM = Text(min=1, max=512, pattern=r"[^:*]*")
_TOKEN = Text(min=1)
_LIMIT, _EVENTS, _TIME = Number(min=1, max=50), Number(min=1, max=10_000), Number(min=0, bits=64)


class DescribeLogGroups(Structure):
    """Which groups."""

    account_identifiers: (
        Annotated[tuple[Annotated[str, Text(min=12, max=12, pattern=r"^\d{12}$")], ...], Items(min=0, max=20)] | None
    ) = Field(None, alias="accountIdentifiers")
    log_group_name_prefix: Annotated[str, _GROUP] | None = Field(None, alias="logGroupNamePrefix")
    log_group_name_pattern: Annotated[str, _GROUP_PATTERN] | None = Field(None, alias="logGroupNamePattern")
    next_token: Annotated[str, _TOKEN] | None = Field(None, alias="nextToken")
    limit: Annotated[int, _LIMIT] | None = Field(None, alias="limit")
    include_linked_accounts: bool | None = Field(None, alias="includeLinkedAccounts")
    log_group_class: Annotated[str, OneOf(("STANDARD", "INFREQUENT_ACCESS", "DELIVERY", "ESSENTIALS"))] | None = Field(
        None, alias="logGroupClass"
    )
    log_group_identifiers: Annotated[tuple[Annotated[str, _GROUP_ID], ...], Items(min=1, max=50)] | None = Field(
        None, alias="logGroupIdentifiers"
    )


class InGroup(Structure):
    """A group, by its name or by its name or ARN."""

    log_group_name: Annotated[str, _GROUP] | None = Field(None, alias="logGroupName")
    log_group_identifier: Annotated[str, _GROUP_ID] | None = Field(None, alias="logGroupIdentifier")


class DescribeLogStreams(InGroup):
    """Which streams of a group, in which order."""

    log_stream_name_prefix: Annotated[str, _STREAM] | None = Field(None, alias="logStreamNamePrefix")
    order_by: Annotated[str, OneOf(("LogStreamName", "LastEventTime"))] | None = Field(None, alias="orderBy")
    descending: bool | None = Field(None, alias="descending")
    next_token: Annotated[str, _TOKEN] | None = Field(None, alias="nextToken")
    limit: Annotated[int, _LIMIT] | None = Field(None, alias="limit")


class GetLogEvents(InGroup):
    """Events of one stream. Times in ms since the epoch: from `startTime` on, before `endTime`."""

    log_stream_name: Annotated[str, _STREAM] = Field(alias="logStreamName")
    start_time: Annotated[int, _TIME] | None = Field(None, alias="startTime")
    end_time: Annotated[int, _TIME] | None = Field(None, alias="endTime")
    next_token: Annotated[str, _TOKEN] | None = Field(None, alias="nextToken")
    limit: Annotated[int, _EVENTS] | None = Field(None, alias="limit")
    start_from_head: bool | None = Field(None, alias="startFromHead")
    unmask: bool | None = Field(None, alias="unmask")


class FilterLogEvents(InGroup):
    """Events of several streams that a pattern fits."""

    log_stream_names: Annotated[tuple[Annotated[str, _STREAM], ...], Items(min=1, max=100)] | None = Field(
        None, alias="logStreamNames"
    )
    log_stream_name_prefix: Annotated[str, _STREAM] | None = Field(None, alias="logStreamNamePrefix")
    start_time: Annotated[int, _TIME] | None = Field(None, alias="startTime")
    end_time: Annotated[int, _TIME] | None = Field(None, alias="endTime")
    filter_pattern: Annotated[str, Text(min=0, max=1024)] | None = Field(None, alias="filterPattern")
    next_token: Annotated[str, _TOKEN] | None = Field(None, alias="nextToken")
    limit: Annotated[int, _EVENTS] | None = Field(None, alias="limit")
    start_from_head: bool | None = Field(None, alias="startFromHead")
    interleaved: bool | None = Field(None, alias="interleaved")
    unmask: bool | None = Field(None, alias="unmask")
