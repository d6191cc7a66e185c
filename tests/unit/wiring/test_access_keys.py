"""Access keys follow the file that they stand in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trainyard.wiring import access_keys
from trainyard.wiring.access_keys import AccessKeys
from trainyard.wiring.settings import Settings, load

ANNA = '[keys."AKIAANNA"]\nsecret = "annas-secret"\n'
BERT = '[keys."AKIABERT"]\nsecret = "berts-secret"\naccount = "123456789012"\n'


def written(path: Path, text: str, mode: int = 0o600) -> None:
    path.write_text(text)
    path.chmod(mode)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "trainyard.toml"
    written(file, ANNA)
    return file


def test_a_key_counts_from_the_moment_it_is_written_to_the_moment_it_is_taken_away(path: Path) -> None:
    keys = AccessKeys(path, load(path), guarded=True)
    assert (keys("AKIAANNA") is None, keys("AKIABERT") is None) == (False, True)
    written(path, ANNA + BERT)
    bert = keys("AKIABERT")
    assert bert is not None
    assert (bert.secret, bert.account) == ("berts-secret", "123456789012")
    written(path, BERT)
    assert (keys("AKIAANNA") is None, keys("AKIABERT") is None) == (True, False)


def test_what_was_written_between_reading_the_settings_and_now_counts(path: Path) -> None:
    assert AccessKeys(path, Settings(), guarded=True)("AKIAANNA") is not None


@pytest.mark.parametrize("fault", ["half", "shared", "gone", "unknown"])
def test_a_file_that_cannot_be_used_leaves_the_keys_and_is_told_without_a_secret(
    path: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys = AccessKeys(path, load(path), guarded=True)
    assert keys("AKIAANNA") is not None
    if fault == "gone":
        path.unlink()
    else:
        texts = {"half": '[keys."AKIABERT"]\nsecret = "berts-se', "unknown": f'{BERT}roll = "read"\n', "shared": BERT}
        written(path, texts[fault], 0o644 if fault == "shared" else 0o600)
    assert (keys("AKIAANNA") is None, keys("AKIABERT") is None) == (False, True)
    assert "the access keys stay as they were" in caplog.text
    assert "bert" not in caplog.text.lower().replace("akiabert", "")
    assert path.exists() is (fault != "gone")
    caplog.clear()
    assert keys("AKIABERT") is None
    assert caplog.text == ""  # told once
    written(path, BERT)
    assert keys("AKIABERT") is not None


def test_on_loopback_the_file_may_be_read_by_others(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_keys, "LOOK", 0.0)
    keys = AccessKeys(path, load(path), guarded=False)
    written(path, BERT, 0o644)
    assert keys("AKIABERT") is not None
    os.utime(path, ns=(1, 1))
    assert keys("AKIABERT") is not None
