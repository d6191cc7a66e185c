"""The client of container engines, asked of real ones: Docker's and Podman's."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.engines import BUSYBOX, TestEngine

from trainyard.runtimes.local.containers.engine import Engine, quoted
from trainyard.runtimes.local.containers.wire import EngineRefused, EngineUnreachable

NAME = f"trainyard-test-{os.getpid()}"


def form(engine: TestEngine, *argv: str, **more: Any) -> dict[str, Any]:
    image = engine.image(BUSYBOX)
    found = engine.engine.image(image) or engine.engine.image(f"localhost/{image}")
    assert found is not None
    log = {"Type": "json-file", "Config": {}}
    return {
        "Image": found["Id"],
        "Entrypoint": list(argv),
        "Cmd": [],
        "HostConfig": {"NetworkMode": "none", "LogConfig": log},
        **more,
    }


@pytest.fixture
def name(engine: TestEngine) -> Iterator[str]:
    yield NAME
    engine.engine.remove(NAME)


def ended(engine: Engine, name: str) -> dict[str, Any]:
    for _ in range(600):
        found = engine.inspect(name)
        assert found is not None
        if found["State"]["Status"] not in ("created", "running"):
            return dict(found["State"])
        select.select([], [], [], 0.05)
    pytest.fail("it does not end")


def test_what_is_asked_twice_happens_once(engine: TestEngine, name: str) -> None:
    asked = engine.engine
    plain = form(engine, "/bin/sleep", "600", Labels={"trainyard.test": "of this test"})
    for _ in range(2):
        asked.create(name, plain)
    for _ in range(2):
        asked.start(name)
    assert [found["Labels"]["trainyard.test"] for found in asked.labelled("trainyard.test=of this test")] == [
        "of this test"
    ]
    asked.kill(name, "SIGKILL")
    assert ended(asked, name)["ExitCode"] == 137
    asked.kill(name, "SIGKILL")
    for _ in range(2):
        asked.remove(name)
    asked.kill(name, "SIGTERM")
    assert asked.inspect(name) is None
    assert asked.labelled("trainyard.test=of this test") == []


def test_an_exit_code_is_kept_until_it_is_removed(engine: TestEngine, name: str) -> None:
    engine.engine.create(name, form(engine, "/bin/sh", "-c", "exit 7"))
    engine.engine.start(name)
    assert ended(engine.engine, name)["ExitCode"] == 7


def test_an_image_that_is_not_there_is_none(engine: TestEngine) -> None:
    assert engine.engine.image("nobody/has:this") is None
    with pytest.raises(EngineRefused, match=r"(?i)no such image"):
        engine.engine.create(NAME, {"Image": "nobody/has:this"})


def test_the_engines_words_are_told(engine: TestEngine, name: str) -> None:
    engine.engine.create(name, form(engine, "/no/such/program"))
    with pytest.raises(EngineRefused, match=r'exec: "/no/such/program".*no such file') as refused:
        engine.engine.start(name)
    assert refused.value.status >= 400


def test_nobody_at_the_socket_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachable, match="No such file"):
        Engine(str(tmp_path / "none.sock")).inspect("any")


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n{",
        b"HTTP/1.0 200 OK\r\n\r\n{",
    ],
)
def test_an_answer_that_is_none_or_breaks_off_tells_nothing(tmp_path: Path, told: bytes) -> None:
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def answer() -> None:
            caller, _ = server.accept()
            with caller:
                caller.recv(65536)
                caller.sendall(told)

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(EngineUnreachable):
            Engine(str(path)).version()
        answering.join()


def test_a_target_holds_any_text() -> None:
    assert quoted('{"a":["ü b"]}') == "%7B%22a%22%3A%5B%22%C3%BC%20b%22%5D%7D"
