"""From a request's channels to a host's orders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainyard.agent.channels import channel_orders, staged
from trainyard.agent.orders import ChannelOrder, TransferOrders
from trainyard.model.spec import TrainingJobSpec


def orders(*channels: dict[str, Any], **host: Any) -> dict[str, ChannelOrder]:
    spec = TrainingJobSpec.from_wire({
        "TrainingJobName": "a", "RoleArn": "arn:aws:iam::123456789012:role/x", "InputDataConfig": list(channels),
        "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "FastFile"},
        "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
    })  # fmt: skip
    found = channel_orders(spec, data=Path("/data"), listings=Path("/lists"), **host)
    return {order.name: order for order in found}


def channel(name: str, more: dict[str, Any] | None = None, **source: Any) -> dict[str, Any]:
    s3 = {"S3DataType": "S3Prefix", "S3Uri": "s3://b/p", **source}
    return {"ChannelName": name, "DataSource": {"S3DataSource": s3}, **(more or {})}


def test_a_channel_is_what_its_members_say() -> None:
    members = {
        "InputMode": "Pipe", "CompressionType": "Gzip", "RecordWrapperType": "RecordIO", "ShuffleConfig": {"Seed": -3},
    }  # fmt: skip
    source = {"S3DataType": "AugmentedManifestFile", "AttributeNames": ["a-ref"]}
    deals = {"S3DataDistributionType": "ShardedByS3Key"}
    [order] = orders(channel("c", members, **source, **deals), host=2, hosts=5).values()
    assert order == ChannelOrder(
        name="c", uri="s3://b/p", folder="/data/c", manifest="/data/c-manifest", listing="/lists/c.items", mode="Pipe",
        kind="AugmentedManifestFile", attributes=("a-ref",), seed=-3, is_sharded=True, host=2, hosts=5, is_gzip=True,
        is_recordio=True,
    )  # fmt: skip


def test_the_jobs_mode_is_a_channels_that_has_none() -> None:
    modes = {name: order.mode for name, order in orders(channel("a"), channel("b", {"InputMode": "File"})).items()}
    assert modes == {"a": "FastFile", "b": "File"}
    assert [staged(order).mode for order in orders(channel("a"), channel("p", {"InputMode": "Pipe"})).values()] == [
        "File", "Pipe",
    ]  # fmt: skip


def test_a_channel_goes_to_the_groups_that_it_names() -> None:
    given = [channel("left", InstanceGroupNames=["l"]), channel("both", InstanceGroupNames=["l", "r"])]
    assert list(orders(*given, group="l")) == ["left", "both"]
    assert list(orders(*given, group="r")) == ["both"]
    assert list(orders(channel("all"), group="r")) == ["all"]


def test_a_file_system_is_fetched_by_nobody() -> None:
    files = {
        "FileSystemId": "fs-0123456789abcdef0", "FileSystemType": "EFS", "FileSystemAccessMode": "ro",
        "DirectoryPath": "/",
    }  # fmt: skip
    assert orders({"ChannelName": "c", "DataSource": {"FileSystemDataSource": files}}) == {}


def test_orders_go_through_a_file_and_so_do_those_of_a_release_before() -> None:
    made = tuple(orders(channel("c", S3DataType="AugmentedManifestFile", AttributeNames=["a"])).values())
    whole = TransferOrders(channels=made, outputs=(), routes={})
    plain = whole.to_plain()
    assert (
        TransferOrders.from_plain({**plain, "channels": [{**one, "attributes": ["a"]} for one in plain["channels"]]})
        == whole
    )
    old = {"name": "c", "uri": "s3://b/p", "folder": "/data/c", "manifest": "/data/c-manifest"}
    [order] = TransferOrders.from_plain({"channels": [old], "outputs": [], "routes": {}}).channels
    assert (order.mode, order.kind, order.is_sharded) == ("File", "S3Prefix", False)
