"""A training image that the engine lacks is fetched, and told while it comes; failures in the service's words."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.jobs import InEngine, Ran, Where, run, shell
from tests.engines import PASSWORD, USER, TestEngine, publish

TABLE = '[registries."{registry}"]\nusername = "{user}"\npassword = "{password}"\n'


@pytest.fixture(autouse=True)
def place(engine: TestEngine, monkeypatch: pytest.MonkeyPatch) -> InEngine:
    found = InEngine(engine)
    found.settings = found.settings.replace("never", "missing")
    monkeypatch.setattr(Where, "place", found)
    return found


@pytest.fixture
def image(engine: TestEngine, registry: str) -> str:
    return publish(engine, registry, "team/trainer:1")


def of(image: str) -> dict[str, Any]:
    return {**shell("echo it runs"), "TrainingImage": image}


def told(ran: Ran) -> list[str]:
    return [entry["StatusMessage"] for entry in ran.told["SecondaryStatusTransitions"]]


async def test_an_image_is_fetched_with_the_settings_password(
    tmp_path: Path, image: str, registry: str, place: InEngine
) -> None:
    settings = TABLE.format(registry=registry, user=USER, password=PASSWORD)
    ran = await run(tmp_path, of(image), settings=settings)
    assert (ran.ended[0], ran.log) == ("Completed", "it runs"), ran.told.get("FailureReason")
    assert told(ran)[1] == "Downloading the training image"
    assert any(
        f"The training image {image} was downloaded: {image.rpartition(':')[0]}@sha256:" in notice
        for notice in ran.job.notices
    )
    place.settings = f'launcher = "container"\n{place.settings}'
    again = await run(tmp_path / "again", of(image))
    assert (again.ended[0], again.job.image.partition("@")[0]) == ("Completed", f"{image} ({image.rpartition(':')[0]}")
    assert told(again)[1] == "Downloading input data"


async def test_an_image_is_fetched_with_the_password_of_dockers_configuration(
    tmp_path: Path, image: str, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry: {"auth": auth}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert (await run(tmp_path, of(image))).ended[0] == "Completed"


async def test_a_wrong_password_is_told_and_nowhere_shown(tmp_path: Path, image: str, registry: str) -> None:
    ran = await run(tmp_path, of(image), settings=TABLE.format(registry=registry, user=USER, password="wrong-secret"))
    assert ran.ended == ("Failed", "Failed")
    assert ran.told["FailureReason"].startswith(f"ClientError: Unable to download training image: {image}. ")
    shown = [
        path
        for path in (tmp_path / "home" / "attempts").rglob("*")
        if path.is_file() and b"wrong-secret" in path.read_bytes()
    ]
    assert shown == []


async def test_an_image_that_is_nowhere_is_told_in_the_services_words(tmp_path: Path, registry: str) -> None:
    settings = TABLE.format(registry=registry, user=USER, password=PASSWORD)
    ran = await run(tmp_path, of(f"{registry}/nobody/has:this"), settings=settings)
    assert ran.told["FailureReason"].startswith(
        f"ClientError: Unable to download training image: {registry}/nobody/has:this. "
    )
    assert told(ran)[-2:] == ["Downloading the training image", "Training job failed"]
