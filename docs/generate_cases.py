"""Write docs/reference/conformance.md from the conformance list; with --check, exit 1 if the page differs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "conformance.md"
HEAD = """\
# The conformance list

<!-- Written by docs/generate_cases.py from tests/conformance/appendix_e/table.py; change that, not this page. -->

92 cases tell a faithful training service from one that only looks like it. Each is run by the tests that it names;
where something of it cannot run yet, the page says what is left. Names of files are below `tests/`.

| | case | tests | what is left |
|---|---|---|---|
"""


def rows() -> Iterator[str]:
    """A row for every case."""
    sys.path.insert(0, str(ROOT))
    from tests.conformance.appendix_e.table import CASES
    from tests.marked import marked

    for case in CASES:
        tests = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in marked("case").get(case.number, ()))
        left = f"{case.later.left} ({case.later.work})" if case.later else ""
        yield f"| {case.number} | {case.words.replace('|', chr(92) + '|')} | {tests or '-'} | {left} |\n"


def main() -> int:
    """Write the page, or compare it."""
    new = HEAD + "".join(rows())
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(new, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == new:
        return 0
    sys.stdout.write("docs/reference/conformance.md is not what the list says. Run: python docs/generate_cases.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
