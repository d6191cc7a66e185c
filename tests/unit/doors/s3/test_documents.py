from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.doors.s3 import documents
from trainyard.doors.s3.errors import Refused

TEXT = st.text(st.characters(blacklist_categories=["Cc", "Cs"], blacklist_characters="\ufffe\uffff"), max_size=30)


@given(st.lists(TEXT, max_size=5))
def test_texts_come_back(texts: list[str]) -> None:
    body = documents.render("Root", [("One", text) for text in texts])
    assert [node.text for node in documents.parse(body, "Root").all("One")] == texts
    assert [one.text or "" for one in ET.fromstring(body)] == texts  # noqa: S314 - our own


@given(st.text(max_size=30))
def test_any_text_can_be_written(text: str) -> None:
    documents.render("Root", [("One", text)])


@given(st.binary(max_size=100))
def test_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(Refused, match="XML"):
        documents.parse(body, "Root")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<Other/>", b"<Root>", b'<!DOCTYPE Root [<!ENTITY a "b">]><Root>&a;</Root>', b"<Root>&undefined;</Root>",
        b'<!DOCTYPE Root SYSTEM "file:///etc/passwd"><Root/>', b"<a>" * 1000, b"<Root/><Root/>",
        b"<Root>" + b"<a>" * 20 + b"</a>" * 20 + b"</Root>",
    ],
)  # fmt: skip
def test_what_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        documents.parse(body, "Root")
    assert refused.value.code == "MalformedXML"


def test_namespaces_and_their_absence_mean_the_same() -> None:
    for body in (
        b"<Root><A>1</A></Root>",
        b'<Root xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><A>1</A></Root>',
        b'<x:Root xmlns:x="u"><x:A>1</x:A></x:Root>',
    ):
        assert documents.parse(body, "Root").get("A") == "1"
