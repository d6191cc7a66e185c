"""Read a channel's files: CSV with the label first, or libsvm; several files make one matrix, in the order of names."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from trainyard.algorithms.xgboost.errors import CustomerError

CSV = "csv"
LIBSVM = "libsvm"
_FORMATS = {
    "csv": CSV,
    "text/csv": CSV,
    "libsvm": LIBSVM,
    "text/libsvm": LIBSVM,
    "text/x-libsvm": LIBSVM,
}
# How files begin that are not text: a customer who packed the data is told so, not that line 1 is no number.
_PACKED = {
    b"\x1f\x8b": "gzip-compressed",
    b"BZh": "bzip2-compressed",
    b"\xfd7zXZ": "xz-compressed",
    b"PK\x03\x04": "a zip archive",
    b"PAR1": "Parquet",
    b"\x0a\x23\xd7\xce": "RecordIO",
}
_UNPACKED_BY_NUMPY = (".gz", ".bz2", ".xz", ".lzma")
_DELIMITERS = (",", ";", "\t", "|", " ")  # the image finds out by itself which one a file uses
_MOST_FEATURES = 2**31 - 1
_LATER = ("parquet", "application/x-parquet", "recordio", "recordio-protobuf", "application/x-recordio-protobuf")


@dataclass(slots=True)
class Table:
    """Rows as read; features are dense (CSV) or sparse (libsvm), the rest stands only where the file has it."""

    features: Any
    labels: NDArray[np.float32]
    weights: NDArray[np.float32] | None = None
    queries: NDArray[np.int64] | None = None


def format_of(content_type: str | None) -> str:
    """The file format of a channel's content type; libsvm where none is given. Raises CustomerError."""
    if not content_type:
        return LIBSVM
    name = content_type.split(";")[0].strip().lower()
    if name in _LATER:
        raise CustomerError(f"Content type {content_type} is not available in this implementation; use csv or libsvm.")
    if name not in _FORMATS:
        raise CustomerError(
            f"{content_type} is not an accepted ContentType: {', '.join(repr(known) for known in _FORMATS)}."
        )
    return _FORMATS[name]


def files_of(folder: Path) -> list[Path]:
    """The data files under a channel's folder (or the one file that it is), hidden ones left out, sorted."""
    if folder.is_file():
        return [folder]
    found = []
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place, name) for name in sorted(names) if not name.startswith((".", "_"))]
    return [path for path in found if path.stat().st_size > 0]


def read(folder: Path, kind: str, *, channel: str, weighted: bool = False) -> Table:
    """All rows of a channel. Raises CustomerError that names the file and line where a row cannot be read."""
    files = files_of(folder)
    if not files:
        raise CustomerError(f"No data in {channel} channel path {folder}")
    for path in files:
        _refuse_packed(path)
    return _csv(files, weighted=weighted) if kind == CSV else _libsvm(files)


def _refuse_packed(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(8)
    for magic, words in _PACKED.items():
        if start.startswith(magic):
            raise CustomerError(f"File '{path.name}' is {words}: line 1 is no text. Give it as plain csv or libsvm.")


def _csv(files: Sequence[Path], *, weighted: bool) -> Table:
    blocks = [_csv_file(path) for path in files]
    least = 3 if weighted else 2
    for path, block in zip(files, blocks, strict=True):
        if not len(block):
            raise CustomerError(f"File '{path.name}' holds no rows.")
        if block.shape[1] < least:
            raise CustomerError(f"File '{path.name}': a row needs at least {least} columns, it has {block.shape[1]}.")
        if block.shape[1] != blocks[0].shape[1]:
            raise CustomerError(
                f"File '{path.name}' has {block.shape[1]} columns, '{files[0].name}' has {blocks[0].shape[1]}."
            )
        _check_numbers(path, block, weighted=weighted)
    rows = np.concatenate(blocks)
    weights = rows[:, 1] if weighted else None
    return Table(rows[:, 2 if weighted else 1 :], rows[:, 0], weights)


def _check_numbers(path: Path, block: NDArray[np.float32], *, weighted: bool) -> None:
    """What is a number and yet none to train on, told with the line where it first stands."""
    faults = {
        "The label is missing or not finite": ~np.isfinite(block[:, 0]),
        "A value is infinite, or too large for a 32-bit number": np.isinf(block).any(axis=1),
    }
    if weighted:
        faults["The weight is missing or negative"] = ~(block[:, 1] >= 0)
    for words, bad in faults.items():
        if bad.any():
            number, line = next(islice(_lines(path), int(bad.argmax()), None), (0, ""))
            raise CustomerError(f"Line {number} of file '{path.name}': {words}: {line[:80]!r}.")


def _csv_file(path: Path) -> NDArray[np.float32]:
    delimiter = _delimiter(path)
    if path.name.endswith(_UNPACKED_BY_NUMPY):
        return _csv_with_gaps(path, delimiter)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file without rows, which is told as an error
            return np.loadtxt(path, dtype=np.float32, delimiter=delimiter, comments=None, ndmin=2, encoding="utf-8")
    except (ValueError, UnicodeDecodeError):
        return _csv_with_gaps(path, delimiter)


def _delimiter(path: Path) -> str:
    _, first = next(_lines(path), (1, ""))
    return next((mark for mark in _DELIMITERS if mark in first), ",")


def _csv_with_gaps(path: Path, delimiter: str) -> NDArray[np.float32]:
    """The slow way: an empty field is a missing value; anything else that is no number is told with its line."""
    rows: list[list[float]] = []
    for number, line in _lines(path):
        try:
            row = [float(cell) if cell.strip() else np.nan for cell in line.split(delimiter)]
        except ValueError:
            hint = " Remove the header: the first line must be data." if number == 1 else ""
            raise CustomerError(
                f"Line {number} of file '{path.name}' is not CSV of numbers: {line[:80]!r}.{hint}"
            ) from None
        if rows and len(row) != len(rows[0]):
            raise CustomerError(
                f"Line {number} of file '{path.name}' has {len(row)} columns, the first line has {len(rows[0])}."
            )
        rows.append(row)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which is told as an error
        return np.array(rows, dtype=np.float32).reshape(len(rows), len(rows[0]) if rows else 0)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that hold something, with their numbers."""
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            text = line.strip("\r\n")
            if text.strip():
                yield number, text


@dataclass(slots=True)
class _Rows:
    """libsvm rows as they gather."""

    labels: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    queries: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    places: list[NDArray[np.int64]] = field(default_factory=list)
    values: list[NDArray[np.float32]] = field(default_factory=list)


def _libsvm(files: Sequence[Path]) -> Table:
    rows = _Rows()
    for path in files:
        for number, line in _lines(path):
            try:
                _libsvm_row(rows, line.partition("#")[0])
            except OverflowError as wrong:
                raise CustomerError(f"Line {number} of file '{path.name}': {wrong}: {line[:80]!r}.") from None
            except ValueError:
                raise CustomerError(
                    f"Line {number} of file '{path.name}' is not libsvm (label index:value ...): {line[:80]!r}. "
                    "Without a ContentType a channel is read as libsvm; set text/csv for CSV."
                ) from None
    if not rows.labels:
        names = ", ".join(repr(path.name) for path in files)
        raise CustomerError(f"The files hold no rows: {names[:200]}.")
    if len(rows.weights) not in (0, len(rows.labels)) or len(rows.queries) not in (0, len(rows.labels)):
        raise CustomerError("Weights and query ids must stand on every row or on none.")
    return Table(
        _sparse(rows),
        np.array(rows.labels, dtype=np.float32),
        np.array(rows.weights, dtype=np.float32) if rows.weights else None,
        np.array(rows.queries, dtype=np.int64) if rows.queries else None,
    )


def _libsvm_row(rows: _Rows, line: str) -> None:
    label, _, rest = line.strip().partition(" ")
    if not label:
        return
    label, has_weight, weight = label.partition(":")
    cells = rest.split()
    if cells and cells[0].startswith("qid:"):
        rows.queries.append(int(cells.pop(0)[4:]))
    flat = np.array(":".join(cells).split(":") if cells else [], dtype=np.float64)
    if flat.size != 2 * len(cells) or any(cell.count(":") != 1 for cell in cells):
        raise ValueError(line)
    places = flat[0::2].astype(np.int64)
    if places.size and (places.min() < 0 or np.any(places != flat[0::2])):
        raise ValueError(line)
    with np.errstate(over="ignore"):
        values = flat[1::2].astype(np.float32)
    _check_row(float(label), float(weight) if has_weight else 0.0, places, values)
    rows.labels.append(float(label))
    if has_weight:
        rows.weights.append(float(weight))
    rows.lengths.append(len(cells))
    rows.places.append(places)
    rows.values.append(values)


def _check_row(label: float, weight: float, places: NDArray[np.int64], values: NDArray[np.float32]) -> None:
    """Raises OverflowError for what is a number and yet none to train on."""
    if not math.isfinite(label):
        raise OverflowError("The label is missing or not finite")
    if not 0 <= weight < math.inf:
        raise OverflowError("The weight is missing or negative")
    if places.size and int(places.max()) > _MOST_FEATURES:
        raise OverflowError(f"A feature's index is beyond {_MOST_FEATURES}")
    if np.isinf(values).any():
        raise OverflowError("A value is infinite, or too large for a 32-bit number")


def _sparse(rows: _Rows) -> Any:
    places = np.concatenate(rows.places)
    ends = np.concatenate([[0], np.cumsum(rows.lengths)])
    width = int(places.max()) + 1 if places.size else 1
    return scipy.sparse.csr_matrix((np.concatenate(rows.values), places, ends), shape=(len(rows.labels), width))


def same_width(*tables: Table) -> None:
    """Give sparse tables one width: a feature that a channel never shows is absent there, not an error.

    Raises CustomerError for dense tables that differ.
    """
    widest = max(table.features.shape[1] for table in tables)
    for table in tables:
        rows, width = table.features.shape
        if width == widest:
            continue
        if not scipy.sparse.issparse(table.features):
            raise CustomerError(f"The channels differ in their number of features: {width} and {widest}.")
        table.features.resize((rows, widest))
