"""HTTP to a container engine over its unix socket. Standard library only: supervisors speak it too.

Every request is HTTP/1.0 on a connection of its own: an answer then ends where the connection does, never comes in
chunks, and a stream is a plain socket that can be waited for. `http.client` would add 7 MB and 30 ms to a supervisor.
"""

from __future__ import annotations

import json
import select
import socket
import sys
from collections.abc import Mapping
from typing import Any

PATIENCE = 30.0  # seconds that an engine may take for an answer
LONGEST_HEAD = 64 * 1024  # bytes
LONGEST_BODY = 64 * 1024 * 1024
_PIECE = 64 * 1024


class EngineUnreachable(Exception):  # noqa: N818 - it names a state
    """Nobody answers at the socket, or the answer broke off: nothing is known of what was asked."""


class EngineRefused(Exception):  # noqa: N818 - it names a state
    """The engine answered, and not with what was asked for: `status` and its own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Answer:
    """What an engine answered: status, header fields in lower case, body."""

    __slots__ = ("body", "fields", "status")

    def __init__(self, status: int, fields: Mapping[str, str], body: bytes) -> None:
        self.status, self.fields, self.body = status, fields, body

    def json(self) -> Any:
        """The body's value; raises EngineUnreachable where it is none, as of an answer that broke off."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError as error:
            raise EngineUnreachable("the engine's answer is no JSON") from error


class Stream:
    """An answer that goes on: something to be waited for. Its head may come late, with the first there is to tell."""

    __slots__ = ("_head", "_socket", "_status")

    def __init__(self, opened: socket.socket) -> None:
        self._socket, self._head, self._status = opened, b"", 0
        opened.setblocking(False)

    def fileno(self) -> int:
        """Readable once there is more, or the end."""
        return self._socket.fileno()

    def read(self) -> bytes | None:
        """What has come; empty at the end, None where nothing has. Raises EngineUnreachable, EngineRefused."""
        try:
            piece = self._socket.recv(_PIECE)
        except BlockingIOError:
            return None
        except OSError as error:
            raise EngineUnreachable(_told(error)) from error
        return self._behind_head(piece) if self._status == 0 or self._status >= 300 else piece

    def wait(self, seconds: float) -> bytes:
        """As `read`, waiting that long for the next. Raises EngineUnreachable where nothing comes."""
        while True:
            ready, _, _ = select.select([self._socket], [], [], seconds)
            if not ready:
                raise EngineUnreachable("it does not go on in time")
            piece = self.read()
            if piece is not None:
                return piece

    def close(self) -> None:
        """Give the connection up."""
        self._socket.close()

    def _behind_head(self, piece: bytes) -> bytes | None:
        self._head += piece
        if self._status == 0 and b"\r\n\r\n" in self._head:
            self._status, _, self._head = split(self._head)
            if self._status < 300:
                rest, self._head = self._head, b""
                return rest or None
        if not piece or len(self._head) > LONGEST_HEAD:
            if self._status == 0:
                raise EngineUnreachable("the engine's answer broke off")
            raise refusal(Answer(self._status, {}, self._head))
        return None


class Wire:
    """A socket's address, and asking there."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def ask(
        self, method: str, target: str, body: Any = None, *, fields: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
    ) -> Answer:  # fmt: skip
        """One request, whole. `body` is sent as JSON, bytes as they are. Raises EngineUnreachable."""
        opened = self._sent(method, target, body, fields or {}, patience)
        try:
            status, answered, rest = _head(opened)
            pieces, size = [rest], len(rest)
            while piece := opened.recv(_PIECE):
                pieces.append(piece)
                size += len(piece)
                if size > LONGEST_BODY:
                    raise EngineUnreachable("the engine's answer does not end")
        except OSError as error:
            raise EngineUnreachable(_told(error)) from error
        finally:
            opened.close()
        whole = b"".join(pieces)
        if len(whole) < int(answered.get("content-length") or 0) and method != "HEAD":
            raise EngineUnreachable("the engine's answer broke off")
        return Answer(status, answered, whole)

    def peer(self) -> int:
        """The user who listens at the socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as opened:
            try:
                opened.connect(self.path)
                told = opened.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            except OSError as error:
                raise EngineUnreachable(_told(error)) from error
        return int.from_bytes(told[4:8], sys.byteorder)

    def follow(self, method: str, target: str, fields: Mapping[str, str] | None = None) -> Stream:
        """A request whose answer goes on. Raises EngineUnreachable."""
        return Stream(self._sent(method, target, None, fields or {}, PATIENCE))

    def _sent(self, method: str, target: str, body: Any, fields: Mapping[str, str], patience: float) -> socket.socket:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {target} HTTP/1.0", "Host: engine", *(f"{name}: {value}" for name, value in fields.items())]
        if body is not None and "Content-Type" not in fields:
            lines.append("Content-Type: application/json")
        if body is not None or method == "POST":
            lines.append(f"Content-Length: {len(content)}")
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            opened.settimeout(patience)
            opened.connect(self.path)
            opened.sendall("\r\n".join([*lines, "", ""]).encode() + content)
        except OSError as error:
            opened.close()
            raise EngineUnreachable(_told(error)) from error
        return opened


def refusal(answer: Answer) -> EngineRefused:
    """An answer that is none, in the engine's own words."""
    try:
        told = json.loads(answer.body)
        text = str(told.get("message") or told.get("cause") or told)
    except (ValueError, AttributeError):
        text = answer.body[:1024].decode("utf-8", "replace").strip() or f"status {answer.status}"
    return EngineRefused(answer.status, text)


def _head(opened: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, fields, and what came of the body with them."""
    told = b""
    while b"\r\n\r\n" not in told:
        piece = opened.recv(_PIECE)
        if not piece or len(told) > LONGEST_HEAD:
            raise EngineUnreachable("the engine's answer broke off")
        told += piece
    return split(told)


def split(told: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, fields in lower case, and what came behind the head. Raises EngineUnreachable for what is no HTTP."""
    head, _, rest = told.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ", 2)
    if len(parts) < 2 or not parts[1].isdecimal():
        raise EngineUnreachable("what answers there does not speak HTTP")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(parts[1]), fields, rest


def _told(error: OSError) -> str:
    return "it does not answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
