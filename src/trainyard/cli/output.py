"""How answers are printed: tables as plain columns, JSON and YAML for machines, and nothing hostile raw."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from trainyard.model.job import Job

FORMATS = click.Choice(["table", "wide", "json", "yaml", "name"])
format_option = click.option("-o", "--output", "form", type=FORMATS, default="table", help="How to print.")
_COLOURS = {"Completed": "green", "Failed": "red", "Stopped": "yellow", "InProgress": "cyan", "Stopping": "yellow"}
_TIMES = ("Time", "LastModifiedTime", "Timestamp")


def safe(text: str) -> str:
    """Text without terminal control: what a job prints must not move the cursor of whoever looks."""
    return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text)


def in_colour() -> bool:
    """Whether a person looks at a terminal that shows colours."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def coloured(status: str) -> str:
    """A status in its colour, where colours are shown."""
    return click.style(status, fg=_COLOURS.get(status)) if in_colour() else status


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest entry, as kubectl prints them."""
    cells = [list(header), *([safe(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        line = "   ".join(padded).rstrip()
        for word in _COLOURS if in_colour() else ():
            line = line.replace(f" {word} ", f" {coloured(word)} ")
        click.echo(line)


def document(value: Any, form: str) -> None:
    """A value as JSON or YAML."""
    if form == "json":
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
        return
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump(value, sys.stdout)


def plain(job: Job) -> dict[str, Any]:
    """A job in the API's spelling, times as ISO 8601; what we add stands under `trainyard`."""
    wire: dict[str, Any] = _dated(job.description.to_wire())
    wire["trainyard"] = {
        "uid": job.uid, "attempt": job.attempt, "waiting": job.waiting, "notices": list(job.notices),
        "staleForSeconds": job.stale_for, "launcher": job.launcher, "image": job.image, "exitCode": job.exit_code,
        "tags": dict(job.tags),
    }  # fmt: skip
    return wire


def moment(at: float | None) -> str:
    """A time as people read it, in UTC."""
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


def size(count: float) -> str:
    """Bytes in the unit that fits."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _dated(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _dated(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [_dated(item, name) for item in value]
    return moment(value) if isinstance(value, float) and name.endswith(_TIMES) else value
