"""Filter patterns over unstructured events: terms, phrases, `?either`, `-without`.

As the service reads them: all plain terms must occur, of those with `?` one at least, of those with `-` none; case
matters. Patterns of JSON, of columns and of regular expressions are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from trainyard.doors.logs.errors import invalid

_TERM = re.compile(r'\s*(?P<sign>[?-]?)(?:"(?P<phrase>(?:[^"\\]|\\.)*)"|(?P<term>[^\s"]+))(?=\s|$)')
_STRUCTURED = ("{", "[", "%")
Fits = Callable[[str], bool]


def pattern_of(text: str) -> Fits:
    """Whether a message fits. Raises Refusal for what is no pattern of ours."""
    stripped = text.strip()
    if stripped.startswith(_STRUCTURED):
        raise invalid("Filter patterns of JSON, columns and regular expressions are not served here; name terms.")
    every, either, without = _terms(stripped)

    def fits(message: str) -> bool:
        return (
            all(term in message for term in every)
            and not any(term in message for term in without)
            and (not either or any(term in message for term in either))
        )

    return fits


def _terms(text: str) -> tuple[list[str], list[str], list[str]]:
    found: dict[str, list[str]] = {"": [], "?": [], "-": []}
    place = 0
    while place < len(text):
        match = _TERM.match(text, place)
        if match is None:
            raise invalid("Invalid filter pattern")
        phrase = match["phrase"]
        found[match["sign"]].append(re.sub(r"\\(.)", r"\1", phrase) if phrase is not None else match["term"])
        place = match.end()
    return found[""], found["?"], found["-"]
