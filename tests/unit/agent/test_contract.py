"""The files under /opt/ml/input/config, to the byte."""

from __future__ import annotations

import json
from typing import Any

from trainyard.agent.contract import contract_env, contract_files
from trainyard.model.keys import JobKey
from trainyard.model.spec import TrainingJobSpec

JOB = JobKey("123456789012", "eu-west-1", "Job-1")
BASE: dict[str, Any] = {
    "TrainingJobName": "Job-1",
    "RoleArn": "arn:aws:iam::123456789012:role/trainer",
    "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "ResourceConfig": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1},
}


def _file(name: str, wire: dict[str, Any] | None = None, **more: Any) -> bytes:
    spec = TrainingJobSpec.from_wire({**BASE, **(wire or {})})
    return contract_files(spec=spec, job=JOB, **more)[f"input/config/{name}.json"]


def _channel(name: str, **more: Any) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://b/p", **more.pop("source", {})}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, **more}


def test_hyperparameters_are_the_requests_own_strings() -> None:
    given = {"lr": "0.1", "s": '"abc"', "sagemaker_program": '"train.py"', "ü": "日本"}
    expected = r'{"lr":"0.1","s":"\"abc\"","sagemaker_program":"\"train.py\"","ü":"日本"}'
    assert _file("hyperparameters", {"HyperParameters": given}) == expected.encode()
    assert _file("hyperparameters") == b"{}"


def test_channels_tell_their_effective_mode() -> None:
    channels = [
        _channel("data", source={"S3DataDistributionType": "ShardedByS3Key"}),
        _channel("csv", ContentType="text/csv", InputMode="FastFile", CompressionType="None"),
    ]
    assert _file("inputdataconfig", {"InputDataConfig": channels}) == (
        b'{"data":{"TrainingInputMode":"File","S3DistributionType":"ShardedByS3Key","RecordWrapperType":"None"},'
        b'"csv":{"ContentType":"text/csv","TrainingInputMode":"FastFile","S3DistributionType":"FullyReplicated",'
        b'"RecordWrapperType":"None"}}'
    )
    assert _file("inputdataconfig") == b"{}"


def test_resources_of_one_host() -> None:
    assert _file("resourceconfig") == (
        b'{"current_host":"algo-1","current_instance_type":"ml.c5.xlarge","current_group_name":"homogeneousCluster",'
        b'"hosts":["algo-1"],"instance_groups":[{"instance_group_name":"homogeneousCluster",'
        b'"instance_type":"ml.c5.xlarge","hosts":["algo-1"]}],"network_interface_name":"eth0","topology":null}'
    )


def test_the_run_is_numbered() -> None:
    assert json.loads(_file("init-config", attempt=3))["jobRunInfo"] == {"jobRunNumber": 3}


def test_hosts_are_sorted_as_text() -> None:
    hosts = [f"algo-{number}" for number in range(1, 12)]
    resources = json.loads(_file("resourceconfig", host="algo-2", hosts=hosts))
    assert resources["current_host"] == "algo-2"
    assert resources["hosts"][:4] == ["algo-1", "algo-10", "algo-11", "algo-2"]


def test_the_hook_is_given_only_where_it_was_asked_for() -> None:
    hook: dict[str, Any] = {"S3OutputPath": "s3://b/"}
    start = b'{"S3OutputPath":"s3://b/Job-1/debug-output","LocalPath":"/opt/ml/output/tensors","HookParameters":null,'
    assert _file("debughookconfig", {"DebugHookConfig": hook}) == start + b'"CollectionConfigurations":null}'
    hook["CollectionConfigurations"] = [
        {"CollectionName": "losses", "CollectionParameters": {"save_interval": "500"}},
    ]
    assert _file("debughookconfig", {"DebugHookConfig": hook}) == start + (
        b'"CollectionConfigurations":[{"CollectionName":"losses","CollectionParameters":{"save_interval":"500"}}]}'
    )
    names = contract_files(spec=TrainingJobSpec.from_wire(BASE), job=JOB)
    assert "input/config/debughookconfig.json" not in names


def test_the_other_optional_files() -> None:
    wire = {
        "CheckpointConfig": {"S3Uri": "s3://b/c", "LocalPath": "/state"},
        "TensorBoardOutputConfig": {"S3OutputPath": "s3://b"},
    }
    assert _file("checkpointconfig", wire) == b'{"LocalPath":"/state"}'
    assert _file("tensorboardoutputconfig", wire) == (
        b'{"S3OutputPath":"s3://b/Job-1/tensorboard-output","LocalPath":"/opt/ml/output/tensorboard/"}'
    )


def test_every_file_is_one_line_of_json() -> None:
    files = contract_files(spec=TrainingJobSpec.from_wire({**BASE, "InputDataConfig": [_channel("data")]}), job=JOB)
    for content in files.values():
        json.loads(content)
        assert b"\n" not in content


def test_the_platforms_variables() -> None:
    assert contract_env(spec=TrainingJobSpec.from_wire(BASE), job=JOB) == {
        "TRAINING_JOB_NAME": "Job-1",
        "TRAINING_JOB_ARN": JOB.arn,
        "AWS_REGION": "eu-west-1",
        "DMLC_INTERFACE": "eth0",
    }


def test_the_requests_own_variables_win() -> None:
    definitions = [{"Name": "loss", "Regex": "loss=(.*)"}]
    wire = {
        **BASE,
        "AlgorithmSpecification": {**BASE["AlgorithmSpecification"], "MetricDefinitions": definitions},
        "Environment": {"AWS_REGION": "mine", "A": "b"},
    }
    variables = contract_env(spec=TrainingJobSpec.from_wire(wire), job=JOB)
    assert variables["AWS_REGION"] == "mine"
    assert variables["A"] == "b"
    assert variables["SAGEMAKER_METRICS_DIRECTORY"] == "/opt/ml/output/metrics/sagemaker"
