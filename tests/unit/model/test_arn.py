"""ARNs of training jobs."""

from __future__ import annotations

import pytest

from trainyard.model.arn import training_job_arn, training_job_name


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_a_job_has_an_arn_in_its_partition(region: str, partition: str) -> None:
    arn = training_job_arn(region, "123456789012", "My-Job")
    assert arn == f"arn:{partition}:sagemaker:{region}:123456789012:training-job/my-job"
    assert training_job_name(arn) == "my-job"


@pytest.mark.parametrize(
    "text", ["", "my-job", "arn:aws:s3:::b", "arn:aws:sagemaker:r:1:model/x", "arn:aws:sagemaker:r:1:training-job/"]
)
def test_other_texts_name_no_job(text: str) -> None:
    assert training_job_name(text) is None
