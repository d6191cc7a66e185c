"""Write docs/reference/cli.md from the commands themselves; with --check, exit 1 if the page says something else."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from trainyard.cli.main import ALIASES, trainyard

PAGE = Path(__file__).resolve().parent / "reference" / "cli.md"
HEAD = """\
# Commands

<!-- Written by docs/generate_cli.py from the commands themselves; change their help, not this page. -->

Exit statuses, of every command: 0 done, 1 the job failed or a check found errors, 2 refused or wrongly called, 3 the
job was stopped, 4 `wait` ran out of time, 130 left with Ctrl-C.
"""


def page() -> str:
    """The whole page."""
    context = click.Context(trainyard, info_name="trainyard")
    parts = [HEAD, *_section(trainyard, context, 2)]
    short = ", ".join(f"`{alias}` for `{verb}`" for alias, verb in ALIASES.items())
    parts.append(f"## Other names\n\n{short}.\n")
    return "\n".join(parts)


def _section(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"{'#' * level} {context.command_path}\n"
    yield f"```text\n{usage}\n```\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    given = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    options = [record for option in given if (record := option.get_help_record(context)) is not None]
    if options:
        yield "| Option | What it does |\n| --- | --- |"
        for names, text in options:
            yield f"| `{_cell(names)}` | {_cell(text)} |"
        yield ""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _section(inner, click.Context(inner, info_name=name, parent=context), level + 1)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> int:
    """Write the page, or compare it."""
    new = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(new, encoding="utf-8")
        return 0
    old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if old == new:
        return 0
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), str(PAGE), "the commands", lineterm="", n=0)
    sys.stdout.write("\n".join([*list(lines)[:20], "Run: python docs/generate_cli.py", ""]))
    return 1


if __name__ == "__main__":
    sys.exit(main())
