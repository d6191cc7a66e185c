"""Errors as a person reads them: what is wrong, where, and what to do."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator

from trainyard.cli.output import safe
from trainyard.model.errors import InvalidJob, TrainyardError
from trainyard.model.problems import Problem, Severity

REFUSED = 2
BUG = 70  # EX_SOFTWARE of sysexits.h
LONGEST = 400  # characters of a text on the screen; `-o json` has all of it
_WHAT_TO_DO = {
    errno.ENOSPC: "free some space (`trainyard df` and `trainyard prune` help) and try again",
    errno.EDQUOT: "free some of your quota and try again",
    errno.EROFS: "name a home on a disk that can be written: --home, or TRAINYARD_HOME",
    errno.EACCES: "it needs other permissions, or another place",
    errno.EPERM: "it needs other permissions, or another place",
    errno.EMFILE: "raise the limit of open files: ulimit -n 4096",
}


def explain(error: BaseException) -> int:
    """Print an error and return the exit status. A bug of ours is told too; its traceback goes to a file."""
    status = 0
    for one in _leaves(error):
        if isinstance(one, InvalidJob):
            tell(one.problems)
            status = max(status, REFUSED)
        elif isinstance(one, TrainyardError):
            _say(str(one))
            status = max(status, REFUSED)
        elif isinstance(one, OSError):
            _say(of_the_system(one))
            status = max(status, REFUSED)
        else:
            _say(_of_ours(one))
            status = max(status, BUG)
    return status


def tell(problems: Iterable[Problem]) -> None:
    """One line per problem: `file:line:column: error: text`, its path, and what to write instead."""
    for problem in problems:
        sys.stderr.write(line_of(problem) + "\n")


def line_of(problem: Problem, *, whole: bool = False) -> str:
    """The problem as compilers write theirs; a long text is cut unless the whole of it is wanted."""
    where = f"{problem.position}: " if problem.position else ""
    word = "error" if problem.severity is Severity.ERROR else "notice"
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in problem.path).lstrip(".")
    hint = f" ({problem.suggestion})" if problem.suggestion else ""
    text = problem.message if whole or len(problem.message) <= LONGEST else f"{problem.message[:LONGEST]}…"
    return safe(f"{where}{word}: {f'{path}: ' if path else ''}{text}{hint}")


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors of a group, each text once: a task that ends takes its siblings with it."""
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    told: set[str] = set()
    for inner in error.exceptions:
        for one in _leaves(inner):
            if str(one) not in told:
                told.add(str(one))
                yield one


def of_the_system(error: OSError) -> str:
    """What the system refused, at which file, and what helps."""
    where = f"{error.filename}: " if error.filename else ""
    hint = _WHAT_TO_DO.get(error.errno or 0)
    return f"{where}{error.strerror or error}" + (f"; {hint}." if hint else "")


def _of_ours(error: BaseException) -> str:
    text = f"a bug in Trainyard: {type(error).__name__}: {error}. Jobs that run are not touched"
    told = "".join(traceback.format_exception(error))
    try:
        handle, path = tempfile.mkstemp(prefix="trainyard-bug-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(told)
    except OSError:
        return f"{text}.\n{told}"
    return f"{text}; please report {path}."


def _say(text: str) -> None:
    sys.stderr.write(f"error: {safe(text)}\n")
