"""Errors as a person reads them: what is wrong, where, and what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from trainyard.cli.output import safe
from trainyard.model.errors import InvalidJob, TrainyardError
from trainyard.model.problems import Problem, Severity

REFUSED = 2
LONGEST = 400  # characters of a text on the screen; `-o json` has all of it


def explain(error: Exception) -> int:
    """Print an error of ours and return the exit status; a bug is raised again with its traceback."""
    if isinstance(error, InvalidJob):
        tell(error.problems)
        return REFUSED
    if isinstance(error, TrainyardError):
        sys.stderr.write(f"error: {safe(str(error))}\n")
        return REFUSED
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        sys.stderr.write(f"error: {error.filename}: {error.strerror}\n")
        return REFUSED
    raise error


def tell(problems: Iterable[Problem]) -> None:
    """One line per problem: `file:line:column: error: text`, its path, and what to write instead."""
    for problem in problems:
        sys.stderr.write(line_of(problem) + "\n")


def line_of(problem: Problem) -> str:
    """The problem as compilers write theirs."""
    where = f"{problem.position}: " if problem.position else ""
    word = "error" if problem.severity is Severity.ERROR else "notice"
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in problem.path).lstrip(".")
    hint = f" ({problem.suggestion})" if problem.suggestion else ""
    text = problem.message if len(problem.message) <= LONGEST else f"{problem.message[:LONGEST]}…"
    return safe(f"{where}{word}: {f'{path}: ' if path else ''}{text}{hint}")
