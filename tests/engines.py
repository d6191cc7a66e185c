"""Real container engines, Docker and Podman, started for the tests in folders of their own; images without a registry.

An engine lives in network and mount namespaces of its own, so that its bridges, its rules and the one mount that it may
need do not touch the machine; only its socket is seen. Where no engine can be started the tests that want one are
skipped with the reason; under CI that is a failure.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

from trainyard.runtimes.local.containers.engine import Engine, quoted
from trainyard.runtimes.local.containers.wire import EngineRefused, EngineUnreachable, Wire

STARTS_WITHIN = 60.0  # seconds
REGISTRY = "127.0.0.1:5000"  # in the engine's own network
USER, PASSWORD = "robot", "opensesame"
_HASH = "$2y$05$I/354eNZrZVOVe1uO9dp7uECO5mTIGo9LIzi4cA7xFpq9YZwY75/u"
BUSYBOX, PYTHON = "trainyard-test/busybox:1", "trainyard-test/python:1"
_HUGETLB = "/sys/fs/cgroup/hugetlb"
# A machine whose controllers are spread over both generations of cgroups needs the last one mounted as well.
_GROUPS = f"if [ -d /sys/fs/cgroup/memory ]; then mkdir -p {_HUGETLB}; mount -t cgroup -o hugetlb cgroup {_HUGETLB}; fi"
_UNUSED = {"site-packages", "test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "__pycache__"}


@dataclass
class TestEngine:
    """A running engine. `process` is in its namespaces, `log` what it had to say."""

    __test__ = False
    kind: str
    socket: str
    process: subprocess.Popen[bytes]
    log: Path
    folder: Path
    line: str
    variables: dict[str, str]
    _images: set[str] = field(default_factory=set)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def engine(self) -> Engine:
        return Engine(self.socket)

    def image(self, name: str) -> str:
        """A test image's name, made when it is first asked for."""
        if name not in self._images:
            load(self.socket, name, PACKED[name]())
            self._images.add(name)
        return name

    def go_down(self) -> None:
        """End the engine, as an upgrade does (Docker), or by kill -9 (Podman). Its containers live on."""
        (self.process.terminate if self.kind == "docker" else self.process.kill)()
        self.process.wait()

    def start_again(self) -> None:
        """Start it in the namespaces that its holder has kept."""
        inside = ["nsenter", "--target", (self.folder / "holder").read_text().strip(), "--mount", "--net"]
        self.process = _started([*inside, "sh", "-c", f"exec {self.line}"], self.log, self.variables)
        assert _answers(self.socket, self.process), self.log.read_text()


@pytest.fixture(scope="session")
def docker() -> Iterator[TestEngine]:
    """Docker's daemon."""
    with running("docker") as engine:
        yield engine


@pytest.fixture(scope="session")
def podman() -> Iterator[TestEngine]:
    """Podman's service."""
    with running("podman") as engine:
        yield engine


@pytest.fixture(params=["docker", "podman"])
def engine(request: pytest.FixtureRequest) -> TestEngine:
    """Each of them in turn."""
    found: TestEngine = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def registry(engine: TestEngine) -> Iterator[str]:
    """A registry of images that asks for a password, in the network of the engine; its address."""
    if shutil.which("docker-registry") is None:
        _none("docker-registry is not installed: make engines")
    with tempfile.TemporaryDirectory(prefix="trainyard-registry-") as folder:
        users, config = Path(folder) / "users", Path(folder) / "config.yml"
        users.write_text(f"{USER}:{_HASH}\n")
        config.write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/images}}}}\n"
            f"http: {{addr: '{REGISTRY}'}}\nauth: {{htpasswd: {{realm: tests, path: {users}}}}}\n"
        )
        argv = ["nsenter", "--target", str(engine.pid), "--net", "docker-registry", "serve", str(config)]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                until(lambda: f":{5000:04X} 00000000:0000 0A" in Path(f"/proc/{engine.pid}/net/tcp").read_text())
                yield REGISTRY
            finally:
                process.terminate()


def publish(engine: TestEngine, registry: str, name: str) -> str:
    """Put the busybox image into a registry under a name, and out of the engine; the name to fetch it by."""
    whole = f"{registry}/{name}"
    repository, tag = whole.rsplit(":", 1)
    wire, held = Wire(engine.socket), engine.image(BUSYBOX)
    if engine.kind == "podman":
        held = f"localhost/{held}"
    assert wire.ask("POST", f"/images/{held}/tag?repo={quoted(repository)}&tag={tag}").status < 300
    key = {"username": USER, "password": PASSWORD, "serveraddress": registry}
    fields = {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(key).encode()).decode()}
    pushed = wire.ask("POST", f"/images/{repository}/push?tag={tag}", fields=fields, patience=60)
    assert pushed.status < 300, pushed.body
    assert b"error" not in pushed.body, pushed.body
    assert wire.ask("DELETE", f"/images/{whole}").status < 300
    assert engine.engine.image(whole) is None
    return whole


def load(socket: str, name: str, layer: bytes, *changes: str) -> None:
    """Make an image of one layer, as `docker import` does."""
    repository, _, tag = name.partition(":")
    qualified = f"localhost/{repository}" if "podman" in socket else repository
    query = "".join(f"&changes={quoted(change)}" for change in changes)
    wire = Wire(socket)
    answer = wire.ask(
        "POST", f"/images/create?fromSrc=-&repo={qualified}&tag={tag}{query}", layer,
        fields={"Content-Type": "application/x-tar"}, patience=120,
    )  # fmt: skip
    assert answer.status < 300, answer.body
    assert b'"error"' not in answer.body, answer.body
    if Engine(socket).image(f"{qualified}:{tag}") is None:  # Podman names it `latest`, whatever it is told
        assert wire.ask("POST", f"/images/{qualified}:latest/tag?repo={qualified}&tag={tag}").status < 300


@contextlib.contextmanager
def running(kind: str) -> Iterator[TestEngine]:
    """An engine of its own, "docker" or "podman", for as long as the block lasts."""
    program, command = {"docker": ("dockerd", _dockerd), "podman": ("podman", _podman)}[kind]
    if os.geteuid() != 0:
        _none(f"{kind}: only root starts an engine in namespaces of its own")
    if shutil.which(program) is None:
        _none(f"{program} is not installed: make engines")
    folder = Path(tempfile.mkdtemp(prefix=f"trainyard-{kind}-", dir="/var/tmp"))
    log = folder / "log"
    line, socket, variables = command(folder)
    script = f"ip link set lo up; {_GROUPS}; sleep infinity & echo $! >{folder}/holder; exec {line}"
    argv = ["unshare", "--mount", "--net", "--propagation", "slave", "sh", "-c", script]
    process = _started(argv, log, variables)
    engine = TestEngine(kind, socket, process, log, folder, line, variables)
    try:
        if not _answers(socket, process):
            _none(f"{kind} does not start here: {log.read_text(errors='replace')[-2000:]}")
        yield engine
    finally:
        _end(engine)


def _started(argv: list[str], log: Path, variables: dict[str, str]) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(
            argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env={**os.environ, **variables},
            cwd=log.parent, start_new_session=True,  # where Podman notes that a program ran out of memory
        )  # fmt: skip


def _answers(socket: str, process: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(EngineUnreachable, EngineRefused):
            Engine(socket).version()
            return True
        time.sleep(0.05)
    return False


def _end(engine: TestEngine) -> None:
    """Leave no container, no process and no file; mounts and networks go with the namespaces."""
    with contextlib.suppress(EngineUnreachable, EngineRefused):
        for found in Wire(engine.socket).ask("GET", "/containers/json?all=true").json():
            engine.engine.remove(found["Id"])
    engine.process.terminate()
    try:
        engine.process.wait(30)
    except subprocess.TimeoutExpired:
        engine.process.kill()
        engine.process.wait()
    for pid in (int((engine.folder / "holder").read_text()), *_left_below(engine.folder)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(engine.folder, ignore_errors=True)


def _left_below(folder: Path) -> list[int]:
    """Processes that name the engine's folder: containerd and its shims, conmon."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def _none(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _dockerd(folder: Path) -> tuple[str, str, dict[str, str]]:
    socket = folder / "docker.sock"
    config = folder / "daemon.json"
    config.write_text(
        f'{{"data-root":"{folder}/data","exec-root":"{folder}/exec","pidfile":"{folder}/pid",'
        f'"hosts":["unix://{socket}"],"live-restore":true,"bip":"172.30.0.1/24",'
        '"default-address-pools":[{"base":"172.31.0.0/16","size":24}]}'
    )
    return f"dockerd --config-file {config}", str(socket), {}


def _podman(folder: Path) -> tuple[str, str, dict[str, str]]:
    socket = folder / "podman.sock"
    config = folder / "containers.conf"
    config.write_text(
        '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        '[network]\nnetwork_backend = "netavark"\n'
    )
    stores = f"--root {folder}/store --runroot {folder}/run --network-config-dir {folder}/networks"
    registries = folder / "registries.conf"
    registries.write_text(f'[[registry]]\nlocation = "{REGISTRY}"\ninsecure = true\n')
    variables = {"CONTAINERS_CONF": str(config), "CONTAINERS_REGISTRIES_CONF": str(registries)}
    return f"podman {stores} system service --time 0 unix://{socket}", str(socket), variables


def _busybox() -> bytes:
    return _layer(_with_busybox)


def _python() -> bytes:
    return _layer(_with_busybox, _with_python)


def _layer(*parts: Callable[[tarfile.TarFile], None]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, mode in (("tmp", 0o1777), ("etc", 0o755), ("bin", 0o755), ("opt", 0o755)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        for part in parts:
            part(tar)
    return packed.getvalue()


def _with_busybox(tar: tarfile.TarFile) -> None:
    busybox = shutil.which("busybox") or _none("busybox is not installed: make engines")
    tar.add(os.path.realpath(busybox), "bin/busybox")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in applets:
        if applet != "busybox":
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)


def _with_python(tar: tarfile.TarFile) -> None:
    """The interpreter that runs the tests, its library, and what both are linked with, where the machine has them."""
    library = Path(sysconfig.get_path("stdlib"))
    interpreter = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    tar.add(interpreter, str(interpreter)[1:])
    tar.add(library, str(library)[1:], filter=_used)
    linked = subprocess.run(
        ["ldd", str(interpreter), *map(str, library.glob("lib-dynload/*.so"))],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    for path in sorted({word for word in linked if word.startswith("/") and ".so" in word and not word.endswith(":")}):
        tar.add(os.path.realpath(path), path[1:])
    link = tarfile.TarInfo("bin/python3")
    link.type, link.linkname = tarfile.SYMTYPE, str(interpreter)
    tar.addfile(link)


def _used(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = Path(entry.name).name
    return None if name in _UNUSED or name.startswith("config-") or name.endswith(".a") else entry


PACKED = {BUSYBOX: _busybox, PYTHON: _python}


def until(found: Callable[[], object], deadline: float = 60.0) -> None:
    end = time.monotonic() + deadline
    while not found():
        assert time.monotonic() < end, "it did not come to pass in time"
        time.sleep(0.02)
