"""The settings in writing: the file that a new home gets, and the page of the reference."""

from __future__ import annotations

from trainyard.wiring.settings_rows import KINDS, SETTINGS, TABLES, Setting

_WRITTEN = ("default_store", "defaults.account", "defaults.region")  # decided when a home is made
_HEAD = """\
# Decided when this home was made. `trainyard doctor` prints where each thing goes. A line that begins with # is an
# example and holds nothing.
"""


def template() -> str:
    """What a new home's trainyard.toml says: what is decided, and an example of everything else."""
    return "\n".join([_HEAD, *(_template_of(table) for table in TABLES)])


def as_markdown() -> str:
    """Every table with every key."""
    return "\n".join(_section(table) for table in TABLES)


def _template_of(table: str) -> str:
    settings = [setting for setting in SETTINGS if setting.table == table]
    written = any(setting.path in _WRITTEN for setting in settings)
    header = f"[{table.replace('*', chr(34) + TABLES[table].name + chr(34))}]"
    lines = [] if not table else [f"# {TABLES[table].meaning}.", header if written else f"# {header}"]
    for setting in settings:
        mark = "" if setting.path in _WRITTEN else "# "
        lines.append(f"{mark}{setting.key} = {setting.example}  # {_said(setting)}")
    return "\n".join([*lines, ""])


def _section(table: str) -> str:
    title = f"`[{table}]`" if table else "The top of the file"
    lines = [f"## {title}", "", f"{TABLES[table].meaning}.", "", "| Key | Value | Meaning | Without it |"]
    lines.append("| --- | --- | --- | --- |")
    lines += [
        f"| `{setting.key}` | {_value(setting)} | {setting.meaning}. | {setting.default} |"
        for setting in SETTINGS
        if setting.table == table
    ]
    return "\n".join([*lines, ""])


def _said(setting: Setting) -> str:
    choices = f" ({' or '.join(setting.choices)})" if len(setting.choices) > 1 else ""
    return f"{setting.meaning}{choices}"


def _value(setting: Setting) -> str:
    if setting.choices:
        return " or ".join(f'`"{choice}"`' for choice in setting.choices)
    least = f", {setting.least:.12g} or more" if setting.least is not None else ""
    above = f", more than {setting.above:.12g}" if setting.above is not None else ""
    return f"{KINDS[setting.kind]}{least}{above}"
