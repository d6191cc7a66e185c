"""trainyard.toml: what the user decided, checked whole; every fault is told at once, with its line and its key."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainyard.kit import atomic
from trainyard.model.errors import TrainyardError
from trainyard.wiring.settings_rows import KINDS, SETTINGS, TABLES, Setting
from trainyard.wiring.settings_rules import contradictions
from trainyard.wiring.settings_text import template

Path_ = tuple[str, ...]
Fault = tuple[Path_, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The file's tables, each value checked; absent tables are empty."""

    default_store: str = "embedded"
    unknown_role: str = "allow"
    launcher: str = "auto"
    defaults: dict[str, Any] = field(default_factory=dict)
    capacity: dict[str, Any] = field(default_factory=dict)
    process: dict[str, Any] = field(default_factory=dict)
    channels: dict[str, Any] = field(default_factory=dict)
    container: dict[str, Any] = field(default_factory=dict)
    logs: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    webhook: dict[str, Any] = field(default_factory=dict)
    buckets: dict[str, dict[str, Any]] = field(default_factory=dict)
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    registries: dict[str, dict[str, Any]] = field(default_factory=dict)
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    file_systems: dict[str, dict[str, Any]] = field(default_factory=dict)
    roles: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The account that names are unique in."""
        return str(self.defaults.get("account", "000000000000"))

    @property
    def region(self) -> str:
        """The region that names are unique in."""
        return str(self.defaults.get("region", "us-east-1"))


def load(path: Path) -> Settings:
    """Read the file, or write it from the template where there is none. Raises TrainyardError naming every fault."""
    if not path.exists():
        atomic.write_bytes(path, template().encode(), mode=0o600)  # it may come to hold keys
    try:
        text = path.read_text(encoding="utf-8")
        plain = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainyardError(f"{path}: {error}") from error
    faults = list(_faults(plain)) or list(contradictions(plain))
    if faults:
        lines = lines_of(text)
        raise TrainyardError("\n".join(_told(path, fault, lines) for fault in faults))
    return Settings(**plain)


def lines_of(text: str) -> dict[Path_, int]:
    """In which line each table and key begins: the parser does not tell. A key inside an inline table has none."""
    lines: dict[Path_, int] = {}
    table: Path_ = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _steps(header[1] + " = 0")
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_steps(key[1] + " = 0")), number)
    return lines


_HEADER = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[\w.-]|"[^"]*"|'[^']*'|\s)+?)\s*=""")


def _steps(assignment: str) -> Path_:
    try:
        value: Any = tomllib.loads(assignment)
    except tomllib.TOMLDecodeError:
        return ()
    steps: list[str] = []
    while isinstance(value, dict):
        key, value = next(iter(value.items()))
        steps.append(key)
    return tuple(steps)


def _told(path: Path, fault: Fault, lines: Mapping[Path_, int]) -> str:
    steps, text = fault
    number = next((lines[steps[:end]] for end in range(len(steps), 0, -1) if steps[:end] in lines), None)
    return f"{path}{'' if number is None else f':{number}'}: {text}"


def dotted(steps: Path_) -> str:
    """A key as the file spells it: `networks."a b".access`."""
    return ".".join(step if re.fullmatch(r"[\w-]+", step) else f'"{step}"' for step in steps)


def _faults(plain: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with single keys."""
    tops = [setting.key for setting in SETTINGS if not setting.table]
    groups = dict.fromkeys(name.partition(".")[0] for name in TABLES if name)
    for key, value in plain.items():
        if key in tops:
            yield from _value_faults((key,), value, _known("")[key])
        elif key not in groups:
            yield (key,), f"there is no setting {_hint(key, [*tops, *groups])}"
        elif not isinstance(value, dict):
            yield (key,), f"{key} must be a table."
        elif key in TABLES:
            yield from _table_faults((key,), value, _known(key))
        else:
            yield from _named_faults(key, value)


def _named_faults(group: str, tables: Mapping[str, Any]) -> Iterator[Fault]:
    for name, table in tables.items():
        if isinstance(table, dict):
            yield from _table_faults((group, name), table, _known(f"{group}.*"))
        else:
            yield (group, name), f"{dotted((group, name))} must be a table."


def _known(table: str) -> dict[str, Setting]:
    return {setting.key: setting for setting in SETTINGS if setting.table == table}


def _table_faults(steps: Path_, table: Mapping[str, Any], known: Mapping[str, Setting]) -> Iterator[Fault]:
    for key, value in table.items():
        place = (*steps, key)
        if key in known:
            yield from _value_faults(place, value, known[key])
        else:
            yield place, f"there is no setting {dotted(steps)}.{_hint(key, list(known))}"


def _value_faults(place: Path_, value: Any, setting: Setting) -> Iterator[Fault]:
    name = dotted(place)
    if not _IS[setting.kind](value):
        yield place, f"{name} must be {KINDS[setting.kind]}, not {_shown(value, setting)}."
    elif setting.choices and value not in setting.choices:
        choices = " or ".join(f'"{choice}"' for choice in setting.choices)
        yield place, f'{name} must be {choices}, not "{value}".'
    elif setting.least is not None and not value >= setting.least:
        yield place, f"{name} must be {setting.least:.12g} or more, not {value}."
    elif setting.above is not None and not setting.above < value < float("inf"):
        yield place, f"{name} must be more than {setting.above:.12g}, not {value}."
    elif setting.pattern is not None and not re.fullmatch(setting.pattern, value):
        yield place, f'{name} must look like {setting.example}, not "{value}".'
    elif setting.kind == "text" and not (value and value.isprintable()):
        yield place, f"{name} must be one line of text."


def _shown(value: Any, setting: Setting) -> str:
    """A wrong value, but never a secret's."""
    return "a value of another type" if any(word in setting.key for word in ("key", "token", "secret")) else repr(value)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_IS: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "whole": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "switch": lambda value: isinstance(value, bool),
    "texts": _texts,
    "words": lambda value: isinstance(value, dict) and _texts(list(value.values())),
}


def _hint(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"{key}; did you mean {near[0]}?" if near else f"{key}; there are {', '.join(known)}."
