"""The pure parts of the container launcher: which engine, which image, what is asked for it."""

from __future__ import annotations

import pytest
from tests.conformance.test_support_matrix import REQUEST

from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.runtimes.local.containers.finding import sockets
from trainyard.runtimes.local.containers.form import Making, command, form
from trainyard.runtimes.local.containers.pulling import PullFailed, Pulling, reference


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("trainer", ("trainer", "latest")),
        ("team/trainer:3", ("team/trainer", "3")),
        ("localhost:5000/team/trainer", ("localhost:5000/team/trainer", "latest")),
        ("r.example.org:5000/trainer:3", ("r.example.org:5000/trainer", "3")),
        ("team/trainer:3@sha256:ab", ("team/trainer", "sha256:ab")),
    ],
)
def test_one_image_is_fetched_and_not_all_of_its_name(image: str, parts: tuple[str, str]) -> None:
    assert reference(image) == parts


def test_a_download_is_counted_over_its_layers() -> None:
    pulling = Pulling()
    assert pulling.total is None
    for layer, current in (("a", 10), ("b", 5), ("a", 30)):
        pulling.take({"id": layer, "status": "Downloading", "progressDetail": {"current": current, "total": 50}})
    assert (pulling.done, pulling.total) == (35, 100)
    pulling.take({"id": "a", "status": "Download complete", "progressDetail": {}})
    assert (pulling.done, pulling.total) == (55, 100)


@pytest.mark.parametrize(
    ("text", "is_final"), [("manifest unknown: not there", True), ("unauthorized", True), ("i/o timeout", False)]
)
def test_a_failure_is_told_and_whether_to_try_again(text: str, *, is_final: bool) -> None:
    with pytest.raises(PullFailed, match=text) as failed:
        Pulling().take({"error": text})
    assert failed.value.is_final is is_final


def test_a_users_own_engine_goes_before_the_machines_and_a_named_one_before_all() -> None:
    assert sockets({"XDG_RUNTIME_DIR": "/run/user/7"}, 7)[:2] == (
        "/run/user/7/docker.sock",
        "/run/user/7/podman/podman.sock",
    )
    assert sockets({}, 0)[0] == "/run/docker.sock"
    assert sockets({"DOCKER_HOST": "unix:///my.sock"}, 7) == ("/my.sock",)
    assert sockets({"DOCKER_HOST": "tcp://elsewhere:2375"}, 7) == ()


def of(**algorithm: object) -> TrainingJobSpec:
    given = {"TrainingImage": "i", "TrainingInputMode": "File", **algorithm}
    return TrainingJobSpec.from_wire({**REQUEST, "AlgorithmSpecification": given})


def test_a_program_is_started_as_the_service_starts_it() -> None:
    assert command(of()) == {"Cmd": ["train"]}
    assert command(of(ContainerArguments=["a"])) == {"Cmd": ["a"]}
    assert command(of(ContainerEntrypoint=["/e", "x"])) == {"Entrypoint": ["/e", "x"], "Cmd": []}
    assert command(of(ContainerEntrypoint=["/e"], ContainerArguments=["a"])) == {"Entrypoint": ["/e"], "Cmd": ["a"]}


def test_gpus_are_asked_for_where_the_host_has_some_and_hidden_where_it_has_none() -> None:
    making = Making(image="i", env={}, mounts=[], needs=Resources(cpus=8, memory=1 << 30, gpus=2), labels={}, log_cap=1)
    asked = form(of(), making)["HostConfig"]
    assert asked["DeviceRequests"] == [{"Driver": "", "Count": 2, "Capabilities": [["gpu"]]}]
    assert (asked["Memory"], asked["MemorySwap"], asked["ShmSize"]) == (1 << 30,) * 3
    bare = Making(
        image="i", env={}, mounts=[], needs=Resources(cpus=1), labels={}, log_cap=1, ulimits={"memlock": "-1"}
    )
    plain = form(of(), bare)
    assert "NVIDIA_VISIBLE_DEVICES=void" in plain["Env"]
    assert plain["HostConfig"]["Ulimits"] == [{"Name": "memlock", "Soft": -1, "Hard": -1}]
