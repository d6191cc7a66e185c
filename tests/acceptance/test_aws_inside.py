"""A job's own AWS clients: stock boto3, no configuration, in real jobs on every kind of network."""

from __future__ import annotations

import asyncio
import http.client
import json
import stat
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.acceptance.jobs import SLEEP, Ran, channel, ended, home, python, request, run, shell, training, until
from tests.acceptance.test_unbreakable import manifest
from tests.nobody import as_nobody, ordinary_folder

from trainyard.kit import atomic
from trainyard.model.buckets import Bucket
from trainyard.model.errors import ValidationRefused
from trainyard.model.keys import Scope
from trainyard.runtimes.local.attempt import Attempt
from trainyard.wiring import aws_inside
from trainyard.wiring.session import Session, open_session

TRAINYARD = str(Path(sys.executable).with_name("trainyard"))
ROLE = "arn:aws:iam::123456789012:role/trainer"
OUTPUT = {"S3OutputPath": "s3://out/models"}
SUBNET = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
KEYS = """
import boto3, json, os
from botocore.exceptions import BotoCoreError, ClientError
def said(call):
    try:
        return call()
    except (BotoCoreError, ClientError) as error:
        return getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
def tell(seen):
    open("/opt/ml/model/seen.json", "w").write(json.dumps(seen))
"""
# What a training script does with AWS: who am I, read and write its bucket, look at itself.
PROGRAM = (
    KEYS
    + """
s3, sts, sagemaker = boto3.client("s3"), boto3.client("sts"), boto3.client("sagemaker")
job = os.environ["TRAINING_JOB_NAME"]
def whole():
    s3.put_object(Bucket="out", Key="by-the-job", Body=b"x" * 100)
    return len(s3.get_object(Bucket="out", Key="by-the-job")["Body"].read())
tell({
    "who": said(lambda: sts.get_caller_identity()["Arn"]),
    "account": said(lambda: sts.get_caller_identity()["Account"]),
    "object": said(whole),
    "status": said(lambda: sagemaker.describe_training_job(TrainingJobName=job)["SecondaryStatus"]),
    "role": said(lambda: boto3.client("iam").get_role(RoleName="trainer")["Role"]["RoleName"]),
    "interfaces": sorted(os.listdir("/sys/class/net")),
    "variables": {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "S3_"))},
})
"""
)


async def seen(tmp_path: Path, text: str = PROGRAM, settings: str = "", **more: Any) -> tuple[Ran, dict[str, Any]]:
    ran = await run(tmp_path, python(text), settings=settings, **more)
    return ran, json.loads(ran.file("seen.json"))


def network(access: str) -> str:
    return f'[networks."private"]\nsubnets = ["subnet-1"]\nsecurity_groups = ["sg-1"]\naccess = "{access}"\n' + (
        'peers = ["127.0.0.1:9"]\n' if access == "peers" else ""
    )


@pytest.mark.parametrize("access", ["host", "peers", "none", None])
async def test_a_script_finds_its_keys_and_its_services(tmp_path: Path, access: str | None) -> None:
    vpc = {} if access is None else {"VpcConfig": SUBNET}
    ran, told = await seen(tmp_path, settings=network(access) if access else "", **vpc)
    assert told["who"] == "arn:aws:sts::123456789012:assumed-role/trainer/SageMaker"
    assert (told["account"], told["object"], told["status"], told["role"]) == (
        "000000000000",
        100,
        "Training",
        "trainer",
    )
    (notice,) = [notice for notice in ran.job.notices if "role/trainer" in notice]
    assert "good for this Trainyard alone" in notice


async def test_a_script_of_an_ordinary_user_does_too() -> None:
    with ordinary_folder() as folder:
        as_nobody("mkdir", "-m", "700", str(folder / "home"))
        script = folder / "look.py"
        script.write_text(PROGRAM.replace("/opt/ml/model/seen.json", f"{folder}/seen.json"))
        script.chmod(0o644)
        settings = folder / "home" / "trainyard.toml"
        settings.write_text(network("peers"))
        settings.chmod(0o644)
        for name, vpc in (("open", {}), ("private", {"VpcConfig": SUBNET})):
            file = manifest(folder, name, sys.executable, str(script), **vpc)
            ran = as_nobody(TRAINYARD, "run", file, TRAINYARD_HOME=str(folder / "home"))
            assert ran.returncode == 0, (ran.stdout, ran.stderr)
            told = json.loads((folder / "seen.json").read_text())
            assert (told["object"], told["status"]) == (100, "Training"), told
            assert told["who"].endswith(":assumed-role/trainer/SageMaker")


async def test_in_isolation_there_is_neither(tmp_path: Path) -> None:
    _, told = await seen(tmp_path, EnableNetworkIsolation=True)
    assert {told[name] for name in ("who", "object", "status")} == {"NoCredentialsError"}
    assert not [value for value in told["variables"].values() if "127.0.0.1" in value]
    assert "AWS_CONTAINER_AUTHORIZATION_TOKEN" not in told["variables"]


# As smdebug's StopTraining action: the one job of that name that is in progress is stopped.
STOP = """
import boto3, os, time
sagemaker = boto3.client("sagemaker")
found = sagemaker.list_training_jobs(
    NameContains=os.environ["TRAINING_JOB_NAME"], SortBy="CreationTime", SortOrder="Descending",
    StatusEquals="InProgress",
)["TrainingJobSummaries"]
assert len(found) == 1, found
sagemaker.stop_training_job(TrainingJobName=found[0]["TrainingJobName"])
time.sleep(600)
"""


async def test_a_program_stops_its_own_job(tmp_path: Path) -> None:
    ran = await run(tmp_path, python(STOP))
    assert ran.ended == ("Stopped", "Stopped"), ran.log


FETCH = (
    KEYS
    + """
import urllib.request
asked = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
asked.add_header("Authorization", os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"])
with urllib.request.urlopen(asked, timeout=20) as answer:
    told = json.load(answer)
tell({"keys": [told["AccessKeyId"], told["SecretAccessKey"], told["Token"]], "role": told["RoleArn"],
      "endpoint": os.environ.get("AWS_ENDPOINT_URL"), "expires": told["Expiration"]})
"""
)


async def test_a_role_with_keys_of_its_own_keeps_them_and_its_endpoints(tmp_path: Path) -> None:
    settings = '[roles.trainer]\naccess_key = "theirs"\nsecret_key = "secret"\nsession_token = "t"\n'
    _, told = await seen(tmp_path, FETCH, settings=settings)
    assert told["keys"] == ["theirs", "secret", "t"]
    assert (told["role"], told["endpoint"]) == (ROLE, None)
    assert told["expires"].endswith("Z")


@pytest.mark.parametrize("own", ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"])
async def test_a_job_that_brings_its_own_way_is_left_alone(tmp_path: Path, own: str) -> None:
    look = KEYS + "tell(sorted(name for name in os.environ if 'ENDPOINT' in name or 'CONTAINER' in name))"
    _, told = await seen(tmp_path, look, Environment={own: "mine"})
    assert told == []


async def test_a_bucket_that_is_elsewhere_is_told_and_s3_elsewhere_is_left_there(tmp_path: Path) -> None:
    look = (
        KEYS
        + """
def get():
    boto3.client("s3").get_object(Bucket="far", Key="a")
try:
    get()
except ClientError as error:
    told = error.response["Error"]["Message"]
except BotoCoreError as error:
    told = type(error).__name__
tell({"told": told, "url": os.environ["AWS_ENDPOINT_URL_S3"]})
"""
    )
    far = '[buckets.far]\nendpoint = "http://127.0.0.1:9"\n'
    _, told = await seen(tmp_path / "one", look, settings=far)
    assert told["told"] == "The bucket far is not in the embedded store but at: http://127.0.0.1:9."
    outside = KEYS + 'tell(os.environ["AWS_ENDPOINT_URL_S3"])'
    _, url = await seen(tmp_path / "two", outside, settings='default_store = "amazon"\n')
    assert url == "https://s3.us-east-1.amazonaws.com"


def port_of(session: Session) -> int:
    (attempt,) = [Attempt(path.parent) for path in session.home.attempts.rglob("shim.json")]
    return int(atomic.read_json(attempt.shim)["port"])


def token_of(session: Session) -> str:
    (order,) = session.home.attempts.rglob("attempt.json")
    return str(json.loads(order.read_text())["doorway"]["variables"]["AWS_CONTAINER_AUTHORIZATION_TOKEN"])


def get(port: int, path: str, **headers: str) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


async def test_a_stranger_on_the_machine_gets_nothing(tmp_path: Path) -> None:
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", shell(SLEEP)))
        await training(session, "job")
        port, token = port_of(session), token_of(session)

        async def ask(path: str, **headers: str) -> tuple[int, bytes]:
            return await asyncio.to_thread(get, port, path, **headers)

        assert (await ask("/v2/credentials/x"))[0] == 401
        assert (await ask("/v2/credentials/x", Authorization=f"{token}x"))[0] == 401
        status, body = await ask("/v2/credentials/x", Authorization=token)
        assert (status, json.loads(body)["RoleArn"]) == (200, ROLE)
        assert (await ask("/out/a"))[0] == 403

        def signed() -> None:
            with pytest.raises(ClientError) as refused:
                boto3.client(
                    "sagemaker", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
                    aws_access_key_id="000000000000", aws_secret_access_key="any",
                    config=Config(retries={"max_attempts": 1}),
                ).list_training_jobs()  # fmt: skip
            assert refused.value.response["Error"]["Code"] == "UnrecognizedClientException"

        await asyncio.to_thread(signed)
        secret = json.loads(body)["SecretAccessKey"].encode()
        files = [path for path in Path(session.home.path).rglob("*") if path.is_file()]
        assert not [path for path in files if secret in path.read_bytes()]
        holding = [path for path in files if token.encode() in path.read_bytes()]
        assert {(path.name, stat.S_IMODE(path.stat().st_mode)) for path in holding} == {("attempt.json", 0o600)}
        arguments = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        assert not [line for line in arguments if token.encode() in line or secret in line]
        await session.service.stop("job")
        await ended(session, tmp_path)
        await until(session, "job", lambda _job: not _answers(port))


def _answers(port: int) -> bool:
    try:
        get(port, "/")
    except OSError:
        return False
    return True


LIST = (
    KEYS
    + """
s3 = boto3.client("s3")
tell({
    "jobs": [one["TrainingJobName"] for one in boto3.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]],
    "buckets": [one["Name"] for one in s3.list_buckets()["Buckets"]],
    "theirs": said(lambda: s3.get_object(Bucket="theirs", Key="a")),
    "put": said(lambda: s3.put_object(Bucket="theirs", Key="a", Body=b"x")),
    "elsewhere": said(lambda: boto3.client("sagemaker", region_name="eu-north-1").list_training_jobs()),
    "role": said(lambda: boto3.client("sts").assume_role(
        RoleArn="arn:aws:iam::222222222222:role/x", RoleSessionName="me")),
})
"""
)


async def test_a_jobs_keys_are_good_for_its_own_account_and_region(tmp_path: Path) -> None:
    async with open_session(home(tmp_path), lead=True, account="111111111111") as session:
        store = session.objects.embedded(str(session.home.embedded_store))
        for name, owner in (("mine", "111111111111"), ("theirs", "222222222222")):
            await store.create_bucket(Bucket(name=name, owner=owner, region="us-east-1", created=0.0))
        theirs = session.service_of(Scope("222222222222", "us-east-1"))
        await theirs.create(request(tmp_path, "other", shell("true")))
        await session.service.create(request(tmp_path, "job", python(LIST)))
        told = json.loads((await ended(session, tmp_path)).file("seen.json"))
    assert (told["jobs"], told["buckets"]) == (["job"], ["mine"])
    assert (told["theirs"], told["put"]) == ("AccessDenied", "AccessDenied")
    assert (told["elsewhere"], told["role"]) == ("InvalidSignatureException", "AccessDenied")


async def test_a_job_of_one_account_is_refused_the_buckets_of_another(tmp_path: Path) -> None:
    async with open_session(home(tmp_path), lead=True, account="111111111111") as session:
        theirs = session.service_of(Scope("222222222222", "us-east-1"))
        writes = request(tmp_path, "writes", shell("echo x > /opt/ml/model/a"), OutputDataConfig=OUTPUT)
        await theirs.create(writes)
        await _final(theirs, "writes")
        with pytest.raises(ValidationRefused, match="Access Denied: the bucket out belongs to another account"):
            await session.service.create(request(tmp_path, "reads", shell("true"), OutputDataConfig=OUTPUT))
        inputs = [channel("train", "s3://out/models/writes/")]
        with pytest.raises(ValidationRefused, match="Access Denied: the bucket out belongs to another account"):
            await session.service.create(request(tmp_path, "reads", shell("true"), InputDataConfig=inputs))
        kept = {"CheckpointConfig": {"S3Uri": "s3://out/checkpoints"}}
        with pytest.raises(ValidationRefused, match="Access Denied: the bucket out belongs to another account"):
            await session.service.create(request(tmp_path, "reads", shell("true"), **kept))
        await theirs.create(request(tmp_path, "reads", shell("true"), InputDataConfig=inputs))
        assert (await _final(theirs, "reads")).training_job_status == "Completed"
        late = {"S3OutputPath": "s3://late/models"}
        slow = shell(f"echo x > /opt/ml/model/a; while ! test -e {tmp_path}/go; do sleep 0.05; done")
        await session.service.create(request(tmp_path, "slow", slow, OutputDataConfig=late))
        await training(session, "slow")
        store = session.objects.embedded(str(session.home.embedded_store))
        await store.create_bucket(Bucket(name="late", owner="222222222222", region="us-east-1", created=0.0))
        (tmp_path / "go").touch()
        told = await _final(session.service, "slow")
    words = "ClientError: Artifact upload failed:Access Denied: the bucket late belongs to another account."
    assert told.failure_reason == words


async def _final(service: Any, name: str) -> Any:
    async with asyncio.timeout(60):
        while (job := await service.describe(name)).description.training_job_status in ("InProgress", "Stopping"):
            await asyncio.sleep(0.02)
    return job.description


RENEW = (
    KEYS
    + """
sts, used = boto3.client("sts"), []
for _ in range(3):
    who = sts.get_caller_identity()
    used.append(sts._request_signer._credentials.access_key)
tell(used)
"""
)


async def test_a_client_asks_for_new_keys_before_its_own_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_inside, "GOOD_FOR", 300.0)  # less than what botocore wants to have in hand
    _, used = await seen(tmp_path, RENEW)
    assert len(set(used)) == 3


async def test_a_damaged_secret_is_told_and_mended_by_hand(tmp_path: Path) -> None:
    async with open_session(home(tmp_path), lead=True) as session:
        session.home.session_key.write_bytes(b"short")
        await session.service.create(request(tmp_path, "job", shell("true")))
        told = await until(session, "job", lambda job: job.waiting is not None)
        assert "session.key is no key of 32 bytes: remove it" in str(told.waiting)
        session.home.session_key.unlink()
        assert (await ended(session, tmp_path)).ended[0] == "Completed"
