"""A connection for people who watch: what only reads is asked again for a while when the other side goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from trainyard.controlapi.methods import METHODS
from trainyard.model.errors import Transient
from trainyard.model.keys import Scope
from trainyard.remote.connection import Address, Connection

PATIENCE = 120.0  # seconds: a server that is restarted, a proxy that is
_PAUSE = 0.5  # seconds between tries, at least


class PatientConnection(Connection):
    """Raises Transient at once while nothing was ever heard, and for what writes: that is for a person to repeat."""

    def __init__(self, address: Address, tell: Callable[[str], None], patience: float = PATIENCE) -> None:
        super().__init__(address)
        self._tell, self._patience = tell, patience
        self._heard = False

    async def call(self, scope: Scope, name: str, /, **given: Any) -> Any:
        """One method's result; a gap is told once."""
        until: float | None = None
        while True:
            try:
                answer = await super().call(scope, name, **given)
            except Transient as error:
                now = asyncio.get_running_loop().time()
                if METHODS[name].writes or not self._heard or (until is not None and now >= until):
                    raise
                if until is None:
                    until = now + self._patience
                    self._tell(f"{error} Trying again for {self._patience:g} s; jobs there are not touched.")
                await asyncio.sleep(max(_PAUSE, error.after))
            else:
                self._heard = True
                return answer
