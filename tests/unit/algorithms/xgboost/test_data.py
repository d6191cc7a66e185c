import gzip
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.algorithms.xgboost import data
from trainyard.algorithms.xgboost.errors import CustomerError


def _file(folder: Path, name: str, text: str) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder


def test_content_types() -> None:
    assert data.format_of(None) == data.LIBSVM
    assert data.format_of("text/x-libsvm") == data.LIBSVM
    assert data.format_of("text/csv; label_size=1") == data.CSV
    for refused in ("application/x-parquet", "image/png"):
        with pytest.raises(CustomerError):
            data.format_of(refused)


def test_csv_of_several_files_in_the_order_of_names(tmp_path: Path) -> None:
    _file(tmp_path, "b.csv", "1,5,6\n")
    _file(tmp_path, "a/x.csv", "0,1,\n0,3,4\n")
    _file(tmp_path, ".hidden", "no")
    _file(tmp_path, "_SUCCESS", "no")
    table = data.read(tmp_path, data.CSV, channel="training")
    assert table.labels.tolist() == [1, 0, 0]
    assert np.isnan(table.features[1, 1])


def test_a_negative_weight_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(CustomerError, match="Line 2 of file 'a': The weight is missing or negative"):
        data.read(_file(tmp_path, "a", "1,9,5\n0,-8,6\n"), data.CSV, channel="training", weighted=True)


@pytest.mark.parametrize("kind", [data.CSV, data.LIBSVM])
@pytest.mark.parametrize("name", ["rows.csv.gz", "rows"])
def test_a_packed_file_is_told(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(b"1,2\n"))
    with pytest.raises(CustomerError, match=f"File '{name}' is gzip-compressed: line 1 is no text"):
        data.read(tmp_path, kind, channel="training")


def test_a_plain_file_with_a_packed_ones_name_is_read(tmp_path: Path) -> None:
    assert data.read(_file(tmp_path, "rows.gz", "1,2\n"), data.CSV, channel="training").features.tolist() == [[2]]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|", " "])
def test_the_delimiter_is_found_out(tmp_path: Path, mark: str) -> None:
    table = data.read(_file(tmp_path, "a", f"1{mark}2{mark}3\n"), data.CSV, channel="training")
    assert (table.labels.tolist(), table.features.tolist()) == ([1], [[2, 3]])


def test_a_byte_order_mark_and_another_systems_line_ends_are_no_data(tmp_path: Path) -> None:
    table = data.read(_file(tmp_path, "a", "\ufeff1,2\r\n0,\r\n"), data.CSV, channel="training")
    assert table.labels.tolist() == [1, 0]
    assert np.isnan(table.features[1, 0])


@given(st.binary(max_size=60), st.sampled_from([data.CSV, data.LIBSVM]))
def test_no_file_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes, kind: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "f").write_bytes(content)
    with suppress(CustomerError):
        table = data.read(folder, kind, channel="training")
        assert len(table.labels) == table.features.shape[0] > 0
        assert np.isfinite(table.labels).all()


def test_csv_weights_stand_in_the_second_column(tmp_path: Path) -> None:
    table = data.read(_file(tmp_path, "a", "1,9,5\n0,8,6\n"), data.CSV, channel="training", weighted=True)
    assert table.weights is not None
    assert table.weights.tolist() == [9, 8]
    assert table.features.tolist() == [[5], [6]]


def test_libsvm_with_weights_queries_and_comments(tmp_path: Path) -> None:
    table = data.read(
        _file(tmp_path, "a", "1:0.5 qid:1 0:2 3:4 # first\n\n0:2 qid:1\n"), data.LIBSVM, channel="training"
    )
    assert table.features.toarray().tolist() == [[2, 0, 0, 4], [0, 0, 0, 0]]
    assert table.weights is not None
    assert table.weights.tolist() == [0.5, 2]
    assert table.queries is not None


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (data.CSV, "label,pixel\n1,2\n", "Line 1 of file 'f' is not CSV.*Remove the header"),
        (data.CSV, "1,2\n1,2,3\n", "Line 2 of file 'f' has 3 columns, the first line has 2"),
        (data.CSV, "1\n2\n", "at least 2 columns"),
        (data.CSV, "1,2\n\n1\n", "Line 3 of file 'f' has 1 columns, the first line has 2"),
        (data.CSV, "1,2\n\nnan,2\n", "Line 3 of file 'f': The label is missing or not finite: 'nan,2'"),
        (data.CSV, "1,2\n,2\n", "Line 2 of file 'f': The label is missing or not finite: ',2'"),
        (data.CSV, "1,2\n1,inf\n", "Line 2 of file 'f': A value is infinite"),
        (data.CSV, "1,2\n1,1e39\n", "Line 2 of file 'f': A value is infinite, or too large"),
        (data.CSV, "1,2\n1,,1e39\n", "Line 2 of file 'f' has 3 columns"),
        (data.CSV, "1,2\none,two\n", "Line 2 of file 'f' is not CSV of numbers: 'one,two'"),
        (data.CSV, "1,2\n1,2\x00\n", "Line 2 of file 'f' is not CSV of numbers"),
        (data.CSV, " \n \n", "File 'f' holds no rows"),
        (data.CSV, "\n", "File 'f' holds no rows"),
        (data.CSV, "PK\x03\x04", "File 'f' is a zip archive: line 1 is no text"),
        (data.CSV, "PAR1", "File 'f' is Parquet"),
        (data.LIBSVM, "PAR1", "File 'f' is Parquet"),
        (data.LIBSVM, "1 0:1\nnan 0:1\n", "Line 2 of file 'f': The label is missing or not finite: 'nan 0:1'"),
        (data.LIBSVM, "1 0:inf\n", "Line 1 of file 'f': A value is infinite"),
        (data.LIBSVM, "1:-1 0:1\n", "Line 1 of file 'f': The weight is missing or negative"),
        (data.LIBSVM, "1 99999999999:1\n", "Line 1 of file 'f': A feature's index is beyond"),
        (data.LIBSVM, "one 0:1\n", "Line 1 of file 'f' is not libsvm"),
        (data.LIBSVM, "1,2,3\n", "Line 1 of file 'f' is not libsvm.*text/csv"),
        (data.LIBSVM, "1 0:1\n1 2\n", "Line 2 of file 'f' is not libsvm"),
        (data.LIBSVM, "1 -1:3\n", "not libsvm"),
        (data.LIBSVM, "1 1.5:3\n", "not libsvm"),
        (data.LIBSVM, "1:2 0:1\n1 0:2\n", "on every row or on none"),
        (data.LIBSVM, "# nothing\n", "no rows"),
        (data.LIBSVM, "", "No data in training channel path"),
    ],
)
def test_a_broken_file_is_told_with_its_line(tmp_path: Path, kind: str, text: str, said: str) -> None:
    with pytest.raises(CustomerError, match=said):
        data.read(_file(tmp_path, "f", text), kind, channel="training")


def test_channels_of_one_width(tmp_path: Path) -> None:
    narrow = data.read(_file(tmp_path / "n", "f", "1 0:1\n"), data.LIBSVM, channel="training")
    wide = data.read(_file(tmp_path / "w", "f", "1 7:1\n"), data.LIBSVM, channel="validation")
    data.same_width(narrow, wide)
    assert narrow.features.shape == wide.features.shape == (1, 8)
