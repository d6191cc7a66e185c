"""The Helm chart, rendered by stock helm, judged by the published schemas and by what a cautious cluster asks for."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest
from ruamel.yaml import YAML
from tests.charts import CHART, ROOT, containers, helm, pods, rendered

from trainyard.cli.operating import operation_of, operator_command
from trainyard.cli.sessions import service_option
from trainyard.operator.options import check_endpoints

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
AMAZON = ("server.enabled=false", "service.url=sagemaker", "aws.region=eu-west-1")
ALL_OF_AMAZON = (
    *AMAZON,
    "aws.endpoint_url=https://sagemaker.example",
    "aws.identity_endpoint_url=https://sts.example",
    "aws.credentials.secretName=keys",
    "aws.credentials.profile=train",
    "serviceAccount.annotations.eks\\.amazonaws\\.com/role-arn=arn:aws:iam::123456789012:role/ack",
    "featureGates.TeamLevelCARM=true",
    "leaderElection.enabled=true",
)
WAYS = pytest.mark.parametrize(
    "values",
    [SERVER, ALONE, EVERYTHING, AMAZON, ALL_OF_AMAZON],
    ids=["server", "alone", "everything", "amazon", "all-of-amazon"],
)


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
    afar = service_option(context)
    if afar is not None:
        assert (afar.url, context.params["service"]) == ("sagemaker", None)
        check_endpoints(operation_of(context.params, on_amazon=True).flags)
        return
    assert context.params["service"].startswith(("unix:///", "https://"))


def environment_of(values: tuple[str, ...]) -> dict[str, str]:
    (container,) = [one for one in containers(rendered(values)) if one["name"] == "operator"]
    return {one["name"]: one["value"] for one in container["env"]}


def test_on_amazon_the_operator_finds_its_credentials_as_acks_does() -> None:
    by_role = environment_of(AMAZON)
    assert (by_role["AWS_REGION"], by_role["ACK_SYSTEM_NAMESPACE"]) == ("eu-west-1", "jobs")
    assert "AWS_SHARED_CREDENTIALS_FILE" not in by_role
    by_secret = environment_of(ALL_OF_AMAZON)
    assert by_secret["AWS_SHARED_CREDENTIALS_FILE"] == "/var/run/secrets/aws/credentials"
    assert by_secret["AWS_PROFILE"] == "train"
    assert by_secret["AWS_ENDPOINT_URL_STS"] == "https://sts.example"  # of a web identity's first step
    (pod,) = pods(rendered(ALL_OF_AMAZON))
    assert [one["secret"]["secretName"] for one in pod["volumes"] if one["name"] == "aws"] == ["keys"]
    (account,) = [one for one in rendered(ALL_OF_AMAZON) if one["kind"] == "ServiceAccount"]
    assert account["metadata"]["annotations"] == {
        "eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/ack",
    }


def test_maps_of_roles_are_read_where_they_may_count_and_nowhere_else() -> None:
    def roles(*more: str) -> list[str]:
        return [one["metadata"]["name"] for one in rendered((*AMAZON, *more)) if one["kind"] == "Role"]

    assert roles() == ["yard-trainyard-roles"]
    assert roles("enableCARM=false") == []
    assert roles("enableCARM=false", "featureGates.TeamLevelCARM=true") == ["yard-trainyard-roles"]
    assert roles("installScope=namespace") == ["yard-trainyard"]


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
        (("server.enabled=false", "service.url=amazon"), "service.url"),
        ((*AMAZON, "aws.endpoint_url=sagemaker.example"), "endpoint_url"),
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
