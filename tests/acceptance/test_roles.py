"""A job's role: real boto3 in real jobs, against a server that knows who may do what."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx2
import pytest
from moto.server import ThreadedMotoServer
from tests.acceptance.jobs import Ran, channel, ended, home, python, request, run, shell, until

from trainyard.kit import atomic
from trainyard.model.errors import ValidationRefused
from trainyard.wiring.session import Session, open_session

MAY, MAY_NOT = "arn:aws:iam::123456789012:role/may", "arn:aws:iam::123456789012:role/may-not"
NONE = "arn:aws:iam::123456789012:role/none"
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}

# What a program's own boto3 may do: whatever the client finds by itself.
PROGRAM = """
import boto3, json, os
from botocore.exceptions import BotoCoreError, ClientError
def said(call):
    try:
        return call()
    except (BotoCoreError, ClientError) as error:
        return getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
s3 = boto3.client("s3")
def put():
    return s3.put_object(Bucket="data", Key="by-the-job", Body=b"x")["ResponseMetadata"]["HTTPStatusCode"]
seen = {
    "put": said(put),
    "get": said(lambda: s3.get_object(Bucket="data", Key="train/a")["Body"].read().decode()),
    "region": s3.meta.region_name,
    "variables": sorted(value for name, value in os.environ.items() if name.startswith("AWS_")),
}
open("/opt/ml/model/seen.json", "w").write(json.dumps(seen))
"""


@dataclass(frozen=True)
class Server:
    """An S3 that refuses whom it does not know, and the keys of two users: one with a policy, one without."""

    url: str
    may: tuple[str, str]
    may_not: tuple[str, str]
    also: tuple[str, str]  # another pair of the first user's

    def settings(self) -> str:
        keys = 'access_key = "{}"\nsecret_key = "{}"\n'
        return (
            f'[buckets.data]\nendpoint = "{self.url}"\n'
            f'[roles."{MAY}"]\n{keys.format(*self.may)}region = "us-east-1"\nendpoint = "{self.url}"\n'
            f'[roles.may-not]\n{keys.format(*self.may_not)}endpoint = "{self.url}"\n'
            f'[roles.none]\ncredentials = "none"\nendpoint = "{self.url}"\n'
        )


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        url = f"http://{host}:{port}"
        yield Server(url, *_prepared(url))
        httpx2.post(f"{url}/moto-api/reset-auth", content=b"inf")
    finally:
        moto.stop()


def _prepared(url: str) -> list[tuple[str, str]]:
    def client(name: Any) -> Any:
        return boto3.client(
            name, endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="s"
        )

    iam, s3 = client("iam"), client("s3")
    s3.create_bucket(Bucket="data")
    s3.put_object(Bucket="data", Key="train/a", Body=b"1,2")
    keys = []
    for name in ("may", "may-not"):
        iam.create_user(UserName=name)
    for name in ("may", "may-not", "may"):
        key = iam.create_access_key(UserName=name)["AccessKey"]
        keys.append((key["AccessKeyId"], key["SecretAccessKey"]))
    iam.put_user_policy(UserName="may", PolicyName="s3", PolicyDocument=json.dumps(POLICY))
    httpx2.post(f"{url}/moto-api/reset-auth", content=b"0").raise_for_status()
    return keys


async def seen(tmp_path: Path, server: Server, role: str, **more: Any) -> tuple[Ran, dict[str, Any]]:
    ran = await run(tmp_path, python(PROGRAM), settings=server.settings(), RoleArn=role, **more)
    return ran, json.loads(ran.file("seen.json"))


@pytest.mark.proves("RoleArn")
async def test_role_arn(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-callers-own")
    ran, may = await seen(tmp_path / "may", server, MAY)
    assert (may["put"], may["get"], may["region"]) == (200, "1,2", "us-east-1")
    assert ran.told["RoleArn"] == MAY
    _, may_not = await seen(tmp_path / "may-not", server, MAY_NOT)
    assert (may_not["put"], may_not["get"]) == ("AccessDenied", "AccessDenied")
    _, none = await seen(tmp_path / "none", server, NONE)
    assert (none["put"], none["get"]) == ("NoCredentialsError", "NoCredentialsError")
    assert not [value for value in may["variables"] if value in server.may]


async def test_an_isolated_job_has_no_credentials(tmp_path: Path, server: Server) -> None:
    _, isolated = await seen(tmp_path, server, MAY, EnableNetworkIsolation=True)
    assert isolated["get"] == "NoCredentialsError"
    assert isolated["variables"].count("/dev/null") == 2


async def test_the_machines_own_keys_are_nobodys_role(tmp_path: Path) -> None:
    aws = tmp_path / ".aws"
    aws.mkdir()
    (aws / "credentials").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = s\n")
    look = "import boto3; keys = boto3.Session().get_credentials(); print(keys and keys.access_key[:4])"
    for settings, key in (("", "ASIA"), ('[roles.trainer]\ncredentials = "none"\n', "None")):
        folder = tmp_path / key
        ran = await run(folder, python(look), settings=settings, Environment={"HOME": str(tmp_path)})
        assert ran.log == key


async def test_transfers_sign_as_the_role(tmp_path: Path, server: Server) -> None:
    text = "cat /opt/ml/input/data/train/a > /opt/ml/model/a"
    async with open_session(home(tmp_path, server.settings()), lead=True) as session:
        inputs, output = [channel("train", "s3://data/train/")], {"S3OutputPath": "s3://data/out"}
        asked = request(tmp_path, "refused", shell(text), RoleArn=MAY_NOT, InputDataConfig=inputs)
        with pytest.raises(ValidationRefused, match="was denied"):
            await session.service.create(asked)
        asked = request(tmp_path, "job", shell(text), RoleArn=MAY, InputDataConfig=inputs, OutputDataConfig=output)
        await session.service.create(asked)
        ran = await ended(session, tmp_path)
        assert ran.ended == ("Completed", "Completed"), ran.told
        asked = request(tmp_path, "late", shell("touch /opt/ml/model/a"), RoleArn=MAY_NOT, OutputDataConfig=output)
        await session.service.create(asked)
        late = await ended(session, tmp_path, "late")
    assert late.told["FailureReason"].startswith("ClientError: Artifact upload failed:Access to s3://data/out/late/")
    key, secret = server.may
    s3 = boto3.client(
        "s3", endpoint_url=server.url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret
    )
    assert s3.head_object(Bucket="data", Key="out/job/output/model.tar.gz")["ContentLength"] > 0


async def test_a_secret_is_in_no_argument_no_order_and_no_log_and_goes_with_the_job(
    tmp_path: Path, server: Server
) -> None:
    async with open_session(home(tmp_path, server.settings()), lead=True) as session:
        text = f"cat /opt/ml-private/credentials > /dev/null && touch {tmp_path}/up; exec sleep 600"
        await session.service.create(request(tmp_path, "job", shell(text), RoleArn=MAY))
        await until(session, "job", lambda _job: (tmp_path / "up").exists())
        secret = server.may[1].encode()
        holding = [path for path in session.home.attempts.rglob("*") if path.is_file() and secret in path.read_bytes()]
        assert sorted(path.name for path in holding) == ["credentials", "role.json"]
        assert {stat.S_IMODE(path.stat().st_mode) for path in holding} == {0o600}
        assert [path for path in Path("/proc").glob("[0-9]*/cmdline") if secret in _bytes(path)] == []
        await session.service.stop("job")
        await ended(session, tmp_path)
        await until(session, "job", lambda _job: not any(path.exists() for path in holding))


async def test_a_profile_is_a_role_and_one_that_is_gone_is_told(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "credentials"
    key, secret = server.may
    shared.write_text(f"[research]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    settings = f'[roles.may]\nprofile = "research"\nendpoint = "{server.url}"\n[roles.gone]\nprofile = "nobody"\n'
    ran = await run(tmp_path, python(PROGRAM), settings=settings, RoleArn=MAY)
    assert json.loads(ran.file("seen.json"))["get"] == "1,2"
    with pytest.raises(ValidationRefused, match="there is no profile 'nobody'"):
        await run(tmp_path, python(PROGRAM), RoleArn="arn:aws:iam::123456789012:role/gone")


# One client for all its life. It says which key it used, and goes on until it is another one.
LONG = """
import boto3, time
s3 = boto3.client("s3")
first = None
while True:
    try:
        s3.get_object(Bucket="data", Key="train/a")
        key = s3._request_signer._credentials.access_key
    except Exception as error:
        key, fault = None, error
    if key and first is None:
        first = key
        print("began with", key, flush=True)
    elif key and key != first:
        break
    time.sleep(0.1)
print("went on with", key)
open("/opt/ml/model/w", "w").write("w")
"""


async def test_keys_that_expire_are_renewed_for_the_program_and_its_uploads(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told.json"
    (tmp_path / "config").write_text(f"[profile short]\ncredential_process = /bin/cat {told}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    settings = f'[buckets.data]\nendpoint = "{server.url}"\n[roles.may]\nprofile = "short"\nendpoint = "{server.url}"\n'

    def tell(keys: tuple[str, str], seconds: float) -> None:
        expires = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        plain = {"Version": 1, "AccessKeyId": keys[0], "SecretAccessKey": keys[1], "Expiration": expires}
        atomic.write_json(told, plain)

    tell(server.may, 20.0)
    async with open_session(home(tmp_path, settings), lead=True) as session:
        output = {"S3OutputPath": "s3://data/out"}
        await session.service.create(request(tmp_path, "job", python(LONG), RoleArn=MAY, OutputDataConfig=output))
        await until(session, "job", lambda _job: _said(session, "began with"))
        tell(server.also, 3600.0)
        ran = await ended(session, tmp_path, deadline=120)
        assert ran.log.splitlines() == [f"began with {server.may[0]}", f"went on with {server.also[0]}"]
        assert ran.ended == ("Completed", "Completed"), ran.told
        (attempt,) = session.home.attempts.glob("*/*-1")
        await until(session, "job", lambda _job: (attempt / "released").exists())
    assert not [path for path in attempt.rglob("*") if path.is_file() and server.also[1].encode() in path.read_bytes()]


def _said(session: Session, text: str) -> bool:
    return any(text in log.read_text() for log in session.home.attempts.glob("*/*/logs/algo-1.log"))


async def test_a_role_without_a_table_can_be_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationRefused, match=r"role/trainer has no table under \[roles\]"):
        await run(tmp_path, shell("true"), settings='unknown_role = "refuse"\n')


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
