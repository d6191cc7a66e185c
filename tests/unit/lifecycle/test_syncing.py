"""Which folders go where, and which files."""

from __future__ import annotations

from typing import Any

import pytest

from trainyard.lifecycle.syncing import Synced, below_ml, is_kept, synced
from trainyard.model.spec import TrainingJobSpec

PLAIN = {
    "TrainingJobName": "job",
    "RoleArn": "arn:aws:iam::123456789012:role/x",
    "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
}


def folders(**members: Any) -> tuple[Synced, ...]:
    return synced(TrainingJobSpec.from_wire({**PLAIN, **members}))


def test_a_job_that_asks_for_nothing_has_none() -> None:
    assert folders() == ()


@pytest.mark.parametrize("uri", ["s3://b/ckpt", "s3://b/ckpt/"])
def test_checkpoints_are_at_their_uri_itself(uri: str) -> None:
    expected = Synced("checkpoints", "s3://b/ckpt", is_checkpoints=True)
    assert folders(CheckpointConfig={"S3Uri": uri}) == (expected,)
    own = folders(CheckpointConfig={"S3Uri": uri, "LocalPath": "/opt/ml/model//states/"})
    assert [one.folder for one in own] == ["model/states"]


def test_what_watches_training_is_below_the_jobs_name() -> None:
    found = folders(
        DebugHookConfig={"S3OutputPath": "s3://b/d/"},
        ProfilerConfig={"S3OutputPath": "s3://b/p"},
        TensorBoardOutputConfig={"S3OutputPath": "s3://b/t"},
    )
    assert found == (
        Synced("output/tensors", "s3://b/d/job/debug-output"),
        Synced("output/profiler", "s3://b/p/job/profiler-output"),
        Synced("output/tensorboard", "s3://b/t/job/tensorboard-output"),
    )


@pytest.mark.parametrize("profiler", [{"S3OutputPath": "s3://b/p", "DisableProfiler": True}, {}])
def test_a_profiler_that_is_off_or_has_no_place_keeps_nothing(profiler: dict[str, Any]) -> None:
    assert folders(ProfilerConfig=profiler) == ()


@pytest.mark.parametrize(
    "path",
    ["/state", "/opt/ml", "/opt/ml/", "/opt/ml/../../etc", "opt/ml/c", "/opt/ml/input/data/c", "/opt/ml2/c", "/"],
)
def test_a_folder_elsewhere_is_none_of_ours(path: str) -> None:
    with pytest.raises(ValueError, match=r"below /opt/ml|among the inputs"):
        below_ml(path)


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("epoch-1.pt", True),
        ("deep/epoch-1.pt", True),
        ("epoch-1.pt.sagemaker-ignore", False),
        ("scratch.sagemaker-ignore/epoch-1.pt", False),
        (".sagemaker-ignore/epoch-1.pt", False),
        ("epoch-1.pt.sagemaker-uploading", False),
        ("epoch-1.pt.sagemaker-uploaded", False),
        ("sagemaker-ignore.pt", True),
    ],
)
def test_names_that_checkpoints_leave_out(path: str, kept: bool) -> None:
    assert is_kept(path) is kept
