"""A certificate that is renewed under a server which goes on."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trustme
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from trainyard.wiring.answering import answering

DEADLINE = 20.0


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("hello")(scope, receive, send)


class Issuer:
    """An authority, and the files of the certificate that it issued last."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"

    def write(self, *, key: bool = True) -> bytes:
        """A new certificate; without `key` the old key stays. Gives it as a connection shows it."""
        made = self._authority.issue_cert("127.0.0.1")
        self.certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        if key:
            self.key.write_bytes(made.private_key_pem.bytes())
        return ssl.PEM_cert_to_DER_cert(made.cert_chain_pems[0].bytes().decode())

    async def shown(self, port: int) -> bytes | None:
        """The certificate that a new connection meets, once its server was verified."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        try:
            found: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            return found
        finally:
            writer.close()


@asynccontextmanager
async def serving(issuer: Issuer) -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        renewable = answering(hello, listener, grace=1, certificate=issuer.certificate, key=issuer.key, renewal=0.01)
        async with renewable:
            yield listener.getsockname()[1]


async def test_a_renewed_certificate_is_shown_to_the_next_connection(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path)
    first = issuer.write()
    async with serving(issuer) as port, asyncio.timeout(DEADLINE):
        assert await issuer.shown(port) == first
        second = issuer.write()
        while await issuer.shown(port) != second:
            await asyncio.sleep(0.01)


async def test_one_that_does_not_fit_its_key_is_passed_over_until_it_does(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path)
    first = issuer.write()
    async with serving(issuer) as port, asyncio.timeout(DEADLINE):
        issuer.write(key=False)
        assert await issuer.shown(port) == first
        issuer.certificate.unlink()
        assert await issuer.shown(port) == first
        third = issuer.write()
        while (shown := await issuer.shown(port)) != third:
            assert shown == first
            await asyncio.sleep(0.01)
