from pathlib import Path

import numpy as np
import pytest

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
