"""What is wrong with one request, in the order that it is found, and no more of it than a person can use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ParamSpec

from trainyard.model.problems import Problem, Severity

MOST_TOLD = 100  # errors in full; more are counted, so that no answer and no search for near names grows with a request
P = ParamSpec("P")


class Findings:
    """Errors up to a hundred, the number of all others, and every notice."""

    def __init__(self) -> None:
        self._told: list[Problem] = []
        self._errors = 0

    def tell(self, compose: Callable[P, Problem], *of: P.args, **more: P.kwargs) -> None:
        """Take an error in; it is composed only where it is told."""
        if self._errors < MOST_TOLD:
            self._told.append(compose(*of, **more))
        self._errors += 1

    def take(self, problems: Iterable[Problem]) -> None:
        """Take in what was composed already."""
        for problem in problems:
            is_error = problem.severity is Severity.ERROR
            if not is_error or self._errors < MOST_TOLD:
                self._told.append(problem)
            self._errors += is_error

    @property
    def is_refusal(self) -> bool:
        """Whether an error was found."""
        return self._errors > 0

    def problems(self) -> tuple[Problem, ...]:
        """What was found; the last of them tells how many errors are not told."""
        untold = self._errors - MOST_TOLD
        if untold <= 0:
            return tuple(self._told)
        message = f"and {untold} more problem{'s' * (untold != 1)}, told once those before are mended"
        return (*self._told, Problem(path=(), message=message, code="more"))
