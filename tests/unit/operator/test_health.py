"""The addresses of probes and metrics."""

from __future__ import annotations

import pytest

from trainyard.model.errors import TrainyardError
from trainyard.operator.health import answering


@pytest.mark.parametrize("address", ["here", "127.0.0.1:", ":http", "127.0.0.1:65536", "127.0.0.1:" + "9" * 400])
async def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(TrainyardError, match="is no address: write host:port"):
        async with answering(address, "", age=lambda: 0.0, ready=lambda: True, page=lambda: b""):
            pass


@pytest.mark.parametrize("address", ["", "0"])
async def test_nowhere_is_no_address_and_no_fault(address: str) -> None:
    async with answering(address, address, age=lambda: 0.0, ready=lambda: True, page=lambda: b""):
        pass
