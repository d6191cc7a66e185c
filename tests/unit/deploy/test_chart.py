"""The Helm chart, rendered by stock helm, judged by the published schemas and by what a cautious cluster asks for."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest
from ruamel.yaml import YAML
from tests.charts import CHART, ROOT, containers, helm, pods, rendered

from trainyard.cli.operating import operator_command

SERVER: tuple[str, ...] = ()
ALONE = (
    "server.enabled=false",
    "service.url=https://trainyard.example:8443",
    "service.token.secretName=token",
    "service.ca.secretName=ca",
)
EVERYTHING = (
    *ALONE,
    "installScope=namespace",
    "watchNamespace=red\\,blue",
    "watchSelectors=team=red",
    "leaderElection.enabled=true",
    "deployment.replicas=2",
    "metrics.service.create=true",
    "ttlAfterFinished=60",
    "featureGates.ReadOnlyResources=true",
    "reconcile.resourceResyncPeriods.TrainingJob=300",
    "reconcile.resourceMaxConcurrentSyncs.TrainingJob=4",
    "image.pullSecrets[0]=pull",
)
WAYS = pytest.mark.parametrize("values", [SERVER, ALONE, EVERYTHING], ids=["server", "alone", "everything"])


def test_stock_helm_finds_nothing_to_say() -> None:
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


@WAYS
def test_what_is_rendered_keeps_to_the_published_schemas(values: tuple[str, ...]) -> None:
    for manifest in rendered(values):
        kubernetes_validate.validate(manifest, "1.32", strict=True)


@WAYS
def test_no_container_may_more_than_it_needs(values: tuple[str, ...]) -> None:
    manifests = rendered(values)
    for pod in pods(manifests):
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    found = list(containers(manifests))
    assert found
    for container in found:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        }


@WAYS
def test_what_runs_on_is_probed(values: tuple[str, ...]) -> None:
    for pod in pods(rendered(values)):
        for container in pod["containers"]:
            assert {"livenessProbe", "readinessProbe", "resources"} <= container.keys()


@WAYS
def test_the_operators_command_line_is_one_that_it_takes(values: tuple[str, ...], tmp_path: Path) -> None:
    (container,) = [one for one in containers(rendered(values)) if one["name"] == "operator"]
    arguments = container["args"][container["args"].index("operator") + 1 :]
    (tmp_path / "ca.crt").touch()
    given = [one.replace("/var/run/secrets/trainyard/ca", str(tmp_path)) for one in arguments]
    context = operator_command.make_context("operator", given)
    assert context.params["service"].startswith(("unix:///", "https://"))


def test_a_server_has_one_replica_a_volume_and_an_opt_of_its_own() -> None:
    (stateful,) = [one for one in rendered(SERVER) if one["kind"] == "StatefulSet"]
    assert stateful["spec"]["replicas"] == 1
    assert stateful["spec"]["volumeClaimTemplates"][0]["metadata"]["name"] == "home"
    (server,) = [one for one in stateful["spec"]["template"]["spec"]["containers"] if one["name"] == "server"]
    assert {"/home/trainyard", "/opt", "/tmp"} == {mount["mountPath"] for mount in server["volumeMounts"]}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (("server.enabled=false",), "service.url is needed"),
        (("server.enabled=false", "service.url=http://plain"), "service.url"),
        ((*ALONE, "deployment.replicas=2"), "needs leaderElection.enabled"),
        (("deletionPolicy=keep",), "deletionPolicy"),
        (("watchNamspace=red",), "watchNamspace"),
        (("serviceAccount.create=false",), "serviceAccount.name is needed"),
    ],
)
def test_values_that_cannot_work_are_refused_with_their_name(values: tuple[str, ...], told: str) -> None:
    done = helm("template", "yard", str(CHART), *[word for value in values for word in ("--set", value)])
    assert done.returncode != 0
    assert told in done.stderr


def test_the_chart_brings_the_generated_definition() -> None:
    done = helm("show", "crds", str(CHART))
    (generated,) = (ROOT / "deploy" / "crds").iterdir()
    yaml = YAML(typ="safe")
    assert yaml.load(done.stdout) == yaml.load(generated.read_text())
