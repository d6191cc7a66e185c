"""What annotations ask for and do not get."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.operator.builders import a_job, a_resource, case_of

from trainyard.operator.decide import decide
from trainyard.operator.remarks import remarks_on
from trainyard.operator.steps import Settle

REGION, DEFAULT = "services.k8s.aws/region", "services.k8s.aws/default-region"
OWNER, TTL = "services.k8s.aws/owner-account-id", "trainyard/ttl-seconds-after-finished"
POLICY, NAMESPACE_POLICY = "services.k8s.aws/deletion-policy", "sagemaker.services.k8s.aws/deletion-policy"

ASKED: dict[str, tuple[dict[str, str], dict[str, str], list[str]]] = {
    "nothing": ({}, {}, []),
    "what is so": ({REGION: "us-west-2"}, {OWNER: "123456789012", DEFAULT: "us-west-2"}, []),
    "another region": ({REGION: "eu-west-1"}, {}, ["region asks for eu-west-1; this operator's jobs are in us-west-2"]),
    "another region by its namespace": ({}, {DEFAULT: "eu-west-1"}, ["default-region asks for eu-west-1"]),
    "its own word before its namespace's": ({REGION: "us-west-2"}, {DEFAULT: "eu-west-1"}, []),
    "another account": ({}, {OWNER: "999999999999"}, ["owner-account-id asks for 999999999999; this"]),
    "a team": ({}, {"services.k8s.aws/team-id": "t"}, ["services.k8s.aws/team-id is not acted upon"]),
    "an endpoint": ({}, {"services.k8s.aws/endpoint-url": "http://x"}, ["endpoint-url is not acted upon"]),
    "a time to live that is none": ({TTL: "1h"}, {}, [f"{TTL} must be whole seconds, and '1h' is not"]),
    "a time to live in other digits": ({TTL: "٣"}, {}, [f"{TTL} must be whole seconds"]),
    "a policy that is none": ({POLICY: "keep"}, {NAMESPACE_POLICY: "Retain"}, ["'keep' is taken", "'Retain' is taken"]),
    "something endless": ({REGION: "x" * 5000}, {}, ["asks for xxx"]),
}  # fmt: skip


@pytest.mark.parametrize("asked", ASKED)
def test_it_is_told(asked: str) -> None:
    own, namespace, expected = ASKED[asked]
    case = case_of(a_resource(annotations=own), a_job(notices=("the job's own",)), namespace=namespace)
    told = remarks_on(case)
    assert len(told) == len(expected)
    assert all(words in one and len(one) < 300 for words, one in zip(expected, told, strict=True))
    end: Any = decide(case)
    assert isinstance(end, Settle)
    assert end.status["notices"] == ["the job's own", *told]
