"""Who we are to a registry: the first place that knows it."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from trainyard.wiring.registries import NoCredentials, credentials_for, registry_of


def told(header: str | None) -> dict[str, Any]:
    assert header is not None
    return dict(json.loads(base64.urlsafe_b64decode(header)))


@pytest.mark.parametrize(
    ("image", "host"), [("busybox", "docker.io"), ("team/a:1", "docker.io"), ("r.io/a", "r.io"), ("h:5/a:1", "h:5")]
)
def test_the_registry_is_the_names_first_part_if_that_is_a_host(image: str, host: str) -> None:
    assert registry_of(image) == host


def test_a_table_goes_before_a_configuration(tmp_path: Path) -> None:
    entry = base64.b64encode(b"theirs:p:q").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"https://r.io": {"auth": entry}}}))
    (tmp_path / "secret").write_text("ours\n")
    variables = {"DOCKER_CONFIG": str(tmp_path)}
    assert told(credentials_for("r.io/a", {}, {}, variables)) == {
        "username": "theirs", "password": "p:q", "serveraddress": "https://r.io",
    }  # fmt: skip
    table = {"r.io": {"username": "robot", "password_file": str(tmp_path / "secret")}}
    assert told(credentials_for("r.io/a", table, {}, variables))["password"] == "ours"
    assert credentials_for("other.io/a", table, {}, variables) is None


def test_a_password_keeper_is_asked_on_its_standard_input(tmp_path: Path) -> None:
    keeper = tmp_path / "docker-credential-mine"
    keeper.write_text(
        '#!/bin/sh\nread server; echo "{\\"Username\\": \\"<token>\\", \\"Secret\\": \\"for $server\\"}"\n'
    )
    keeper.chmod(0o755)
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {"r.io": "mine"}}))
    variables = {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert told(credentials_for("r.io/a", {}, {}, variables)) == {
        "identitytoken": "for r.io", "serveraddress": "r.io",
    }  # fmt: skip
    keeper.write_text("#!/bin/sh\necho no\n")
    with pytest.raises(NoCredentials, match="docker-credential-mine gives no password"):
        credentials_for("r.io/a", {}, {}, variables)


def test_a_configuration_that_is_none_knows_nobody(tmp_path: Path) -> None:
    for text in ("", "[]", '{"auths": []}', '{"auths": {"r.io": {"auth": "%"}}}', '{"auths": {"r.io": {}}}'):
        (tmp_path / "config.json").write_text(text)
        assert credentials_for("r.io/a", {}, {}, {"DOCKER_CONFIG": str(tmp_path)}) is None
