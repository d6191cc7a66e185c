"""Amazon resource names of what this service makes."""

from __future__ import annotations


def partition_of(region: str) -> str:
    """The partition that a region lies in: `aws-cn` and `aws-us-gov` have their own."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def training_job_arn(region: str, account: str, name: str) -> str:
    """A training job's ARN; the service writes the name in lower case there, and only there."""
    return f"arn:{partition_of(region)}:sagemaker:{region}:{account}:training-job/{name.lower()}"


def training_job_name(arn: str) -> str | None:
    """The (lower-case) name in a training job's ARN, None for any other text."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or parts[2] != "sagemaker":
        return None
    kind, _, name = parts[5].partition("/")
    return name or None if kind == "training-job" else None
