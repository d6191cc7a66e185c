"""Amazon resource names of what this service makes, and of the roles that it is given."""

from __future__ import annotations

import base64
import hashlib
import re


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


def role_arn(region: str, account: str, name: str) -> str:
    """The ARN of an account's role that has no path."""
    return f"arn:{partition_of(region)}:iam::{account}:role/{name}"


def role_of(arn: str) -> tuple[str, str, str] | None:
    """Account, path and name of a role's ARN, as in (`123456789012`, `/team/`, `trainer`); None for any other text."""
    found = _ROLE.fullmatch(arn)
    return None if found is None else (found["account"], f"/{found['path'] or ''}", found["name"])


def role_id(arn: str) -> str:
    """What stays the same of a role, as the service writes it: `AROA` and seventeen letters."""
    return "AROA" + base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()[:17]


def assumed_role_arn(arn: str, session: str) -> str:
    """Who acts as a role: its path is left out, and its account stays."""
    account, _, name = role_of(arn) or ("", "", arn)
    return f"arn:{arn.split(':', 2)[1]}:sts::{account}:assumed-role/{name}/{session}"


_ROLE = re.compile(
    r"arn:aws[a-z-]*:iam::(?P<account>[0-9]{12}):role/(?P<path>(?:[!-.0-~]+/)*)(?P<name>[\w+=,.@-]{1,64})", re.ASCII
)
