"""Where what happens is shown: lines that stay and, on a terminal, a block below them that is drawn anew in place."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol

import click

from trainyard.cli import output

_ERASE_BELOW = "\x1b[J"


class Screen(Protocol):
    """What a watcher writes to."""

    def lines(self, texts: Sequence[str]) -> None:
        """Show lines that stay."""
        ...

    def aside(self, text: str) -> None:
        """Show a line that is about the job and no output of it."""
        ...

    def status(self, texts: Sequence[str]) -> None:
        """Show how things stand now, in place of what stood there."""
        ...

    def close(self) -> None:
        """Take the status away."""
        ...


class PlainScreen:
    """Lines alone, for pipes, files and terminals that only print."""

    def lines(self, texts: Sequence[str]) -> None:
        """To standard output."""
        if texts:
            click.echo("\n".join(texts))

    def aside(self, text: str) -> None:
        """To standard error, so that a pipe holds the job's output."""
        click.echo(text, err=True)

    def status(self, texts: Sequence[str]) -> None:
        """Nowhere: a line that is repeated says nothing in a file."""

    def close(self) -> None:
        """Nothing stands."""


class LiveScreen:
    """Lines that scroll, and a status block that stays at the bottom. One write per change, so nothing flickers."""

    def __init__(self) -> None:
        self._block: list[str] = []
        self._drawn = 0

    def lines(self, texts: Sequence[str]) -> None:
        """Above the block."""
        if texts:
            self._draw("".join(f"{text}\n" for text in texts))

    def aside(self, text: str) -> None:
        """Above the block as well: standard error would run through it."""
        self.lines([text])

    def status(self, texts: Sequence[str]) -> None:
        """The block, each line cut to the terminal's width."""
        if self._block != list(texts):
            self._block = list(texts)
            self._draw("")

    def close(self) -> None:
        """Leave the cursor where the block began."""
        self._block = []
        self._draw("")

    def _draw(self, above: str) -> None:
        erase = f"\r\x1b[{self._drawn - 1}A" if self._drawn > 1 else "\r" if self._drawn else ""
        width = output.columns() - 1
        block = "\n".join(output.cut(text, width) for text in self._block)
        sys.stdout.write((erase + _ERASE_BELOW if self._drawn else "") + above + output.dim(block))
        sys.stdout.flush()
        self._drawn = len(self._block)


def screen() -> Screen:
    """The one that suits where standard output leads."""
    return LiveScreen() if output.in_colour() else PlainScreen()
