"""One name for an object, however AWS spells it."""

from __future__ import annotations

import pytest

from trainyard.model.uris import folder_of, key_of, plain


@pytest.mark.parametrize(
    ("uri", "known"),
    [
        ("s3://b/k/x", "s3://b/k/x"),
        ("s3://b", "s3://b/"),
        ("file:///data/x", "file:///data/x"),
        ("https://s3.eu-west-1.amazonaws.com/b/k/x", "s3://b/k/x"),
        ("https://s3-eu-west-1.amazonaws.com/b/k", "s3://b/k"),
        ("https://s3.amazonaws.com/b", "s3://b/"),
        ("https://b.s3.eu-west-1.amazonaws.com/k/x", "s3://b/k/x"),
        ("https://my.bucket.s3.cn-north-1.amazonaws.com.cn/k", "s3://my.bucket/k"),
        ("https://b.s3.amazonaws.com", "s3://b/"),
        ("https://minio.example.org/b/k", "s3://b/k"),
        ("https://b.s3.example.org/c/k", "s3://c/k"),
    ],
)
def test_a_name_is_told_one_way(uri: str, known: str) -> None:
    assert plain(uri) == known
    assert plain(known) == known


def test_a_key_and_its_folder() -> None:
    assert key_of("s3://b/a/b c") == "a/b c"
    assert key_of("s3://b/") == ""
    assert folder_of("s3://b/a/b") == "s3://b/a/"
    assert folder_of("s3://b/") == "s3://b/"
