"""Whose keys a transfer signs with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from trainyard.model.errors import TrainyardError
from trainyard.objects.buckets import Buckets, Route

ROLE = {"access_key_id": "ROLE", "secret_access_key": "s", "session_token": "t"}
OWN = {"access_key_id": "OWN", "secret_access_key": "s"}


class Listening(BaseHTTPRequestHandler):
    """Refuses everything, and remembers what signatures came."""

    heard: list[tuple[str | None, str | None]]

    def do_HEAD(self) -> None:
        self.heard.append((self.headers["Authorization"], self.headers["x-amz-security-token"]))
        self.send_response(403)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[tuple[str | None, str | None]]]]:
    heard: list[tuple[str | None, str | None]] = []
    handler = type("Handler", (Listening,), {"heard": heard})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("own", "role", "signer"),
    [(OWN, ROLE, "OWN"), ({}, ROLE, "ROLE"), ({}, {}, None), (OWN, {}, "OWN")],
    ids=["the bucket's own first", "the role's else", "nobody's without any", "the bucket's without a role"],
)
async def test_who_signs(
    endpoint: tuple[str, list[tuple[str | None, str | None]]],
    monkeypatch: pytest.MonkeyPatch,
    own: dict[str, str],
    role: dict[str, str],
    signer: str | None,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "CALLER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    url, heard = endpoint
    plain = Buckets({"b": Route(endpoint=url, credentials=own)}, Route()).to_plain()
    with pytest.raises(TrainyardError):
        await Buckets.from_plain(plain).signed(role).head("s3://b/k")
    authorization, token = heard[0]
    assert (authorization is None) if signer is None else f"Credential={signer}/" in str(authorization)
    assert token == ("t" if signer == "ROLE" else None)


def test_folders_need_no_keys() -> None:
    buckets = Buckets({"f": Route(folder="/f"), "e": Route(embedded="/e")}, Route(embedded="/e"))
    assert buckets.signed(ROLE).to_plain() == buckets.to_plain()
