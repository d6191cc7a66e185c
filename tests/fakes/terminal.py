"""A pseudo-terminal with a command in it, typed at and read from as a person does."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class Terminal:
    """A command in a terminal of `columns`; `text` is everything that it has written."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], folder: Path, columns: int = 80) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        wanted = {"TERM": "xterm-256color", **env}
        wanted.pop("COLUMNS", None)
        self.process = subprocess.Popen(
            argv, env=wanted, cwd=folder, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no thread runs in these tests
        )  # fmt: skip
        os.close(slave)
        self.text = ""

    def press_ctrl_c(self) -> None:
        """Type ^C, which the terminal makes a SIGINT of."""
        os.write(self._master, b"\x03")

    def hang_up(self) -> None:
        """Close the terminal's window."""
        os.close(self._master)
        self._master = -1

    def read_until(self, wanted: str, patience: float) -> None:
        """Read until a text has been written since the last call."""
        begin, deadline = len(self.text), time.monotonic() + patience
        while wanted not in self.text[begin:]:
            assert time.monotonic() < deadline, f"{wanted!r} was never shown: {self.text[-2000:]!r}"
            if not self._read(1.0):
                raise AssertionError(f"{wanted!r} was not shown before the end: {self.text[-2000:]!r}")

    def end(self, patience: float) -> int:
        """Read to the end; the exit status."""
        deadline = time.monotonic() + patience
        while self._read(1.0):
            assert time.monotonic() < deadline, self.text[-2000:]
        return self.process.wait(patience)

    def close(self) -> None:
        """Leave nothing running."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self._master >= 0:
            os.close(self._master)

    def _read(self, seconds: float) -> bool:
        """Read what is there; False at the end."""
        if not select.select([self._master], [], [], seconds)[0]:
            return True
        try:
            piece = os.read(self._master, 65536)
        except OSError:  # EIO: the last process has closed the terminal
            return False
        self.text += piece.decode("utf-8", "replace")
        return bool(piece)
