"""What the helper processes of one attempt are told: plain values, written by the runtime, read by the helpers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelOrder:
    """One channel of one host.

    uri       : a prefix, a manifest or an augmented manifest, as `kind` says in the API's words.
    folder    : where its files go; `manifest` is the list of its objects, for the program.
    listing   : our own list of its items, as they were when the attempt began.
    mode      : File | FastFile | Pipe.
    attributes: of an augmented manifest, those that are data.
    seed      : of the shuffle; None where nothing is shuffled.
    may_be_empty: no object at all is no fault.
    is_sharded: this host (`host` of 0 … `hosts` - 1) gets its share, else all.
    """

    name: str
    uri: str
    folder: str
    manifest: str
    listing: str
    kind: str = "S3Prefix"
    mode: str = "File"
    attributes: tuple[str, ...] = ()
    seed: int | None = None
    is_sharded: bool = False
    host: int = 0
    hosts: int = 1
    is_gzip: bool = False
    is_recordio: bool = False
    may_be_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOrder:
    """One folder to upload to `uri`: an archive, or file by file where `archive` is False.

    root   : our own folder, which the program sees as /opt/ml.
    folder : the way from there; any part of it may have been replaced by the program.
    """

    root: str
    folder: str
    uri: str
    archive: bool
    is_model: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOrder:
    """One folder whose files are kept under `uri` while the program runs.

    root, folder   : as of an output.
    is_checkpoints : brought back before the program starts; files that it removes are removed from the store.
    """

    root: str
    folder: str
    uri: str
    is_checkpoints: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOrders:
    """All that the helpers of one attempt do. `routes` is what `objects.buckets.Buckets.from_plain` takes."""

    channels: tuple[ChannelOrder, ...]
    outputs: tuple[OutputOrder, ...]
    routes: dict[str, Any]
    syncs: tuple[SyncOrder, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """For attempt.json."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> TransferOrders:
        """From attempt.json, also from one that a release before this one wrote."""
        return cls(
            channels=tuple(_channel(one) for one in plain["channels"]),
            outputs=tuple(OutputOrder(**one) for one in plain["outputs"]),
            routes=plain["routes"],
            syncs=tuple(SyncOrder(**one) for one in plain.get("syncs", ())),
        )


def _channel(plain: dict[str, Any]) -> ChannelOrder:
    known = {"listing": f"{plain['manifest']}.items", **plain}
    return ChannelOrder(**{**known, "attributes": tuple(known.get("attributes", ()))})
