"""Networks of trainyard.toml: real listeners on this machine, and jobs that reach those of their network alone."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.jobs import Ran, ended, home, python, request, run, shell, until

from trainyard.model.errors import ValidationRefused
from trainyard.runtimes.local import identity
from trainyard.runtimes.local.attempt import Attempt
from trainyard.wiring.session import Session, open_session

SUBNET = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}

# Says hello to every address:port that it is given, and tells what came back.
CALLER = """
import json, socket, sys
def answer(place):
    host, _, port = place.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=10) as peer:
            peer.sendall(b"hello " * 50_000)
            peer.shutdown(socket.SHUT_WR)
            heard = b""
            while piece := peer.recv(65536):
                heard += piece
    except OSError as error:
        return type(error).__name__
    return heard[:40].decode() + f" {len(heard)}"
seen = {place: answer(place) for place in sys.argv[1:]}
seen["interfaces"] = sorted(name for _, name in socket.if_nameindex())
open("/opt/ml/model/seen.json", "w").write(json.dumps(seen))
"""


@contextmanager
def echoing(address: str = "127.0.0.1") -> Iterator[int]:
    """A server that tells its own address, then sends back what it hears."""

    def serve() -> None:
        while True:
            try:
                caller, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(caller,), daemon=True).start()

    def echo(caller: socket.socket) -> None:
        with caller:
            caller.sendall(f"{address}: ".encode())
            while piece := caller.recv(65536):
                caller.sendall(piece)

    with socket.create_server((address, 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def network(*peers: str) -> str:
    return (
        f'[networks."private"]\nsubnets = ["subnet-1"]\nsecurity_groups = ["sg-1"]\n'
        f'access = "peers"\npeers = {json.dumps(peers)}\n'
    )


async def called(tmp_path: Path, settings: str, *places: str, **more: Any) -> dict[str, str]:
    ran = await run(
        tmp_path, python(CALLER, ContainerArguments=list(places)), settings=settings, VpcConfig=SUBNET, **more
    )
    return dict(json.loads(ran.file("seen.json")))


def heard(address: str) -> str:
    text = f"{address}: {'hello ' * 50_000}"
    return f"{text[:40]} {len(text)}"


@pytest.mark.proves(
    "VpcConfig",
    "VpcConfig.SecurityGroupIds",
    "VpcConfig.SecurityGroupIds[]",
    "VpcConfig.Subnets",
    "VpcConfig.Subnets[]",
)
async def test_vpc_peers(tmp_path: Path) -> None:
    with echoing() as listed, echoing() as other:
        places = (f"127.0.0.1:{listed}", f"127.0.0.1:{other}")
        one = await called(tmp_path / "one", network(f"127.0.0.1:{listed}"), *places)
        assert [one[place] for place in places] == [heard("127.0.0.1"), "ConnectionRefusedError"]
        assert one["interfaces"] == ["lo"]
        swapped = await called(tmp_path / "swapped", network(f"localhost:{other}"), *places)
        assert [swapped[place] for place in places] == ["ConnectionRefusedError", heard("127.0.0.1")]


async def test_a_peer_is_met_by_its_name(tmp_path: Path) -> None:
    name = socket.gethostname()
    address = socket.gethostbyname(name)
    with echoing(address) as port:
        places = (f"{name}:{port}", f"{address}:{port}", f"{name}:{port + 1 if port < 65535 else port - 1}")
        seen = await called(tmp_path, network(f"{name}:{port}"), *places)
    assert seen[places[0]] == heard(address)
    assert seen[places[2]] == "ConnectionRefusedError"
    if not address.startswith("127."):
        assert seen[places[1]] == "OSError"  # there is no way to the address itself


async def test_a_network_of_peers_is_reached_at_its_port(tmp_path: Path) -> None:
    with echoing("127.9.1.1") as port:
        places = (f"127.9.1.1:{port}", f"127.8.1.1:{port}", "127.9.1.1:9")
        seen = await called(tmp_path, network(f"127.9.0.0/16:{port}", f"0.0.0.0/0:{port}"), *places)
    assert seen[places[0]] == heard("127.9.1.1")
    assert "Error" in seen[places[1]]
    assert "Error" in seen[places[2]]


async def test_an_address_beyond_the_machine_is_met_where_it_is(tmp_path: Path) -> None:
    address = _own_address()
    with echoing(address) as port:
        seen = await called(tmp_path, network(f"{address}/32:{port}"), f"{address}:{port}", f"{address}:9")
    assert seen == {f"{address}:{port}": heard(address), f"{address}:9": "ConnectionRefusedError", "interfaces": ["lo"]}


async def test_isolation_takes_the_peers_away(tmp_path: Path) -> None:
    with echoing() as port:
        seen = await called(tmp_path, network(f"127.0.0.1:{port}"), f"127.0.0.1:{port}", EnableNetworkIsolation=True)
    assert seen[f"127.0.0.1:{port}"] == "ConnectionRefusedError"


async def test_a_peer_that_is_not_there_resets_the_caller(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    seen = await called(tmp_path, network(f"127.0.0.1:{port}"), f"127.0.0.1:{port}")
    assert seen[f"127.0.0.1:{port}"] in ("ConnectionResetError", "BrokenPipeError")


async def test_unknown_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationRefused, match="subnet-9"):
        await run(
            tmp_path, shell("true"), settings=network("127.0.0.1:1"),
            VpcConfig={"Subnets": ["subnet-9"], "SecurityGroupIds": ["sg-1"]},
        )  # fmt: skip


# Calls its peer whenever the file `again` appears, and writes what came back beside it.
REPEATING = """
import os, socket, sys, time
port, folder = int(sys.argv[1]), sys.argv[2]
for turn in range(3):
    while not os.path.exists(f"{folder}/again-{turn}"):
        time.sleep(.01)
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
                peer.shutdown(socket.SHUT_WR)
                heard = peer.recv(100)
            break
        except OSError:
            time.sleep(.01)
    open(f"{folder}/heard-{turn}.tmp", "wb").write(heard)
    os.rename(f"{folder}/heard-{turn}.tmp", f"{folder}/heard-{turn}")
"""


async def test_the_way_survives_its_gateway_and_its_supervisor_and_leaves_no_orphan(tmp_path: Path) -> None:
    with echoing() as port:
        algorithm = python(REPEATING, ContainerArguments=[str(port), str(tmp_path)])
        async with open_session(home(tmp_path, network(f"127.0.0.1:{port}")), lead=True) as session:
            await session.service.create(request(tmp_path, "job", algorithm, VpcConfig=SUBNET))
            await _heard(session, tmp_path, 0)
            first = _process(session, "gateway")
            _kill(_process(session, "supervisor"))
            await until(session, "job", lambda _job: identity.is_alive(_process(session, "supervisor")))
            assert identity.is_alive(first)
            await _heard(session, tmp_path, 1)
            _kill(first)
            await _heard(session, tmp_path, 2)
            second = _process(session, "gateway")
            ran = await ended(session, tmp_path)
            await _gone(second)
    assert ran.ended == ("Completed", "Completed")
    assert second != first


async def test_a_gateway_goes_with_a_shim_that_is_killed(tmp_path: Path) -> None:
    async with open_session(home(tmp_path, network("127.0.0.1:9")), lead=True) as session:
        text = f"touch {tmp_path}/up; exec sleep 600"
        await session.service.create(request(tmp_path, "job", shell(text), VpcConfig=SUBNET))
        await until(session, "job", lambda _job: (tmp_path / "up").exists())
        gateway = _process(session, "gateway")
        _kill(_process(session, "shim"))
        ran: Ran = await ended(session, tmp_path)
        await _gone(gateway)
    assert ran.ended == ("Failed", "Failed")


def _own_address() -> str:
    """An address of this machine that is not its loopback's; a datagram socket is told which, and sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.254", 9))
        except OSError:
            pytest.skip("this machine has a loopback interface alone")
        return str(probe.getsockname()[0])


async def _heard(session: Session, tmp_path: Path, turn: int) -> None:
    (tmp_path / f"again-{turn}").touch()
    await until(session, "job", lambda _job: (tmp_path / f"heard-{turn}").exists())
    assert (tmp_path / f"heard-{turn}").read_bytes() == b"127.0.0.1: "


def _process(session: Session, name: str) -> dict[str, Any]:
    (path,) = session.home.attempts.glob(f"*/*-1/{name}.json")
    return dict(json.loads(path.read_bytes()))


def _kill(process: dict[str, Any]) -> None:
    os.kill(process["pid"], signal.SIGKILL)


async def _gone(process: dict[str, Any]) -> None:
    async with asyncio.timeout(30):
        while identity.is_alive(process):
            await asyncio.sleep(0.01)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="becomes an ordinary user, which only root can")
async def test_an_ordinary_user_has_peers_too(tmp_path: Path) -> None:
    """The supervisor alone, as `nobody`, over an order of ours; its gateway is killed once on the way."""
    python3 = shutil.which("python3", path="/usr/bin")
    if python3 is None:
        pytest.skip("no interpreter that every user may run")
    with tempfile.TemporaryDirectory() as open_to_all, echoing() as listed, echoing() as other:
        folder = Path(open_to_all)
        source = Path(identity.__file__).parents[3] / "trainyard"
        for name in ("kit", "runtimes"):
            shutil.copytree(source / name, folder / "src/trainyard" / name)
        shutil.copy(source / "__init__.py", folder / "src/trainyard")
        script = folder / "script.py"
        script.write_text(
            REPEATING + CALLER.replace("/opt/ml/model", str(folder)).replace("sys.argv[1:]", "sys.argv[3:]")
        )
        attempt = Attempt(folder / "attempt")
        for name in ("logs", "usage", "hosts/algo-1/opt/ml/code"):
            (attempt.folder / name).mkdir(parents=True)
        places = (f"127.0.0.1:{listed}", f"127.0.0.1:{other}")
        argv = [python3, str(script), str(listed), str(folder), *places]
        attempt.order.write_text(json.dumps({**ORDER, "argv": argv, "ml": str(attempt.ml), "peers": [places[0]]}))
        for path in (folder, *folder.rglob("*")):
            os.chown(path, 65534, 65534)
        supervisor = str(folder / "src/trainyard/runtimes/local/supervisor.py")
        process = await asyncio.create_subprocess_exec(
            python3, "-I", "-S", supervisor, str(attempt.folder), str(folder / "src"), user=65534, group=65534,
            extra_groups=[],
        )  # fmt: skip
        async with asyncio.timeout(60):
            for turn in range(3):
                (folder / f"again-{turn}").touch()
                while not (folder / f"heard-{turn}").exists():
                    await asyncio.sleep(0.01)
                if turn == 0:
                    _kill(json.loads(attempt.gateway.read_bytes()))
            await process.wait()
        journal = json.loads(attempt.journal.read_bytes())
        seen = json.loads((folder / "seen.json").read_bytes())
    assert journal["outcome"]["ending"] == "completed", (journal, attempt.log.read_text())
    assert [seen[place] for place in places] == [heard("127.0.0.1"), "ConnectionRefusedError"]
    assert seen["interfaces"] == ["lo"]


ORDER = {
    "version": 1, "job_uid": "u", "poke_socket": "/nowhere/poke.sock", "env": {}, "isolate": True, "grace": 1.0,
    "runtime_left": 600.0, "volume_bytes": 0, "log_cap": 1 << 20, "usage_interval": 10.0, "fault_of_exit": {},
    "stage_argv": [], "upload_argv": ["/bin/false"], "helper_env": {}, "output_folders": [],
}  # fmt: skip
