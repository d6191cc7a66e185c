"""trainyard.toml, checked whole: every fault at once, with its line and its key."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.model.errors import TrainyardError
from trainyard.wiring.settings import Settings, lines_of, load
from trainyard.wiring.settings_rows import SETTINGS, TABLES, Setting
from trainyard.wiring.settings_text import as_markdown, template

NETWORK = '[networks."n"]\nsubnets = ["subnet-1"]\nsecurity_groups = ["sg-1"]\n'


def _load(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "trainyard.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def _refused(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(TrainyardError) as refused:
        _load(tmp_path, text)
    return [line.removeprefix(f"{tmp_path}/trainyard.toml") for line in str(refused.value).splitlines()]


def test_a_new_home_gets_a_file_that_holds_and_names_every_setting(tmp_path: Path) -> None:
    path = tmp_path / "trainyard.toml"
    assert load(path) == load(path) == Settings(defaults={"account": "000000000000", "region": "us-east-1"})
    text = path.read_text()
    for setting in SETTINGS:
        assert f"{setting.key} = {setting.example}" in text
        assert f"`{setting.key}`" in as_markdown()


BESIDE = {  # what else a table needs for a key to be taken
    "buckets.*": {"access_key": 'secret_key = "s"', "secret_key": 'access_key = "a"'},
    "images.*": {"env": 'python = "p"'},
    "networks.*": {"peers": 'access = "peers"', "access": 'peers = ["a:1"]'},
    "roles.*": {
        "access_key": 'secret_key = "s"', "secret_key": 'access_key = "a"',
        "session_token": 'access_key = "a"\nsecret_key = "s"',
        "region": 'credentials = "none"', "endpoint": 'credentials = "none"',
    },
    "keys.*": dict.fromkeys(("account", "region", "role"), 'secret = "s"'),
}  # fmt: skip


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.path)
def test_every_example_is_taken(tmp_path: Path, setting: Setting) -> None:
    header = f"[{setting.table.replace('*', 'x')}]" if setting.table else ""
    ids = {"subnets": 'subnets = ["s"]', "security_groups": 'security_groups = ["g"]'}
    needed = [line for key, line in ids.items() if setting.table == "networks.*" and key != setting.key]
    beside = BESIDE.get(setting.table, {}).get(setting.key, "")
    _load(tmp_path, "\n".join([header, f"{setting.key} = {setting.example}", *needed, beside]))


def test_the_uncommented_template_is_one_file_of_toml() -> None:
    text = "\n".join(line.removeprefix("# ") if " = " in line or line.startswith("# [") else line
                     for line in template().splitlines())  # fmt: skip
    plain = tomllib.loads(text)
    assert {name for name in plain if isinstance(plain[name], dict)} == {
        name.partition(".")[0] for name in TABLES if name
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('default_store = "cloud"', ':1: default_store must be "embedded" or "amazon", not "cloud".'),
        ('unknown_role = "deny"', ':1: unknown_role must be "allow" or "refuse", not "deny".'),
        ('\n[capacity]\noversize = "shrink"', ':3: capacity.oversize must be "run" or "refuse", not "shrink".'),
        ("[capacity]\ncpus = -1", ":2: capacity.cpus must be more than 0, not -1."),
        ("[capacity]\ncpus = nan", ":2: capacity.cpus must be more than 0, not nan."),
        ("[capacity]\nmemory_gib = inf", ":2: capacity.memory_gib must be more than 0, not inf."),
        ("[capacity]\ngpus = -2", ":2: capacity.gpus must be 0 or more, not -2."),
        ("[capacity]\ngpus = 1.5", ":2: capacity.gpus must be a whole number, not 1.5."),
        ("[capacity]\ncpus = true", ":2: capacity.cpus must be a number, not True."),
        ("[logs]\ncap_bytes = 10", ":2: logs.cap_bytes must be 1048576 or more, not 10."),
        ("[metrics]\nusage_interval_seconds = 0", ":2: metrics.usage_interval_seconds must be more than 0, not 0."),
        ('[defaults]\naccount = "12"', ':2: defaults.account must look like "000000000000", not "12".'),
        ('[defaults]\nregion = ""', ':2: defaults.region must look like "us-east-1", not "".'),
        ("[capacty]\ncpus = 1", ":1: there is no setting capacty; did you mean capacity?"),
        ("[capacity]\ncpu = 1", ":2: there is no setting capacity.cpu; did you mean cpus?"),
        ("capacity = 1", ":1: capacity must be a table."),
        ("[buckets]\nb = 1", ":2: buckets.b must be a table."),
        ('[images."a.b"]\ncommand = "x"', ":2: images.\"a.b\".command must be a list of texts, not 'x'."),
        ('[images."a.b"]\ncommand = [1]', ':2: images."a.b".command must be a list of texts, not [1].'),
        ("[buckets.b]\nsecret_key = 5", ":2: buckets.b.secret_key must be text, not a value of another type."),
        ('[buckets.b]\nendpoint = "s3.local"',
         ':2: buckets.b.endpoint must look like "https://s3.example.org", not "s3.local".'),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_its_line_and_its_key(tmp_path: Path, text: str, told: str) -> None:
    assert _refused(tmp_path, text) == [told]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[buckets.b]\nfolder = "/f"\nendpoint = "http://e"', ':3: buckets."b" is in two places: folder and endpoint.'),
        ('[buckets.b]\naccess_key = "a"', ':1: buckets."b" needs both access_key and secret_key, or neither.'),
        ("[images.i]\nenv = {}", ':1: images."i" needs either a command or a python.'),
        ('[images.i]\ncommand = ["x"]\npython = "y"', ':1: images."i" needs either a command or a python.'),
        ('[networks."n"]\nsubnets = ["subnet-1"]', ':1: networks."n" names no security_groups, so no job can mean it.'),
        (NETWORK + 'access = "peers"', ':1: networks."n" needs both access = "peers" and a list of peers'),
        (NETWORK + 'peers = ["a:1"]', ':1: networks."n" needs both access = "peers" and a list of peers'),
        (NETWORK + 'access = "peers"\npeers = ["a"]', ":5: networks.\"n\" has a peer that cannot be: 'a' names no"),
        ('[file_systems."fs-1"]\n', ':1: file_systems."fs-1" needs a folder'),
        ('[file_systems."fs-1"]\nfolder = "data"', ':2: file_systems."fs-1" needs a folder, by its absolute path'),
        ('[file_systems."fs-1"]\nfolder = "/opt/ml/model"', ':2: file_systems."fs-1" has a folder below /opt/ml'),
        (NETWORK + NETWORK.replace('"n"', '"m"'), ':4: networks."m" shares a subnet and a security group with "n"'),
        ("[roles.r]", ':1: roles."r" needs one of: access_key and secret_key, profile'),
        ('[roles.r]\nprofile = "p"\ncredentials = "none"', ':1: roles."r" needs one of'),
        ('[roles.r]\naccess_key = "a"', ':1: roles."r" needs both access_key and secret_key'),
        ('[roles.r]\nprofile = "p"\nsession_token = "t"', ':3: roles."r" has a session_token without its access_key.'),
    ],
)  # fmt: skip
def test_a_contradiction_is_told(tmp_path: Path, text: str, told: str) -> None:
    (line,) = _refused(tmp_path, text)
    assert line.startswith(told)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = '[capacity]\ncpus = 0\noversize = "no"\n[networks.n]\nacess = "host"\n'
    assert [line.partition(": ")[0] for line in _refused(tmp_path, text)] == [":2", ":3", ":5"]


def test_a_secret_is_in_no_error(tmp_path: Path) -> None:
    lines = _refused(tmp_path, '[roles.r]\naccess_key = "AKIA"\nsecret_key = ["hush"]\nsession_token = {hush = 1}\n')
    assert not [line for line in lines if "hush" in line or "AKIA" in line]


def test_a_file_that_is_no_toml_says_where(tmp_path: Path) -> None:
    (line,) = _refused(tmp_path, "[capacity\ncpus = 1")
    assert "line 1" in line


def test_lines_of_keys_are_found_in_any_spelling() -> None:
    text = "a = 1\n\n[t]  # a table\n  b = 2\n[x.\"y z\"]\n'c' = 3\nd.e = 4\n# f = 5\n"
    assert lines_of(text) == {
        ("a",): 1, ("t",): 3, ("t", "b"): 4, ("x", "y z"): 5, ("x", "y z", "c"): 6, ("x", "y z", "d", "e"): 7,
    }  # fmt: skip


@given(st.text(max_size=200))
def test_no_text_breaks_the_search_for_lines(text: str) -> None:
    lines_of(text)


def test_the_file_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "trainyard.toml"
    load(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
