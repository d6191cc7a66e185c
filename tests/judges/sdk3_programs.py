"""What data scientists write for the SageMaker SDK of the third version; run in its own environment by desk.py."""

from __future__ import annotations

import logging
from typing import Any

import boto3
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.training.configs import Compute, InputData, SourceCode, StoppingCondition
from sagemaker.train import ModelTrainer

ROLE = "arn:aws:iam::000000000000:role/trainer"
logging.basicConfig(level=logging.INFO)  # the SDK tells a job's log there
calls: list[str] = []


def _session() -> Session:
    boto_session = boto3.Session()
    boto_session.events.register(
        "before-call.*.*", lambda model, **_: calls.append(f"{model.service_model.signing_name}:{model.name}")
    )
    return Session(boto_session=boto_session)


session = _session()


def train(image: str, folder: str, source: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Train with one channel from a local folder; the job's record and every call that was made."""
    calls.clear()
    trainer = ModelTrainer(
        training_image=image, role=ROLE, sagemaker_session=session, base_job_name="third",
        source_code=SourceCode(**source) if source else None,
        compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=1),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=300), **more,
    )  # fmt: skip
    trainer.train(input_data_config=[InputData(channel_name="train", data_source=folder)], wait=True, logs=True)
    job = trainer._latest_training_job
    return {
        "name": job.training_job_name, "status": job.training_job_status,
        "model": job.model_artifacts.s3_model_artifacts, "calls": sorted(set(calls)),
    }  # fmt: skip
