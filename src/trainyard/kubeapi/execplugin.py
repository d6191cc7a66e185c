"""Credentials that a program gives: client-go's exec plugins, as `aws eks get-token` is one."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trainyard.kit.times import epoch
from trainyard.model.errors import TrainyardError
from trainyard.ports.clock import Clock

_EARLY = 60.0  # seconds before its end that a token is replaced
_LONGEST = 60.0  # seconds that a plugin may take


class ExecPlugin:
    """One plugin; it runs again when its token is about to end or was refused."""

    def __init__(
        self,
        config: Mapping[str, Any],
        folder: Path,
        clock: Clock,
        extra: tuple[tuple[str, str], ...],
        load_certificate: Callable[[bytes, bytes], None],
    ) -> None:
        self._config, self._folder, self._clock, self._extra = config, folder, clock, extra
        self._load_certificate = load_certificate
        self._token: str | None = None
        self._good_until: float | None = float("-inf")
        self._running = asyncio.Lock()

    async def headers(self) -> Mapping[str, str]:
        """The headers to send. Raises TrainyardError with what the plugin said where it failed."""
        async with self._running:
            if self._good_until is not None and self._clock.now() >= self._good_until - _EARLY:
                self._take(await self._run())
        bearer = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        return {**dict(self._extra), **bearer}

    def rejected(self) -> None:
        """Ask the plugin again before the next request."""
        self._good_until = float("-inf")

    async def _run(self) -> Mapping[str, Any]:
        command = str(self._config.get("command") or "")
        if os.sep in command and not os.path.isabs(command):
            command = str(self._folder / command)
        version = self._config.get("apiVersion") or "client.authentication.k8s.io/v1"
        info = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
        given = {str(one["name"]): str(one["value"]) for one in self._config.get("env") or ()}
        environment = {**os.environ, **given, "KUBERNETES_EXEC_INFO": json.dumps(info)}
        arguments = [str(one) for one in self._config.get("args") or ()]
        try:
            process = await asyncio.create_subprocess_exec(
                command, *arguments, env=environment, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except OSError as error:
            hint = self._config.get("installHint") or "install it, or name its path"
            raise TrainyardError(f"The credential plugin {command!r} does not start: {hint}") from error
        return self._answer(command, *await self._output(process), process.returncode)

    async def _output(self, process: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
        try:
            async with asyncio.timeout(_LONGEST):
                return await process.communicate()
        except BaseException:
            process.kill()
            await process.wait()
            raise

    def _answer(self, command: str, output: bytes, complaint: bytes, status: int | None) -> Mapping[str, Any]:
        said = complaint.decode("utf-8", "replace").strip()[-500:]
        if status != 0:
            raise TrainyardError(f"The credential plugin {command!r} failed with status {status}: {said}")
        try:
            found = json.loads(output)["status"]
        except (ValueError, KeyError, TypeError) as error:
            raise TrainyardError(f"The credential plugin {command!r} gave no ExecCredential.") from error
        return found if isinstance(found, Mapping) else {}

    def _take(self, status: Mapping[str, Any]) -> None:
        self._token = status.get("token")
        self._good_until = epoch(status.get("expirationTimestamp"))
        certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
        if certificate and key:
            self._load_certificate(str(certificate).encode(), str(key).encode())
