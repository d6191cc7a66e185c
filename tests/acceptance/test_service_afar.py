"""Commands that work with another Trainyard over TLS, as a person meets them: real server, certificates, tokens."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from tests.afar import COMMAND, DEADLINE, Afar


@pytest.fixture
def afar(tmp_path: Path) -> Afar:
    return Afar(tmp_path).prepare()


def test_every_command_about_jobs_works_with_a_trainyard_elsewhere(afar: Afar) -> None:
    with afar.serving():
        ran = afar("run", afar.manifest("one", "echo hello; echo loss=0.5; echo weights > /opt/ml/model/w"))
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "hello" in ran.stdout
        assert "loss = 0.5" in ran.stdout
        assert "as https://127.0.0.1" in ran.stderr
        assert afar("list", "-o", "name").stdout == "one\n"
        assert json.loads(afar("describe", "one", "-o", "json").stdout)["TrainingJobStatus"] == "Completed"
        assert "Completed" in afar("describe", "one").stdout
        assert afar("logs", "-f", "one").stdout == "hello\nloss=0.5\n"
        assert "loss" in afar("metrics", "one").stdout
        assert "Accepted" in afar("events", "one").stdout
        assert f"on {afar.url}" in afar("plan", afar.manifest("two", "exec sleep 600")).stdout
        assert afar("run", "-d", "two.yaml").stdout == "two\n"
        assert afar("stop", "two").stdout == "two stopping\n"
        assert afar("wait", "two").returncode == 3
        assert afar("delete", "two").stdout == "two deleted\n"
        assert not (afar.folder / "callers-home" / "jobs.db").exists()


def test_what_needs_this_machine_is_refused_and_not_done_elsewhere(afar: Afar) -> None:
    for words in (["df"], ["serve"], ["artifacts", "one", "--to", "x"], ["data", "ls", "s3://b/p"]):
        refused = afar(*words)
        assert (refused.returncode, "leave --service" in refused.stderr) == (2, True), refused.stderr
    (afar.folder / "train.py").touch()
    assert "cannot read" in afar("run", "train.py").stderr
    manifest = afar.folder / afar.manifest("one")
    manifest.write_text(manifest.read_text().replace("s3://bucket/out", "./out"))
    assert "beside the manifest" in afar("run", "one.yaml").stderr


def test_a_tenant_sees_neither_anothers_jobs_nor_their_logs(afar: Afar) -> None:
    afar.token("bert", "--role", "submit", "--place", "111111111111/*")
    afar.token("carl", "--role", "read", "--place", "000000000000/us-east-1")
    afar.token("dora", "--role", "admin", "--namespace", "team")
    with afar.serving():
        assert afar("run", afar.manifest("secret", "echo the-secret")).returncode == 0
        for words, file in ((["list"], "bert"), (["logs", "secret"], "bert"), (["logs", "secret"], "dora")):
            denied = afar(*words, token=file)
            assert (denied.returncode, denied.stdout) == (2, "")
            assert f"{file} may not" in denied.stderr
        bert = afar("--account", "111111111111", "list", token="bert")
        assert (bert.returncode, bert.stdout) == (0, "")
        assert "not found" in afar("--account", "111111111111", "logs", "secret", token="bert").stderr
        assert afar("logs", "secret", token="carl").stdout == "the-secret\n"
        assert "role is read" in afar("delete", "secret", token="carl").stderr
        assert afar.here("token", "revoke", "carl").returncode == 0
        assert "not known here" in afar("logs", "secret", token="carl").stderr


def test_errors_say_what_to_do(afar: Afar) -> None:
    with afar.serving():
        strangers = Afar(afar.folder / "strangers")
        strangers.folder.mkdir()
        strangers.certify()
        (afar.folder / "nothing.pem").touch()
        (afar.folder / "wrong").write_text("wrong\n")
        for files, told in (
            ({"ca": "strangers/ca.pem"}, "name the file of its authority"),
            ({"ca": "nothing.pem"}, "holds no certificate"),
            ({"ca": "none.pem"}, "cannot be read: No such file"),
            ({"token": "wrong"}, "The token is not known here"),
            ({"token": "none"}, "none cannot be read: No such file"),
            ({"token": "nothing.pem"}, "holds no token"),
            ({"url": f"https://localhost:{afar.port}"}, "for another name"),
            ({"url": f"http://127.0.0.1:{afar.port}"}, "no token goes over plain http"),
            ({"url": "https://nowhere.invalid"}, "the name is not known here"),
        ):
            failed = afar("list", **files)
            assert failed.returncode == 2
            assert told in failed.stderr, (files, failed.stderr)
    assert "does `trainyard serve` run?" in afar("list").stderr


def test_a_certificate_that_has_expired_is_told_so(afar: Afar) -> None:
    afar.certify(until=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    with afar.serving():
        assert "has expired" in afar("list").stderr


def test_what_answers_without_tls_is_told_so(afar: Afar) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        afar.port = listener.getsockname()[1]
        assert "does not speak TLS" in afar("list").stderr


def test_who_watches_bears_a_restart_of_the_server(afar: Afar) -> None:
    gate = afar.folder / "gate"
    script = f"echo before; while [ ! -e {gate} ]; do sleep 0.05; done; echo after"
    environment = {**os.environ, **afar.environment()}
    with afar.serving():
        assert afar("run", "-d", afar.manifest("one", script)).returncode == 0
        environment = {**os.environ, **afar.environment()}
        watching = subprocess.Popen(
            [COMMAND, "logs", "-f", "one"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert watching.stdout is not None
        assert watching.stdout.readline() == "before\n"
    assert watching.stderr is not None
    assert "Trying again" in watching.stderr.readline()
    with afar.serving():
        gate.touch()
        rest, errors = watching.communicate(timeout=DEADLINE)
    assert (watching.returncode, rest) == (0, "after\n"), errors


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_comes_in_on_the_same_port_with_the_kubeconfig_of_a_token(afar: Afar) -> None:
    with afar.serving():
        made = afar.here(
            "kubeconfig", "--user", "kim", "--role", "submit", "--namespace", "default", "--server", afar.url, "--ca",
            str(afar.ca),
        )  # fmt: skip
        (afar.folder / "kubeconfig").write_text(made.stdout)
        afar.ca.unlink()  # it is taken to another machine
        kubectl = ["kubectl", "--kubeconfig", str(afar.folder / "kubeconfig")]
        applied = subprocess.run(
            [*kubectl, "apply", "-f", afar.manifest("one")],
            cwd=afar.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "one created" in applied.stdout, applied.stderr
        completed = "--for=jsonpath={.status.trainingJobStatus}=Completed"
        waited = subprocess.run(
            [*kubectl, "wait", "trainingjob/one", completed, "--timeout=50s"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert waited.returncode == 0, waited.stderr
        elsewhere = subprocess.run(
            [*kubectl, "-n", "kube-system", "get", "secrets"], capture_output=True, text=True, check=False
        )
        assert "Forbidden" in elsewhere.stderr


def test_a_server_beyond_loopback_wants_its_users_trusted(afar: Afar) -> None:
    pem = str(afar.folder / "server.pem")
    refused = afar.here("serve", "--kube-host", "0.0.0.0", "--tls-cert", pem, "--tls-key", pem)  # noqa: S104
    assert refused.returncode == 2
    assert "--trust-submitters" in refused.stderr


def test_a_client_that_says_nothing_does_not_hold_a_server_that_is_to_end(afar: Afar) -> None:
    with afar.serving() as process, socket.create_connection(("127.0.0.1", afar.port), DEADLINE):
        process.terminate()
        assert process.wait(DEADLINE) == 0


def test_a_certificate_that_is_none_keeps_the_server_from_starting_with_a_word(afar: Afar) -> None:
    pem = str(afar.folder / "token")
    options = ["--kube-host", "0.0.0.0", "--tls-cert", pem, "--tls-key", pem, "--trust-submitters"]  # noqa: S104
    refused = afar.here("serve", "--kube-port", "0", *options)
    assert refused.returncode == 2
    assert pem in refused.stderr
