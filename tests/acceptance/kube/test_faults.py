"""What hostile, slow, racing and restarted parties do to the Kubernetes door: nothing."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.kube_server import DEADLINE, a_kube_server

from trainyard.doors.kube import answers
from trainyard.stores.sqlite.database import Database
from trainyard.stores.sqlite.resources import SqliteResourceStore

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with a_kube_server(tmp_path_factory.mktemp("faults")) as server:
        yield server.url


def ask(url: str, method: str = "GET", body: bytes | None = None, media: str = "application/json") -> tuple[int, Any]:
    request = urllib.request.Request(url, body, {"Content-Type": media}, method=method)  # noqa: S310 - our own server
    try:
        with _opener.open(request, timeout=DEADLINE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", 400), (b"", 400), (b"[]", 400), (b"null", 400), (b'"x"', 400), (b"\xff\xfe", 400),
        (b'{"metadata":[]}', 400), (b'{"metadata":{"labels":{"a":1}}}', 400), (b'{"metadata":{"name":"A_B"}}', 422),
        (b'{"metadata":{}}', 422), (b'{"metadata":{"name":"x","finalizers":["a b"]}}', 422),
        (b'{"metadata":{"name":"x"},"data":{"a":1}}', 422), (b'{"kind":"Secret","metadata":{"name":"x"}}', 400),
        (b'{"metadata":{"name":"x"},"data":' + b'{"a":' * 5000 + b"1" + b"}" * 5001, 400),
        (b'{"metadata":{"name":"x"},"data":' + b'{"a":' * 300 + b"1" + b"}" * 301, 400),
    ],
)  # fmt: skip
def test_a_body_that_is_no_object_is_refused_in_the_api_s_words(url: str, body: bytes, code: int) -> None:
    found, told = ask(url + MAPS, "POST", body)
    assert (found, told["kind"], told["code"]) == (code, "Status", code)


def test_a_body_that_says_it_is_huge_is_refused_before_it_comes(url: str) -> None:
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as connection:
        head = f"POST {MAPS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {3 * 1024 * 1024 + 1}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "query",
    [
        "labelSelector=a%20in%20(", "labelSelector=,,", "labelSelector=" + "a" * 40_000, "labelSelector=(((((",
        "labelSelector=a%3E99999999999999999999", "fieldSelector=spec.x%3D1", "fieldSelector=x", "limit=-1",
        "limit=999999999999999999", "continue=x", "continue=W10", "watch=maybe", "watch=1&resourceVersion=x",
        "watch=1&timeoutSeconds=x", "includeObject=All",
    ],
)  # fmt: skip
def test_a_hostile_query_is_refused(url: str, query: str) -> None:
    code, told = ask(f"{url}{MAPS}?{query}")
    assert (code, told["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/apis/nobody.example/v1/things", 404), ("GET", "/api/v1/pods", 404), ("GET", "/nothing", 404),
        ("POST", "/api/v1/configmaps", 405), ("PUT", MAPS, 405), ("GET", "/api/v1/configmaps/x", 404),
        ("GET", MAPS + "/x/scale", 404), ("DELETE", "/api/v1/namespaces/default", 403), ("GET", "/api/v1//x", 404),
        ("PATCH", MAPS + "/x", 415),
    ],
)  # fmt: skip
def test_a_path_or_a_method_that_is_not_there_is_told(url: str, method: str, path: str, code: int) -> None:
    assert ask(url + path, method, None if method == "GET" else b"{}")[0] == code


def test_of_racing_writers_one_wins_and_patches_all_arrive(url: str) -> None:
    ask(url + MAPS, "POST", b'{"metadata":{"name":"raced"}}')
    _, seen = ask(f"{url}{MAPS}/raced")
    with ThreadPoolExecutor(8) as pool:
        bodies = [json.dumps({**seen, "data": {"by": str(number)}}).encode() for number in range(8)]
        codes = list(pool.map(lambda body: ask(f"{url}{MAPS}/raced", "PUT", body)[0], bodies))
        assert sorted(codes) == [200] + [409] * 7
        patches = [json.dumps({"data": {f"key{number}": "x"}}).encode() for number in range(8)]
        merge = "application/merge-patch+json"
        list(pool.map(lambda patch: ask(f"{url}{MAPS}/raced", "PATCH", patch, merge), patches))
    assert {f"key{number}" for number in range(8)} <= ask(f"{url}{MAPS}/raced")[1]["data"].keys()


def test_a_client_that_goes_in_the_middle_of_a_watch_leaves_the_server_well(url: str) -> None:
    port = int(url.rpartition(":")[2])
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as connection:
            connection.sendall(f"GET {MAPS}?watch=1 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert ask(url + MAPS)[0] == 200


def test_a_client_that_stops_reading_is_cut_off_and_little_is_kept_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "SEND_TIMEOUT", 1.0)
    given_up, whole = threading.Event(), answers.Stream.send

    async def noticed(self: answers.Stream, receive: Any, send: Any) -> None:
        await whole(self, receive, send)
        given_up.set()

    monkeypatch.setattr(answers.Stream, "send", noticed)
    with a_kube_server(tmp_path) as server, closing(socket.socket()) as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        lazy.settimeout(DEADLINE)
        lazy.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
        lazy.sendall(f"GET {MAPS}?watch=1 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert lazy.recv(10) == b"HTTP/1.1 2"
        written = 0
        for number in range(40):
            body = json.dumps({"metadata": {"name": f"big{number}"}, "data": {"x": "x" * 500_000}}).encode()
            assert ask(server.url + MAPS, "POST", body)[0] == 201
            written += len(body)
        assert given_up.wait(DEADLINE)
        got = sum(len(part) for part in iter(lambda: lazy.recv(1 << 20), b""))  # to the end of the connection
        assert got < written / 2
        assert ask(server.url + MAPS + "/big39")[0] == 200


def test_a_server_that_restarts_has_everything_and_clients_go_on_from_where_they_were(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "jobs.db")) as database:
        with a_kube_server(tmp_path, store=SqliteResourceStore(database)) as server:
            port = int(server.url.rpartition(":")[2])
            ask(server.url + MAPS, "POST", b'{"metadata":{"name":"kept"}}')
            since = ask(server.url + MAPS)[1]["metadata"]["resourceVersion"]
        with a_kube_server(tmp_path, store=SqliteResourceStore(database), port=port) as server:
            assert ask(f"{server.url}{MAPS}/kept")[0] == 200
            ask(server.url + MAPS, "POST", b'{"metadata":{"name":"later"}}')
            watching = f"{server.url}{MAPS}?watch=1&resourceVersion={since}&timeoutSeconds=1"
            with _opener.open(watching, timeout=DEADLINE) as answer:
                told = [json.loads(line) for line in answer]
            assert [(one["type"], one["object"]["metadata"]["name"]) for one in told] == [("ADDED", "later")]


def test_a_server_that_goes_ends_its_watches_and_waits_for_nobody(tmp_path: Path) -> None:
    with a_kube_server(tmp_path) as server:
        watching = _opener.open(f"{server.url}{MAPS}?watch=1", timeout=DEADLINE)
    with closing(watching):
        assert watching.read() == b""


@pytest.mark.slow
def test_ten_thousand_objects_are_listed_in_pages_and_watched(url: str) -> None:
    ask(f"{url}/api/v1/namespaces", "POST", b'{"metadata":{"name":"many"}}')
    maps = f"{url}/api/v1/namespaces/many/configmaps"
    with ThreadPoolExecutor(4) as pool:
        bodies = (json.dumps({"metadata": {"name": f"n{number:05}"}}).encode() for number in range(10_000))
        assert set(pool.map(lambda body: ask(maps, "POST", body)[0], bodies)) == {201}
    names, token = [], ""
    while True:
        _, page = ask(f"{maps}?limit=500&continue={token}")
        names += [one["metadata"]["name"] for one in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert names == [f"n{number:05}" for number in range(10_000)]
    with _opener.open(f"{maps}?watch=1&timeoutSeconds=20", timeout=60) as answer:
        assert {json.loads(answer.readline())["type"] for _ in range(10_000)} == {"ADDED"}
