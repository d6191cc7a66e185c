"""The service's patterns (Java's dialect) in Python's: whole match, ASCII classes, Java's line ends and properties."""

from __future__ import annotations

import re
from functools import cache

# `\p{L}` and `\p{N}` only ever stand in classes that admit the underscore too, so `\w` is both of them there.
_PROPERTIES = {
    r"\p{Alnum}": "a-zA-Z0-9",
    r"\p{L}": r"\w",
    r"\p{N}": "",
    r"\p{Z}": "\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}
_JAVA_DOT = "[^\n\r\u0085\u2028\u2029]"
# A text that is far too long is told so by its length; matching it as well could take time that grows with its square.
_LONGEST_MATCHED = 5000
_TOKEN = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\.", re.DOTALL)


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text matches; a text beyond 5,000 characters is not looked at and counts as matching."""
    return len(text) > _LONGEST_MATCHED or _compiled(pattern).fullmatch(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    flags = re.RegexFlag(0) if r"\p{L}" in pattern else re.ASCII
    for name, members in _PROPERTIES.items():
        pattern = pattern.replace(name, members)
    return re.compile(_TOKEN.sub(lambda token: _JAVA_DOT if token[0] == "." else token[0], pattern), flags)
