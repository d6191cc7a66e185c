"""What is asked of a container engine, Docker or Podman: images, containers, their output. Standard library only.

The API is Docker's, which Podman speaks as well. Every question may be repeated: what is there already, gone already or
ended already is no error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from trainyard.runtimes.local.containers.wire import Answer, Stream, Wire, refusal

NEWEST = (1, 47)  # of the API, that we know
STARTING = 300.0  # seconds that an engine may take to start a container on a busy machine
PRESENT, GONE, ENDED = 304, 404, 409


class Engine:
    """A container engine behind a unix socket. All raise EngineUnreachable, and EngineRefused with its own words."""

    def __init__(self, path: str) -> None:
        self._wire = Wire(path)
        self._version: str | None = None

    @property
    def path(self) -> str:
        """The socket's path."""
        return self._wire.path

    def version(self) -> dict[str, Any]:
        """Name and version of the engine: {"Version", "ApiVersion", "Components", …}."""
        told: dict[str, Any] = self._json(self._wire.ask("GET", "/version", patience=5.0))
        return told

    def info(self) -> dict[str, Any]:
        """What the engine can do on this machine."""
        told: dict[str, Any] = self._json(self._ask("GET", "/info"))
        return told

    def image(self, name: str) -> dict[str, Any] | None:
        """An image of the engine's own store; None where it has none of that name."""
        answer = self._ask("GET", f"/images/{name}/json")
        return None if answer.status == GONE else self._json(answer)

    def pull(self, repository: str, tag: str, credentials: str | None) -> Stream:
        """Fetch an image: JSON, line by line, while it comes. `credentials` as the field X-Registry-Auth has them."""
        fields = {"X-Registry-Auth": credentials} if credentials else {}
        target = f"/images/create?fromImage={quoted(repository)}&tag={quoted(tag)}"
        return self._wire.follow("POST", self._versioned(target), fields)

    def create(self, name: str, form: Mapping[str, Any]) -> bool:
        """Make a container; False if one of that name is there already, which stays as it is."""
        answer = self._ask("POST", f"/containers/create?name={name}", form)
        if answer.status >= 300 and self.inspect(name) is None:  # engines differ in how they say that it is there
            raise refusal(answer)
        return answer.status < 300

    def inspect(self, name: str) -> dict[str, Any] | None:
        """A container; None where there is none of that name."""
        answer = self._ask("GET", f"/containers/{name}/json")
        return None if answer.status == GONE or _is_going(answer) else self._json(answer)

    def start(self, name: str) -> None:
        """Start a container that was made; one that runs goes on."""
        answer = self._ask("POST", f"/containers/{name}/start", patience=STARTING)
        if answer.status != PRESENT:
            self._json(answer)

    def kill(self, name: str, signal: str) -> None:
        """Signal a container's first process; nothing to do for one that ended or is gone."""
        answer = self._ask("POST", f"/containers/{name}/kill?signal={signal}")
        if answer.status not in (GONE, ENDED) and not _has_ended(answer):
            self._json(answer)

    def remove(self, name: str) -> None:
        """Leave nothing of a container, whether it runs or not, its unnamed volumes included."""
        answer = self._ask("DELETE", f"/containers/{name}?force=true&v=true", patience=STARTING)
        if answer.status not in (GONE, ENDED):
            self._json(answer)

    def output(self, name: str, *, since: str, follow: bool) -> Stream:
        """A container's output from a moment on (epoch seconds, to nine digits behind the point), with times."""
        target = f"/containers/{name}/logs?stdout=true&stderr=true&timestamps=true&since={since}"
        return self._wire.follow("GET", self._versioned(f"{target}&follow=true" if follow else target))

    def archive(self, name: str, path: str) -> Stream:
        """A file of a container as a tar archive; EngineRefused comes with its first bytes."""
        return self._wire.follow("GET", self._versioned(f"/containers/{name}/archive?path={quoted(path)}"))

    def put(self, name: str, path: str, archive: bytes) -> None:
        """Unpack a tar archive in a folder of a container, with the owners that it says."""
        target = self._versioned(f"/containers/{name}/archive?path={quoted(path)}")
        answer = self._wire.ask("PUT", target, archive, fields={"Content-Type": "application/x-tar"})
        if answer.status >= 300:
            raise refusal(answer)

    def runs_as(self) -> int:
        """The user that the engine runs as."""
        return self._wire.peer()

    def labelled(self, label: str) -> list[dict[str, Any]]:
        """All containers that carry a label, `name=value`, running or not."""
        wanted = quoted(json.dumps({"label": [label]}))
        told = self._json(self._ask("GET", f"/containers/json?all=true&filters={wanted}"))
        return told if isinstance(told, list) else []

    def _ask(self, method: str, target: str, body: Any = None, *, patience: float = 30.0) -> Answer:
        return self._wire.ask(method, self._versioned(target), body, patience=patience)

    def _versioned(self, target: str) -> str:
        """The newest version of the API that both sides know; an engine without a word on it gets the oldest."""
        if self._version is None:
            answer = self._wire.ask("GET", "/_ping", patience=5.0)
            major, _, minor = answer.fields.get("api-version", "1.40").partition(".")
            self._version = "{}.{}".format(*min(NEWEST, (int(major), int(minor))))
        return f"/v{self._version}{target}"

    def _json(self, answer: Answer) -> Any:
        if answer.status >= 300:
            raise refusal(answer)
        return answer.json()


def quoted(text: str) -> str:
    """A value in a request's target."""
    return "".join(_quoted(text))


def _quoted(text: str) -> Iterator[str]:
    for byte in text.encode():
        character = chr(byte)
        yield character if character.isascii() and (character.isalnum() or character in "-._~/") else f"%{byte:02X}"


def _is_going(answer: Answer) -> bool:
    """Podman answers 500 where a container is removed while it looks."""
    return answer.status >= 500 and b"no such container" in answer.body


def _has_ended(answer: Answer) -> bool:
    """Podman answers 500 where a container is not running."""
    return answer.status >= 500 and b"can only kill running containers" in answer.body
