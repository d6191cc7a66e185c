"""What data scientists write for the SageMaker SDK of the second version; run in its own environment by desk.py."""

from __future__ import annotations

from typing import Any

import boto3
import sagemaker
from sagemaker import image_uris
from sagemaker.analytics import TrainingJobAnalytics
from sagemaker.debugger import DebuggerHookConfig
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.s3 import S3Downloader

ROLE = "arn:aws:iam::000000000000:role/trainer"
HOSTS = {"role": ROLE, "instance_count": 1, "instance_type": "ml.m5.large"}
calls: list[str] = []


def _session() -> sagemaker.Session:
    boto_session = boto3.Session()
    boto_session.events.register(
        "before-call.*.*", lambda model, **_: calls.append(f"{model.service_model.signing_name}:{model.name}")
    )
    return sagemaker.Session(boto_session=boto_session)


session = _session()


def fit_digits(data: str, logs: Any, **more: Any) -> dict[str, Any]:
    """Train XGBoost on the digits; what the estimator knows of it afterwards."""
    calls.clear()
    image = image_uris.retrieve("xgboost", session.boto_region_name, version="1.7-1")
    hyperparameters = {"objective": "multi:softmax", "num_class": 10, "num_round": 12, "eval_metric": "merror"}
    estimator = Estimator(image_uri=image, sagemaker_session=session, hyperparameters=hyperparameters, **HOSTS, **more)
    channels = {}
    for name in ("train", "validation"):
        uri = session.upload_data(f"{data}/csv/{name}", key_prefix=f"digits/{name}")
        channels[name] = TrainingInput(uri, content_type="text/csv")
    estimator.fit(channels, wait=logs is not None, logs=logs)
    job = estimator.latest_training_job
    return {"name": job.name, "told": _plain(job.describe()), "model": estimator.model_data, "calls": list(calls)}


def attach(name: str) -> dict[str, Any]:
    """An estimator made from a job alone, which waits for the job's end and shows its log."""
    estimator = Estimator.attach(name, sagemaker_session=session)
    arn = estimator.latest_training_job.describe()["TrainingJobArn"]
    return {
        "hyperparameters": estimator.hyperparameters(),
        "image": estimator.training_image_uri(),
        "model": estimator.model_data,
        "tags": session.list_tags(arn),
    }


def metrics(name: str, metric: str) -> list[dict[str, Any]]:
    """A job's metric as the rows of a data frame."""
    frame = TrainingJobAnalytics(name, [metric], sagemaker_session=session).dataframe()
    return list(frame.to_dict("records"))


def fetch(uri: str, folder: str) -> list[str]:
    """Download what lies at a URI."""
    return list(S3Downloader.download(uri, folder, sagemaker_session=session))


def fit_image(image: str, logs: Any = None, **more: Any) -> dict[str, Any]:
    """Train an image that needs no data."""
    estimator = Estimator(image_uri=image, sagemaker_session=session, **HOSTS, **more)
    estimator.fit(wait=logs is not None, logs=logs)
    return {"name": estimator.latest_training_job.name}


def fit_spot(image: str, bucket: str) -> dict[str, Any]:
    """A spot job with checkpoints and a hook of its own."""
    estimator = Estimator(
        image_uri=image, sagemaker_session=session, use_spot_instances=True, max_run=60, max_wait=120,
        checkpoint_s3_uri=f"s3://{bucket}/checkpoints", environment={"A": "b"},
        debugger_hook_config=DebuggerHookConfig(s3_output_path=f"s3://{bucket}/tensors"), **HOSTS,
    )  # fmt: skip
    estimator.fit(logs=False)
    return _plain(estimator.latest_training_job.describe())


def stop(name: str) -> dict[str, Any]:
    """Stop a job and wait for its end, with its log."""
    session.stop_training_job(name)
    told = session.logs_for_job(name, wait=True, poll=1)
    return _plain(told or session.describe_training_job(name))


def describe(name: str) -> dict[str, Any]:
    """A job as the API tells it."""
    return _plain(session.describe_training_job(name))


def default_bucket() -> str:
    """Where the SDK puts what a script does not say."""
    return str(session.default_bucket())


def _plain(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name != "ResponseMetadata" and _is_plain(value)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_plain(one) for one in value.values())
    if isinstance(value, list):
        return all(_is_plain(one) for one in value)
    return isinstance(value, str | int | float | bool)
