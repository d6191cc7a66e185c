"""Temporary keys: nobody forges them, and they end."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.access.seals import Seals
from trainyard.access.sessions import Ended, Grant, Sessions
from trainyard.kit.masterkey import master_key

GRANT = Grant(account="123456789012", role="arn:aws:iam::123456789012:role/a", name="s", region="eu-north-1")
SEALS = Seals(lambda: b"k" * 32)


def at(now: float, seals: Seals = SEALS) -> Sessions:
    return Sessions(seals, lambda: now)


def test_keys_are_known_to_every_process_of_the_home_until_they_end(tmp_path: Path) -> None:
    def process() -> Seals:
        return Seals(lambda: master_key(tmp_path / "session.key"))

    keys = at(0.0, process()).begin(GRANT, 900)
    key = at(899.0, process()).key(keys.access_key, keys.token)
    assert key is not None
    assert (key.secret, key.account, key.region, key.session) == (
        keys.secret, "123456789012", "eu-north-1", (GRANT.role, "s"),
    )  # fmt: skip
    with pytest.raises(Ended):
        at(900.0, process()).key(keys.access_key, keys.token)
    assert (tmp_path / "session.key").stat().st_mode & 0o077 == 0


def test_a_secret_is_not_printed() -> None:
    keys = at(0.0).begin(GRANT, 900)
    assert keys.secret not in repr(keys)
    assert keys.token not in repr(keys)
    assert keys.secret not in repr(at(0.0).key(keys.access_key, keys.token))


@given(st.text(max_size=300), st.integers(0, 300), st.characters())
def test_what_is_not_sealed_here_opens_nothing(text: str, place: int, letter: str) -> None:
    keys = at(0.0).begin(GRANT, 900)
    changed = keys.token[:place] + letter + keys.token[place + 1 :]
    for token in (text, f"{text}.{keys.token}", changed if changed != keys.token else "", f"{keys.token}="):
        assert at(0.0).key(keys.access_key, token) is None
    assert SEALS.opened("another purpose", keys.token) is None
    assert Seals(lambda: b"other" * 8).opened("session keys", keys.token) is None


@given(st.dictionaries(st.text(max_size=5), st.one_of(st.text(), st.integers(), st.none(), st.booleans()), max_size=5))
def test_what_was_sealed_is_opened_whole(payload: dict[str, object]) -> None:
    assert SEALS.opened("p", SEALS.seal("p", payload)) == payload
