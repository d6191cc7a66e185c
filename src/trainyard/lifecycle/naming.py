"""What a job's artifacts, streams and successors are called, as the service calls them."""

from __future__ import annotations

import re

from trainyard.model.spec import TrainingJobSpec

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_NUMBERED = re.compile(r"^(?P<base>.*?)-(?P<number>\d+)$")


def output_root(spec: TrainingJobSpec) -> str:
    """`<S3OutputPath>/<job>/output`; a trailing slash of the path is tolerated."""
    return f"{spec.output_data_config.s3_output_path.rstrip('/')}/{spec.training_job_name}/output"


def is_uncompressed(spec: TrainingJobSpec) -> bool:
    """Whether OutputDataConfig.CompressionType is NONE."""
    return spec.output_data_config.compression_type == "NONE"


def model_uri(spec: TrainingJobSpec) -> str:
    """ModelArtifacts.S3ModelArtifacts; known before the model is."""
    return f"{output_root(spec)}/model" if is_uncompressed(spec) else f"{output_root(spec)}/model.tar.gz"


def output_uri(spec: TrainingJobSpec) -> str:
    """Where /opt/ml/output/data goes."""
    return f"{output_root(spec)}/data" if is_uncompressed(spec) else f"{output_root(spec)}/output.tar.gz"


def log_stream(job_name: str, host: str, started_at: float) -> str:
    """`<job>/algo-1-<epoch seconds at start>`; every attempt has its own."""
    return f"{job_name}/{host}-{int(started_at)}"


def next_free_name(name: str, taken: set[str]) -> str:
    """`name`, or `name-2`, `name-3`, … within the 63 characters that the API allows."""
    if name not in taken:
        return name
    numbered = _NUMBERED.match(name)
    base = numbered["base"] if numbered and numbered["base"] in taken else name
    for number in range(2, len(taken) + 3):
        suffix = f"-{number}"
        candidate = base[: 63 - len(suffix)].rstrip("-") + suffix
        if candidate not in taken:
            return candidate
    raise AssertionError("more candidates than taken names")
