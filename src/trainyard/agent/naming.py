"""Which file an object is: below its channel's folder and nowhere else, and no other object's."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path, PurePosixPath

from trainyard.model.errors import ValidationRefused

LONGEST_NAME = 255  # bytes of one part of a path
_PROBE = ".trainyard-Ångström"  # has letters of both cases, and two spellings of a letter


class Names:
    """The files of one channel's folder.

    Where the file system takes two spellings for one name (by case, or by how a letter with an accent is composed),
    the second of two such keys is refused: it would replace the first in silence.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._spelled: dict[str, str] | None = {} if _folds(root) else None

    def path_of(self, path: str, uri: str) -> Path:
        """The file of the object `uri`, whose key behind the channel's prefix is `path`. Raises ValidationRefused."""
        parts = PurePosixPath(path).parts
        if not is_path(path) or not parts:
            raise ValidationRefused(f"The object {uri!r} has a key that cannot be a file below its channel's folder.")
        if self._spelled is not None:
            self._refuse_second(parts, uri)
        return self._root.joinpath(*parts)

    def _refuse_second(self, parts: tuple[str, ...], uri: str) -> None:
        assert self._spelled is not None  # noqa: S101 - the caller looked
        for end in range(1, len(parts) + 1):
            path = "/".join(parts[:end])
            known = self._spelled.setdefault(folded(path), path)
            if known != path:
                text = f"The object {uri!r} would be the same file as {known!r}: this file system takes both for one."
                raise ValidationRefused(text)


def is_path(path: str) -> bool:
    """Whether a key can be the path of a file below a folder; one that ends with a slash, of a folder there."""
    try:
        steps = os.fsencode(path.removesuffix("/")).split(b"/")
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return b"\0" not in b"/".join(steps) and not any(
        step in (b"", b".", b"..") or len(step) > LONGEST_NAME for step in steps
    )


def folded(path: str) -> str:
    """One spelling for all that a file system may take for the same name."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _folds(root: Path) -> bool:
    """Whether the file system of that folder takes two spellings for one name. Looked at, for nothing tells it."""
    probe = root / _PROBE
    probe.touch()
    try:
        others = (_PROBE.upper().lower(), unicodedata.normalize("NFD", _PROBE), unicodedata.normalize("NFC", _PROBE))
        return any(other != _PROBE and (root / other).exists() for other in others)
    finally:
        probe.unlink()
