"""The S3 door beside moto's server (and localbucket, where it is installed), and beside bare files on the same disk.

The clients are curl and wrk: they cost little, so the figures are the servers'. Nothing is verified.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from common import head, row, scratch
from trainyard.kit.garbage import collected_at_rest

SMALL = 4096
SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))  # of each flood of small requests
LARGE = int(os.environ.get("BENCH_MIB", "1024"))  # MiB
KEYS = int(os.environ.get("BENCH_KEYS", "100000"))
# moto gives objects to those who say who they are, and believes them; so do we, on loopback.
_SCOPE = "000000000000/20300101/us-east-1/s3/aws4_request"
CLAIM = (
    f"Authorization: AWS4-HMAC-SHA256 Credential={_SCOPE}, SignedHeaders=host, Signature=0",
    "X-Amz-Date: 20300101T000000Z",
)
KEY, SECRET = "AKIABENCHMARK", "benchmark"
SETTINGS = f'[keys."{KEY}"]\nsecret = "{SECRET}"\n'
PUTS = """
local number = 0
local seed = "%s"
request = function()
  number = number + 1
  wrk.headers["content-type"] = "x/y"
  return wrk.format("PUT", "/bench/small/" .. seed .. "/" .. number, wrk.headers, string.rep("x", 4096))
end
"""


def serve(home: str, port: str) -> None:
    """The AWS doors of a home that nobody leads."""
    import asyncio

    from trainyard.wiring.aws import aws_serving
    from trainyard.wiring.listeners import AwsListener
    from trainyard.wiring.session import open_session

    async def answer() -> None:
        async with (
            collected_at_rest(),
            open_session(home) as session,
            aws_serving(session, AwsListener(port=int(port))),
        ):
            await asyncio.Event().wait()

    asyncio.run(answer())


@contextmanager
def running(*argv: str, port: int) -> Iterator[psutil.Process]:
    """A server, from its first answer to the end of the block."""
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            while True:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.05)
            yield psutil.Process(server.pid)
        finally:
            server.kill()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def signed(method: str, url: str) -> Sequence[str]:
    """The headers of a request that our server verifies."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    class Signing(S3SigV4Auth):
        """Of everything but the payload, as over TLS."""

        def payload(self, request: AWSRequest) -> str:  # noqa: ARG002 - as its parent has it
            return "UNSIGNED-PAYLOAD"

    request = AWSRequest(method, url)
    Signing(Credentials(KEY, SECRET), "s3", "us-east-1").add_auth(request)
    return [f"{name}: {value}" for name, value in request.headers.items()]


def _given(headers: Sequence[str]) -> list[str]:
    return [word for header in headers for word in ("-H", header)]


def curl(*arguments: str, headers: Sequence[str] = CLAIM) -> float:
    """Bytes a second of one transfer."""
    told = "%{http_code} %{speed_upload} %{speed_download}"
    done = subprocess.run(
        ["curl", "-sS", *_given(headers), "-o", os.devnull, "-w", told, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    status, up, down = done.stdout.split()
    assert status == "200", done.stdout
    return max(float(up), float(down))


def wrk(url: str, connections: int, script: Path | None = None, headers: Sequence[str] = CLAIM) -> float:
    """Requests a second."""
    more = [] if script is None else ["-s", str(script)]
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}", "--timeout", "60", *_given(headers), *more, url]
    told = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in told, told
    return float(told.split("Requests/sec:")[1].split()[0])


def measured(base: str, server: psutil.Process, folder: Path) -> dict[str, float]:
    """Every figure of one server."""
    large, puts = folder / "large", folder / f"puts-{uuid.uuid4().hex}.lua"
    puts.write_text(PUTS % uuid.uuid4().hex)
    curl("-X", "PUT", f"{base}/bench")
    found: dict[str, float] = {}
    cpu = sum(server.cpu_times()[:2])
    found["put"] = curl("-H", "Expect:", "-T", str(large), f"{base}/bench/large") / 1e6
    found["put cpu"], cpu = sum(server.cpu_times()[:2]) - cpu, sum(server.cpu_times()[:2])
    found["get"] = curl(f"{base}/bench/large") / 1e6
    found["get cpu"] = sum(server.cpu_times()[:2]) - cpu
    found["rss"] = server.memory_info().rss / 1e6
    (folder / "small").write_bytes(b"x" * SMALL)
    curl("-T", str(folder / "small"), f"{base}/bench/one")
    found["get small"] = wrk(f"{base}/bench/one", 16)
    found["put small, one"] = wrk(base, 1, puts)
    found["put small, 16"] = wrk(base, 16, puts)
    return found


def verifying(base: str, folder: Path) -> str:
    """What becomes of the figures where signatures are verified."""
    curl("-X", "PUT", f"{base}/signed", headers=signed("PUT", f"{base}/signed"))
    large, one = f"{base}/signed/large", f"{base}/signed/one"
    put = curl("-H", "Expect:", "-T", str(folder / "large"), large, headers=signed("PUT", large)) / 1e6
    get = curl(large, headers=signed("GET", large)) / 1e6
    curl("-T", str(folder / "small"), one, headers=signed("PUT", one))
    small = wrk(one, 16, headers=signed("GET", one))
    return f"PUT {put:.0f} MB/s, GET {get:.0f} MB/s, GET of 4 KiB {small:.0f} per s"


def listed(base: str, marker: str, times: int = 5) -> float:
    """Milliseconds of a page of 1,000 keys, the best of some."""
    url, best = f"{base}/bench?list-type=2&prefix=flat/&start-after={marker}", float("inf")
    for _ in range(times):
        begin = time.perf_counter()
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - loopback
            assert answer.read().count(b"<Key>") == 1000
        best = min(best, time.perf_counter() - begin)
    return best * 1e3


def filled(folder: Path) -> None:
    """A flat prefix of many keys, by the store itself."""
    import asyncio

    from trainyard.kit.clock import SystemClock
    from trainyard.model.buckets import Facts, anything
    from trainyard.objects.embedded.store import EmbeddedStore

    async def fill() -> None:
        store = EmbeddedStore(folder, SystemClock())

        async def put(number: int) -> None:
            async with store.incoming() as incoming:
                await incoming.finish()
                await store.put("bench", f"flat/{number:06}", incoming, Facts(), anything)

        for start in range(0, KEYS, 256):
            await asyncio.gather(*map(put, range(start, min(KEYS, start + 256))))
        store.close()

    asyncio.run(fill())


def bare(folder: Path) -> dict[str, float]:
    """What the disk gives to one who writes, syncs and renames; and to dd."""
    argv = ["dd", f"if={folder / 'large'}", f"of={folder / 'copy'}", "bs=1M", "conv=fdatasync"]
    begin = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True)
    rate = LARGE * (1 << 20) / 1e6 / (time.perf_counter() - begin)
    (folder / "copy").unlink()
    (folder / "loop").mkdir()
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < SECONDS:
        with (folder / "loop" / "t").open("wb") as file:
            file.write(b"x" * SMALL)
            file.flush()
            os.fsync(file.fileno())
        (folder / "loop" / "t").rename(folder / "loop" / str(count))
        count += 1
    return {"put": rate, "put small, one": count / SECONDS}


def shown(name: str, ours: dict[str, float], theirs: dict[str, float]) -> None:
    head("ours", name)
    for key, unit, more in (
        ("put", "MB/s", True), ("get", "MB/s", True), ("put cpu", "s", False), ("get cpu", "s", False),
        ("rss", "MB", False), ("get small", "per s", True), ("put small, one", "per s", True),
        ("put small, 16", "per s", True),
    ):  # fmt: skip
        if key in theirs:
            row(_WORDS[key], ours[key], theirs[key], unit, more_is_better=more)


_WORDS = {
    "put": f"PUT of {LARGE} MiB", "get": f"GET of {LARGE} MiB", "put cpu": "the server's processor time of that PUT",
    "get cpu": "and of that GET", "rss": "memory of the server behind them", "get small": "GET of 4 KiB, 16 clients",
    "put small, one": "PUT of 4 KiB, one client", "put small, 16": "PUT of 4 KiB, 16 clients",
}  # fmt: skip


def others() -> Sequence[tuple[str, list[str]]]:
    """What one would use instead, as far as it is here."""
    bin_folder = Path(sys.executable).parent
    found = [("moto", [str(bin_folder / "moto_server"), "-H", "127.0.0.1", "-p", "{port}"])]
    if importlib.util.find_spec("localbucket") is not None:
        found.append(("localbucket", [sys.executable, "-m", "localbucket", "--port", "{port}", "{folder}"]))
    return found


def main() -> None:
    for program in ("curl", "wrk", "dd"):
        assert shutil.which(program), f"{program} is not here: apt-get install {program}"
    print(f"load average {os.getloadavg()[0]:.1f}")
    with scratch() as folder:
        piece = os.urandom(1 << 20)
        with (folder / "large").open("wb") as file:
            for _ in range(LARGE):
                file.write(piece)
        disk = bare(folder)
        port = free_port()
        home = folder / "home"
        home.mkdir(mode=0o700)
        (home / "trainyard.toml").write_text(SETTINGS)
        with running(sys.executable, __file__, str(home), str(port), port=port) as server:
            base = f"http://127.0.0.1:{port}"
            ours = measured(base, server, folder)
            verified = verifying(base, folder)
            filled(home / "s3")
            pages = [listed(f"http://127.0.0.1:{port}", f"flat/{place:06}") for place in (0, KEYS // 2, KEYS - 1001)]
        shown("files", ours, disk)
        print(f"each request signed and verified: {verified}")
        print(f"a page of 1,000 of {KEYS:,} keys: first, middle, last: {', '.join(f'{one:.1f}' for one in pages)} ms")
        for name, argv in others():
            port = free_port()
            (folder / name).mkdir()
            given = [one.format(port=port, folder=folder / name) for one in argv]
            with running(*given, port=port) as server:
                shown(name, ours, measured(f"http://127.0.0.1:{port}", server, folder))
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    serve(*sys.argv[1:]) if len(sys.argv) == 3 else main()
