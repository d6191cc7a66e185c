"""An image on its way into an engine: what the engine tells of it, as bytes, and its words where it fails. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PERMANENT = (
    "not found", "manifest unknown", "denied", "unauthorized", "no basic auth", "does not exist", "invalid reference",
    "authentication required", "no such image", "name unknown", "unsupported", "no matching manifest", "forbidden",
)  # fmt: skip


class PullFailed(Exception):  # noqa: N818 - it names a state
    """The engine could not fetch the image; its text says why. `is_final`: no further try would help."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.is_final = any(word in text.lower() for word in PERMANENT)


class Pulling:
    """What is known of a download: bytes that came, and bytes that are to come as far as the engine has told."""

    def __init__(self) -> None:
        self._layers: dict[str, tuple[int, int]] = {}

    @property
    def done(self) -> int:
        """Bytes that came."""
        return sum(done for done, _ in self._layers.values())

    @property
    def total(self) -> int | None:
        """Bytes in all, of the layers that have begun; None before the first."""
        return sum(total for _, total in self._layers.values()) or None

    def take(self, told: Mapping[str, Any]) -> None:
        """One line of the engine's. Raises PullFailed."""
        if told.get("error"):
            raise PullFailed(str(told["error"]))
        layer, detail = str(told.get("id") or ""), told.get("progressDetail") or {}
        if told.get("status") == "Downloading" and detail.get("total"):
            self._layers[layer] = (int(detail.get("current", 0)), int(detail["total"]))
        elif told.get("status") in ("Download complete", "Pull complete") and layer in self._layers:
            self._layers[layer] = (self._layers[layer][1],) * 2


def reference(image: str) -> tuple[str, str]:
    """An image's repository, and the tag or digest to fetch of it: one, for without it an engine fetches all tags."""
    name, _, digest = image.partition("@")
    if digest:
        return _untagged(name), digest
    repository = _untagged(name)
    return repository, name[len(repository) + 1 :] or "latest"


def _untagged(name: str) -> str:
    """A colon behind the last slash is a tag's; one before it is a port's."""
    head, slash, leaf = name.rpartition("/")
    return f"{head}{slash}{leaf.partition(':')[0]}"
