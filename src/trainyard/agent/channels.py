"""From a request's channels to the orders of one host's helpers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from trainyard.agent.orders import ChannelOrder
from trainyard.lifecycle.defaults import input_mode
from trainyard.model.spec import Channel, S3DataSource, TrainingJobSpec


def channel_orders(
    spec: TrainingJobSpec, *, data: Path, listings: Path, host: int = 0, hosts: int = 1, group: str | None = None
) -> tuple[ChannelOrder, ...]:
    """The orders of a host's channels that are objects.

    data    : what the program sees as /opt/ml/input/data; `listings` a folder of ours.
    host    : which of the `hosts` that share the channels it is, from 0.
    group   : the instance group that the host is of; None in a cluster without groups.
    """
    orders = (_order(spec, channel, source, data, listings) for channel, source in _reaching(spec, group))
    return tuple(replace(order, host=host, hosts=hosts) for order in orders)


def staged(order: ChannelOrder) -> ChannelOrder:
    """The order where there is no FastFile: its files are all fetched before the start, to the same places."""
    return replace(order, mode="File") if order.mode == "FastFile" else order


def _reaching(spec: TrainingJobSpec, group: str | None) -> Iterator[tuple[Channel, S3DataSource]]:
    """The channels of objects that go to a group's hosts: those that name it, and those that name none."""
    for channel in spec.input_data_config or ():
        source = channel.data_source.s3_data_source
        if source is not None and (not source.instance_group_names or group in source.instance_group_names):
            yield channel, source


def _order(spec: TrainingJobSpec, channel: Channel, source: S3DataSource, data: Path, listings: Path) -> ChannelOrder:
    name = channel.channel_name
    return ChannelOrder(
        name=name,
        uri=source.s3_uri,
        folder=str(data / name),
        manifest=str(data / f"{name}-manifest"),
        listing=str(listings / f"{name}.items"),
        kind=source.s3_data_type,
        mode=input_mode(spec, channel),
        attributes=source.attribute_names or (),
        seed=channel.shuffle_config.seed if channel.shuffle_config else None,
        is_sharded=source.s3_data_distribution_type == "ShardedByS3Key",
        is_gzip=channel.compression_type == "Gzip",
        is_recordio=channel.record_wrapper_type == "RecordIO",
    )
