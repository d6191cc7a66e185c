"""Write docs/reference/settings.md from the settings' own table; with --check, exit 1 if the page differs."""

from __future__ import annotations

import sys
from pathlib import Path

from trainyard.wiring.settings_text import as_markdown

PAGE = Path(__file__).resolve().parent / "reference" / "settings.md"
HEAD = """\
# Settings

<!-- Written by docs/generate_settings.py from the settings' own table; change that, not this page. -->

`trainyard.toml` lies in the home (`trainyard doctor` prints where) and is written when the home is made. It is checked
whole whenever a command starts: an unknown key, a wrong value or a contradiction is an error that names line and key.
A `*` stands for a name of yours: `[buckets."my-data"]`.
"""


def main() -> int:
    """Write the page, or compare it."""
    new = f"{HEAD}\n{as_markdown()}"
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(new, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == new:
        return 0
    sys.stdout.write("docs/reference/settings.md is not what the table says. Run: python docs/generate_settings.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
