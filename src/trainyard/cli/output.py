"""How answers are printed: tables as plain columns, JSON and YAML for machines, and nothing hostile raw."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import Any

import click

from trainyard.model.observation import Unobserved

_COLOURS = {
    "Completed": "green", "Failed": "red", "Stopped": "yellow", "InProgress": "cyan", "Stopping": "yellow",
    "honoured": "green", "notice": "yellow", "refused": "red", "ok": "green", "warn": "yellow", "fail": "red",
}  # fmt: skip
GAP = "   "
_NARROWEST = 24  # columns below which text is not wrapped


def safe(text: str) -> str:
    """Text without terminal control: what a job prints must not move the cursor of whoever looks."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text)


def on_terminal() -> bool:
    """Whether a person looks at a terminal that can do more than print."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"


def in_colour() -> bool:
    """Whether that terminal is to show colours."""
    return on_terminal() and not os.environ.get("NO_COLOR")


def coloured(word: str) -> str:
    """A status or verdict in its colour, where colours are shown."""
    return click.style(word, fg=_COLOURS[word]) if in_colour() and word in _COLOURS else word


def dim(text: str) -> str:
    """Text that steps back behind what the job says."""
    return click.style(text, dim=True) if in_colour() else text


def columns() -> int:
    """How wide the terminal is."""
    return shutil.get_terminal_size().columns


def cells_of(text: str) -> int:
    """How many columns a terminal needs for a text."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) != 0 for char in text)


def cut(text: str, width: int) -> str:
    """A text that needs at most so many columns; an ellipsis tells that something is missing."""
    if cells_of(text) <= width:
        return text
    kept = text[: max(0, width - 1)]
    while kept and cells_of(kept) > width - 1:
        kept = kept[:-1]
    return f"{kept}…"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], indent: str = "") -> None:
    """Columns as wide as their widest entry, as kubectl prints them; on a terminal the last one is wrapped."""
    cells = [list(header), *([" ".join(safe(cell).split("\n")) for cell in row] for row in rows)]
    widths = [max(cells_of(row[column]) for row in cells) for column in range(len(header))]
    before = len(indent) + sum(widths[:-1]) + len(GAP) * (len(widths) - 1)
    for row in cells:
        first, *rest = _wrapped(row[-1], before)
        padded = [coloured(cell) + " " * (width - cells_of(cell)) for cell, width in zip(row, widths, strict=True)][:-1]
        click.echo((indent + GAP.join([*padded, coloured(first)])).rstrip())
        for line in rest:
            click.echo(" " * before + line)


def labelled(pairs: Sequence[tuple[str, str | None]]) -> None:
    """`Label:  value` lines, aligned; a value that is None is left out. Values are safe already."""
    given = [(label, value) for label, value in pairs if value is not None]
    width = max((len(label) for label, _ in given), default=0) + 1
    for label, value in given:
        first, *rest = _wrapped(value, width + 2)
        click.echo(f"{label + ':':<{width}}  {first}".rstrip())
        for line in rest:
            click.echo(" " * (width + 2) + line)


def document(value: Any, form: str) -> None:
    """A value as JSON or YAML."""
    if form == "json":
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
        return
    from trainyard.resource.manifest import as_yaml

    click.echo(as_yaml(value), nl=False)


def moment(at: float | None) -> str:
    """A time as machines and logs write it, in UTC."""
    if at is None:
        return "-"
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def span(seconds: float) -> str:
    """A duration in its two largest units."""
    whole = int(max(0.0, seconds))
    for size, unit, below, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // below}{smaller}"
    return f"{whole}s"


def unobserved_words(told: Unobserved, now: float) -> str:
    """`not observed for 3m20s: the attempt's journal cannot be read`."""
    return f"not observed for {span(now - told.since)}: {told.reason}"


def exact_span(seconds: float) -> str:
    """A duration; a short one with its tenths or milliseconds."""
    if seconds >= 60:
        return span(seconds)
    return f"{seconds:.1f}s" if seconds >= 1 else f"{max(0.0, seconds) * 1000:.0f}ms"


def counted(count: int, noun: str) -> str:
    """`1 object`, `2 objects`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def size(count: float) -> str:
    """Bytes in the unit that fits."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _wrapped(text: str, before: int) -> list[str]:
    """A text in lines that fit beside `before` columns; in a pipe, or where little room is left, one line."""
    room = columns() - before - 1
    if not on_terminal() or room < _NARROWEST or cells_of(text) <= room or "\x1b" in text:
        return [text]
    return textwrap.wrap(text, room, break_on_hyphens=False) or [""]
