"""A series as a picture of characters: one line of bars, or a plot of braille dots with its axes."""

from __future__ import annotations

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille character, by row and column
_BRAILLE = 0x2800


def sparkline(values: Sequence[float], width: int = 32) -> str:
    """The course of a series in one line of bars; a value that is no number is a gap."""
    picked = _picked([value for value in values if _is_finite(value)], width)
    if not picked:
        return ""
    low, high = min(picked), max(picked)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * scale)] for value in picked)


def plot(points: Sequence[tuple[float, float]], *, width: int = 72, height: int = 12) -> list[str]:
    """(x, y) pairs as lines of text: values at the left, the span of x below. Empty for no finite point."""
    finite = [(x, y) for x, y in points if _is_finite(y)]
    if not finite:
        return []
    ends = [f"{edge:.5g}" for edge in (max(y for _, y in finite), min(y for _, y in finite))]
    margin = max(map(len, ends))
    rows = _drawn(finite, max(8, width - margin - 2), height)
    labels = [ends[0], *[""] * (height - 2), ends[1]]
    return [f"{label:>{margin}} ┤{row}".rstrip() for label, row in zip(labels, rows, strict=True)]


def _drawn(points: Sequence[tuple[float, float]], columns: int, rows: int) -> list[str]:
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    cells = [[0] * columns for _ in range(rows)]
    for x, y in points:
        across = round((x - left) / (right - left) * (2 * columns - 1)) if right > left else 0
        down = round((high - y) / (high - low) * (4 * rows - 1)) if high > low else 2 * rows
        cells[down // 4][across // 2] |= _DOTS[down % 4][across % 2]
    return ["".join(chr(_BRAILLE + cell) if cell else " " for cell in row) for row in cells]


def _picked(values: Sequence[float], width: int) -> list[float]:
    """At most `width` values, evenly spread, the last among them."""
    if len(values) <= width:
        return list(values)
    return [values[round(index * (len(values) - 1) / (width - 1))] for index in range(width)]


def _is_finite(value: float) -> bool:
    return value - value == 0
