"""Which tests carry which marks, read off the source: what a test claims is known without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@cache
def marked(mark: str) -> dict[Any, tuple[str, ...]]:
    """For every argument of `@pytest.mark.<mark>(…)` the tests that carry it, as `tests/file.py::name`."""
    found: dict[Any, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name, argument in _marks(ast.parse(path.read_text(encoding="utf-8")), mark):
            found.setdefault(argument, []).append(f"{path.relative_to(ROOT)}::{name}")
    return {argument: tuple(names) for argument, names in found.items()}


def _marks(tree: ast.Module, mark: str) -> Iterator[tuple[str, Any]]:
    for test in tree.body:
        if not isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef) or not test.name.startswith("test_"):
            continue
        for decorator in test.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == f"pytest.mark.{mark}":
                yield from ((test.name, ast.literal_eval(argument)) for argument in decorator.args)
