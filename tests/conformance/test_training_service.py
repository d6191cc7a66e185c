"""ports.service.TrainingService: one suite over the yard, and over another one by socket and by TLS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from trainyard.access import tokens
from trainyard.access.callers import Role
from trainyard.access.guard import Bearer, nobody_else
from trainyard.doors.control.jobs import jobs_app
from trainyard.model.errors import ResourceInUse, ResourceNotFound, ValidationRefused
from trainyard.model.job import Condition, Job, ListQuery, SearchQuery
from trainyard.model.keys import Scope
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import TrainingJobStatus
from trainyard.ports.service import SupportsInterrupt, TrainingService
from trainyard.remote.connection import Address
from trainyard.wiring.answering import answering
from trainyard.wiring.elsewhere import address_of, service_at
from trainyard.wiring.session import open_session
from trainyard.wiring.sockets import unix_listener

DEADLINE = 60.0
SCOPE = Scope("000000000000", "us-east-1")
SETTINGS = """
[images.shell]
command = ["/bin/sh"]
"""


@asynccontextmanager
async def yard(home: Path) -> AsyncIterator[TrainingService]:
    home.mkdir(mode=0o700)
    (home / "trainyard.toml").write_text(SETTINGS)
    async with open_session(str(home), lead=True) as session:
        yield session.service


def only(service: TrainingService) -> Callable[[Scope], TrainingService]:
    def service_of(scope: Scope) -> TrainingService:
        assert scope == service.scope
        return service

    return service_of


@asynccontextmanager
async def served(service: TrainingService, path: Path) -> AsyncIterator[TrainingService]:
    """The same service, reached over a unix socket."""
    closing = asyncio.Event()
    with unix_listener(path.parent, path.name) as listener:
        async with (
            answering(jobs_app(only(service), closing, nobody_else), listener, grace=5),
            service_at(Address(socket=path), service.scope) as there,
        ):
            yield there
            closing.set()


@asynccontextmanager
async def remote(home: Path) -> AsyncIterator[TrainingService]:
    """Over the control socket."""
    async with yard(home) as here, served(here, home.parent / "control.sock") as there:
        yield there


@asynccontextmanager
async def remote_by_tls(home: Path) -> AsyncIterator[TrainingService]:
    """Over TLS, with a token that is held to the very place."""
    closing, folder = asyncio.Event(), home.parent
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    known = folder / "tokens.json"
    (folder / "token").write_text(tokens.add(known, "anna", Role.SUBMIT, [f"{SCOPE.account}/{SCOPE.region}"]) + "\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with yard(home) as here:
            app = jobs_app(only(here), closing, Bearer(lambda: tokens.load(known)))
            pem = folder / "server.pem"
            address = address_of(
                f"https://127.0.0.1:{listener.getsockname()[1]}",
                token_file=str(folder / "token"),
                ca_file=str(folder / "ca.pem"),
            )
            async with (
                answering(app, listener, grace=5, certificate=pem, key=pem),
                service_at(address, here.scope) as there,
            ):
                yield there
                closing.set()


@pytest.fixture(params=[yard, remote, remote_by_tls], ids=["yard", "remote", "tls"])
async def service(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TrainingService]:
    async with request.param(tmp_path / "home") as opened:
        yield opened


def job(name: str, script: str = "true", **more: Any) -> TrainingJobSpec:
    plain = {
        "TrainingJobName": name,
        "RoleArn": "arn:aws:iam::123456789012:role/trainer",
        "AlgorithmSpecification": {
            "TrainingImage": "shell",
            "TrainingInputMode": "File",
            "ContainerArguments": ["-c", script],
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
        },
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    return TrainingJobSpec.from_wire({**plain, **more})


async def until(service: TrainingService, name: str, reached: Callable[[Job], bool]) -> Job:
    async with asyncio.timeout(DEADLINE):
        while not reached(told := await service.describe(name)):
            await asyncio.sleep(0.02)
        return told


def is_final(told: Job) -> bool:
    return TrainingJobStatus(told.description.training_job_status).is_final


async def finished(service: TrainingService, spec: TrainingJobSpec) -> Job:
    await service.create(spec)
    return await until(service, spec.training_job_name or "", is_final)


async def test_a_job_is_accepted_runs_and_is_told_as_the_request_gave_it(service: TrainingService) -> None:
    spec = job("one", "echo hello; echo loss=0.5; echo loss=nan")
    accepted = await service.create(spec)
    assert accepted.description.training_job_status == "InProgress"
    told = await until(service, "one", is_final)
    wire = told.description.to_wire()
    assert (wire["TrainingJobStatus"], wire["TrainingJobArn"]) == ("Completed", accepted.description.training_job_arn)
    assert wire["AlgorithmSpecification"]["ContainerArguments"] == ["-c", "echo hello; echo loss=0.5; echo loss=nan"]
    assert "VpcConfig" not in wire


async def test_a_name_that_is_taken_is_refused_in_the_services_words(service: TrainingService) -> None:
    await finished(service, job("one"))
    with pytest.raises(ResourceInUse, match="already exists"):
        await service.create(job("one"))


async def test_what_is_not_there_is_not_found(service: TrainingService) -> None:
    with pytest.raises(ResourceNotFound, match="Requested resource not found"):
        await service.describe("nobody")
    with pytest.raises(ResourceNotFound):
        await service.stop("nobody")


async def test_a_prefix_without_objects_is_refused_in_the_services_words(service: TrainingService) -> None:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/none"}}
    with pytest.raises(ValidationRefused, match="No S3 objects found"):
        await service.create(job("one", InputDataConfig=[{"ChannelName": "train", "DataSource": source}]))


async def test_a_job_stops_when_asked_and_only_once(service: TrainingService) -> None:
    await service.create(job("one", "exec sleep 600"))
    await until(service, "one", lambda told: told.description.secondary_status == "Training")
    await service.stop("one")
    told = await until(service, "one", is_final)
    assert (told.description.training_job_status, told.exit_code) == ("Stopped", 143)
    with pytest.raises(ValidationRefused, match="Stopped"):
        await service.stop("one")


async def test_only_a_managed_spot_job_is_interrupted(service: TrainingService) -> None:
    assert isinstance(service, SupportsInterrupt)
    await service.create(job("one", "exec sleep 600"))
    with pytest.raises(ValidationRefused, match="managed-spot"):
        await service.interrupt("one")
    await service.stop("one")


async def test_pages_go_through_all_jobs_once(service: TrainingService) -> None:
    names = [f"job-{number}" for number in range(5)]
    for name in names:
        await finished(service, job(name))
    seen: list[str] = []
    token = None
    while True:
        page = await service.list(ListQuery(limit=2, token=token, sort_by="Name", descending=False))
        seen += [summary.name for summary in page.items]
        token = page.token
        if token is None:
            break
    assert seen == names


async def test_search_finds_a_job_by_its_tag(service: TrainingService) -> None:
    await finished(service, job("one", Tags=[{"Key": "team", "Value": "red"}]))
    await finished(service, job("two", Tags=[{"Key": "team", "Value": "blue"}]))
    page = await service.search(SearchQuery(conditions=(Condition(name="Tags.team", value="blue"),)))
    assert [told.description.training_job_name for told in page.items] == ["two"]


async def test_tags_are_added_replaced_and_removed(service: TrainingService) -> None:
    await finished(service, job("one", Tags=[{"Key": "a", "Value": "1"}]))
    assert await service.add_tags("one", [("a", "2"), ("b", "3")]) == (("a", "2"), ("b", "3"))
    await service.delete_tags("one", ["a", "none"])
    assert (await service.describe("one")).tags == (("b", "3"),)


async def test_logs_are_read_on_from_a_token(service: TrainingService) -> None:
    await finished(service, job("one", "printf 'a\\nb\\nc\\n'"))
    first = await service.logs("one", limit=2)
    rest = await service.logs("one", token=first.token)
    assert [event.message for event in (*first.items, *rest.items)] == ["a", "b", "c"]
    assert [event.message for event in (await service.logs("one", tail=1)).items] == ["c"]
    assert first.items[0].stream in await service.log_streams("one")


async def test_metrics_are_series_in_order_of_time(service: TrainingService) -> None:
    await finished(service, job("one", "echo loss=0.5; echo loss=0.25"))
    (series,) = [one for one in await service.metrics("one", metric="loss") if one.host == ""]
    assert [value for _, value in series.points] == [0.5, 0.25]
    assert [(point.name, point.value) for point in await service.newest("one")] == [("loss", 0.25)]


async def test_events_tell_what_happened_in_order(service: TrainingService) -> None:
    await finished(service, job("one"))
    reasons = [event.reason for event in (await service.events("one")).items]
    assert (reasons[0], reasons[-1]) == ("Accepted", "Completed")


async def test_a_deleted_job_is_forgotten_and_its_name_free(service: TrainingService) -> None:
    await service.create(job("one", "exec sleep 600"))
    with pytest.raises(ResourceInUse):
        await service.delete("one")
    await service.stop("one")
    await until(service, "one", is_final)
    await service.delete("one")
    with pytest.raises(ResourceNotFound):
        await service.describe("one")
    await finished(service, job("one"))


async def test_changes_are_followed_from_a_revision(service: TrainingService) -> None:
    since = await service.revision()
    following = service.changes(since)
    await service.create(job("one"))
    async with asyncio.timeout(DEADLINE):
        first = await anext(aiter(following))
    assert (first.name, first.account, first.region) == ("one", *_words(service.scope))
    assert first.revision > since


def _words(scope: Scope) -> tuple[str, str]:
    return scope.account, scope.region
