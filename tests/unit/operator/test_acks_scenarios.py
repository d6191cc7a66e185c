"""ACK's own scenarios for its TrainingJob controller, by the names that its table gives them.

Where ours does more than ACK, the scenario says so: a name that is left out is generated, no edit stops the tracking.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.apiserver import merged
from tests.unit.operator.builders import ARN, NOW, SPEC, a_job, a_resource, case_of

from trainyard.lifecycle import updating
from trainyard.model.casing import to_ack
from trainyard.model.errors import ServiceError, Transient
from trainyard.operator.case import Case, Missing, Unseen
from trainyard.operator.decide import UPDATING, decide
from trainyard.operator.deleting import STOPPING
from trainyard.operator.faults import fault_of
from trainyard.operator.steps import Create, Patch, Release, Settle, Stop, Update
from trainyard.resource.conditions import LATE_INITIALISED

OUTAGE = fault_of(Transient("the service is down"))
INVALID = fault_of(ServiceError("the name is invalid", code="InvalidParameterValue"))
STATUS = {"ackResourceMetadata": {"arn": ARN}, "trainingJobName": "job"}
DELETED = {"deletionTimestamp": "1970-01-12T13:46:40Z", "status": STATUS}
DEBUGGER = {
    "debugHookConfig": {"s3OutputPath": "s3://bucket/debug"},
    "debugRuleConfigurations": [{"ruleConfigurationName": "loss", "ruleEvaluatorImage": "rules"}],
}
PROFILER = {"ProfilerConfig": {"S3OutputPath": "s3://bucket/profile", "ProfilingIntervalInMilliseconds": 500}}
RULES = [{"RuleConfigurationName": name, "RuleEvaluatorImage": "rules"} for name in ("one", "two", "three")]


def rules(*names: str) -> dict[str, Any]:
    return {"ProfilerRuleConfigurations": [rule for rule in RULES if rule["RuleConfigurationName"] in names]}


def evaluating(kind: str, status: str = "InProgress") -> dict[str, Any]:
    rule = {"RuleConfigurationName": "loss", "RuleEvaluationJobArn": "arn:rule", "RuleEvaluationStatus": status}
    return {f"{kind}EvaluationStatuses": [rule], "ProfilingStatus": "Enabled"}


def asking(without: tuple[str, ...] = (), **members: Any) -> dict[str, Any]:
    """A spec in ACK's spelling: the usual one with members of the API's spelling, without others."""
    spec = merged(SPEC, to_ack(members))
    return {name: value for name, value in spec.items() if name not in without}


def edited(spec: dict[str, Any], *job: str, **told: Any) -> Case:
    """A resource with that spec whose own job is as told."""
    return case_of(a_resource(spec, status=STATUS), a_job(*job, **told))


def told(case: Case) -> dict[str, Any]:
    step = decide(case)
    assert isinstance(step, Settle), step
    status: dict[str, Any] = merged(dict(case.status), step.status)
    return status


def condition(case: Case, kind: str) -> tuple[str, str] | None:
    """Its status and message."""
    found = next((one for one in told(case)["conditions"] if one["type"] == kind), None)
    return None if found is None else (found["status"], found.get("message", ""))


def test_create_invalid_input() -> None:
    case = case_of(a_resource(), Missing(), fault=INVALID)
    assert condition(case, "ACK.Terminal") == ("True", "InvalidParameterValue: the name is invalid")
    synced = next(one for one in told(case)["conditions"] if one["type"] == "ACK.ResourceSynced")
    assert synced["reason"] == "resource is in terminal condition"


@pytest.mark.parametrize("variation", [{}, DEBUGGER], ids=["Valid", "ValidDebuggerVariation"])
def test_create_valid(variation: dict[str, Any]) -> None:
    resource = a_resource({**SPEC, **variation})
    created = decide(case_of(resource))
    assert isinstance(created, Create)
    assert to_ack(created.spec.to_wire()).items() >= variation.items()
    status = told(case_of(resource, a_job(**{name: value for name, value in created.spec.to_wire().items()
                                              if name.startswith("Debug")})))  # fmt: skip
    assert status["ackResourceMetadata"]["arn"] == ARN
    assert "ACK.Terminal" not in {one["type"] for one in status["conditions"]}


def test_read_one_missing_required_field() -> None:
    """ACK asks for nothing and refuses; here the job gets a name, and is asked for by it."""
    nameless = asking(without=("trainingJobName",))
    step = decide(case_of(a_resource(nameless, managed=False)))
    assert isinstance(step, Patch)
    assert step.body["spec"] == {"trainingJobName": "job-111111112222"}


def test_read_one_not_found() -> None:
    assert isinstance(decide(case_of(a_resource())), Create)


@pytest.mark.parametrize("kind", ["ACK.Terminal", "ACK.Recoverable"])
def test_read_one_success_clears_conditions(kind: str) -> None:
    before = {**STATUS, "conditions": [{"type": kind, "status": "True", "message": "what was so then"}]}
    case = case_of(a_resource(status=before), a_job())
    assert condition(case, kind) is None
    assert condition(case, "ACK.ResourceSynced") == ("False", "TrainingJob is in InProgress status.")


def test_read_one_fail() -> None:
    case = case_of(a_resource(status=STATUS), Unseen(OUTAGE))
    assert condition(case, "ACK.Recoverable") == ("True", "ServiceUnavailable: the service is down")
    end = decide(case)
    assert isinstance(end, Settle)
    assert end.again


SYNCED: dict[str, tuple[Case, str, str]] = {
    "AfterCreateInProgress": (edited(SPEC), "False", "TrainingJob is in InProgress status."),
    "AfterCompletion": (edited(SPEC, "Completed", "Completed"), "True", "TrainingJob is in Completed status."),
    "Stopping": (edited(SPEC, "Stopping", "Starting"), "False", "TrainingJob is in Stopping status."),
    "AfterCreateInProgressDebugger": (
        edited(SPEC, **evaluating("DebugRule")), "False", "TrainingJob is in InProgress status.",
    ),
    "StoppingDebugger": (
        edited(SPEC, "Stopping", "Stopping", **evaluating("DebugRule")), "False", "DebugRule is in InProgress status.",
    ),
    **{
        f"WarmPool{pool or 'NoStatus'}": (
            edited(
                SPEC, "Completed", "Completed",
                **({"WarmPoolStatus": {"Status": pool, "ResourceRetainedBillableTimeInSeconds": 1}} if pool else {}),
            ),
            "True", "TrainingJob is in Completed status.",
        )
        for pool in ("Available", "Terminated", "Reused", "InUse", "")
    },
}  # fmt: skip


@pytest.mark.parametrize("scenario", SYNCED)
def test_read_one(scenario: str) -> None:
    case, status, message = SYNCED[scenario]
    assert condition(case, "ACK.ResourceSynced") == (status, message)


def test_read_one_late_initialize() -> None:
    assert condition(edited(SPEC), "ACK.LateInitialized") == ("True", LATE_INITIALISED)


def test_read_one_after_create_instance_groups() -> None:
    groups = [{"InstanceGroupName": "g", "InstanceType": "ml.m5.large", "InstanceCount": 2}]
    wanted = {"InstanceGroups": groups, "VolumeSizeInGB": 5}
    spec = {**SPEC, "resourceConfig": to_ack({"ResourceConfig": wanted})["resourceConfig"]}
    step = decide(edited(spec, ResourceConfig={**wanted, "InstanceCount": 0}))
    assert isinstance(step, Patch)
    assert step.body == {"spec": {"resourceConfig": {"instanceCount": 0}}}
    assert (
        spec["resourceConfig"]["instanceGroups"]
        == to_ack({"ResourceConfig": wanted})["resourceConfig"]["instanceGroups"]
    )


def test_delete_fail() -> None:
    case = case_of(a_resource(**DELETED), a_job(), fault=OUTAGE)
    assert condition(case, "ACK.Recoverable") == ("True", "ServiceUnavailable: the service is down")


def test_delete_successful() -> None:
    assert isinstance(decide(case_of(a_resource(**DELETED), a_job())), Stop)
    assert condition(case_of(a_resource(**DELETED), a_job("Stopping", "Stopping")), "ACK.Recoverable") == (
        "True", STOPPING,
    )  # fmt: skip
    assert isinstance(decide(case_of(a_resource(**DELETED), Missing())), Release)


@pytest.mark.parametrize("told_of_rules", [{}, evaluating("DebugRule")], ids=["MarkUnmanaged", "MarkUnmanagedDebugger"])
def test_delete_mark_unmanaged(told_of_rules: dict[str, Any]) -> None:
    assert isinstance(decide(case_of(a_resource(**DELETED), a_job("Completed", "Completed", **told_of_rules))), Release)


PROFILED = {**PROFILER, **rules("one", "two"), "ProfilingStatus": "Enabled"}
FASTER = {"ProfilerConfig": {**PROFILER["ProfilerConfig"], "ProfilingIntervalInMilliseconds": 200}}
OFF = {"ProfilerConfig": {"DisableProfiler": True}}
# What an edit asks the service for.
UPDATES: dict[str, tuple[Case, dict[str, Any]]] = {
    "RemoveProfilerBothParams": (edited(SPEC, **PROFILED), OFF),
    "RemoveProfilerRule": (edited(asking(**PROFILER), **PROFILED), OFF),
    "RemoveProfilerConfig": (edited(asking(**rules("one", "two")), **PROFILED), OFF),
    "BothProfiler": (
        edited(asking(**FASTER, **rules("one", "two", "three")), **PROFILED), {**FASTER, **rules("three")},
    ),
    "ProfilerConfig": (edited(asking(**FASTER, **rules("one", "two")), **PROFILED), FASTER),
    "UpdateProfilerRule": (
        edited(asking(**PROFILER, **rules("one", "two", "three")), **PROFILED), {**PROFILER, **rules("three")},
    ),
    "AddProfiler": (edited(asking(**PROFILER, **rules("one"))), {**PROFILER, **rules("one")}),
    "WarmPool": (
        edited(
            asking(ResourceConfig={"KeepAlivePeriodInSeconds": 200}), "Completed", "Completed",
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5,
                            "KeepAlivePeriodInSeconds": 100},
            WarmPoolStatus={"Status": "Available"},
        ),
        {"ResourceConfig": {"KeepAlivePeriodInSeconds": 200}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("scenario", UPDATES)
def test_update_that_is_asked_for(scenario: str) -> None:
    case, changes = UPDATES[scenario]
    step = decide(case)
    assert isinstance(step, Update)
    assert step.update.to_wire() == {"TrainingJobName": "job", **changes}
    done = Case(resource=case.resource, sight=case.sight, rules=case.rules, now=NOW, updated=True)
    assert condition(done, "ACK.Recoverable") == ("True", UPDATING)


def pooled(seconds: int | None, *job: str, pool: str | None = None, **spec: Any) -> Case:
    """A job that keeps its hosts for 100 seconds, or (None) does not, and a resource that wants 200."""
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5}
    kept = {} if seconds is None else {"KeepAlivePeriodInSeconds": seconds}
    return edited(
        asking(ResourceConfig={"KeepAlivePeriodInSeconds": 200}, **spec), *job, ResourceConfig={**resources, **kept},
        **({"WarmPoolStatus": {"Status": pool}} if pool else {}),
    )  # fmt: skip


# What an edit is told instead.
REFUSALS: dict[str, tuple[Case, str, str]] = {
    "ProfilerStarting": (
        edited(asking(**FASTER, **rules("one", "two")), "InProgress", "Starting", **PROFILED),
        "ACK.Recoverable", updating.STARTING,
    ),
    "ProfilerTerminal": (
        edited(asking(**FASTER, **rules("one", "two")), "Completed", "Completed", **PROFILED),
        "ACK.Terminal", updating.PROFILER_OVER,
    ),
    "WarmPoolInProgress": (pooled(100), "ACK.Recoverable", updating.POOL_LATER),
    "WarmPoolTerminal": (pooled(100, "Completed", "Completed", pool="Terminated"), "ACK.Terminal", updating.POOL_GONE),
    "WarmPoolTerminal, reused": (
        pooled(100, "Completed", "Completed", pool="Reused"), "ACK.Terminal", updating.POOL_GONE,
    ),
    "WarmPoolTerminal, failed": (pooled(100, "Failed", "Failed"), "ACK.Terminal", updating.POOL_NEVER),
    "AddWarmPool": (pooled(None, "Completed", "Completed"), "ACK.Terminal", updating.NO_POOL),
    "WarmPoolAndProfiler": (pooled(100, **PROFILER), "ACK.Terminal", updating.BOTH),
    "Invalid update": (edited(asking(HyperParameters={"eta": "1"})), "ACK.Terminal", updating.ONLY),
    "RemoveOneProfilerRule": (
        edited(asking(**PROFILER, **rules("one")), **PROFILED), "ACK.Terminal", updating.RULES_SHORTER,
    ),
    "RemoveAddProfilerRule": (
        edited(asking(**PROFILER, **rules("two", "three")), **PROFILED), "ACK.Terminal", updating.RULES_SHORTER,
    ),
    "RemoveAddProfilerRule, in a longer list": (
        edited(asking(**PROFILER, **rules("two", "three")), **{**PROFILED, **rules("one")}),
        "ACK.Terminal", updating.RULE_REMOVED,
    ),
}  # fmt: skip


@pytest.mark.parametrize("scenario", REFUSALS)
def test_update_that_is_refused(scenario: str) -> None:
    case, kind, message = REFUSALS[scenario]
    assert condition(case, kind) == ("True", message)
    status = told(case)
    assert status["trainingJobStatus"] == case.sight.status  # type: ignore[union-attr]
    end = decide(case)
    assert isinstance(end, Settle)
    assert not end.again, "ACK looks again after a pause, or never; a change of the job wakes it"


def test_a_service_that_is_down_is_worth_another_try_and_a_refused_name_is_not() -> None:
    assert not OUTAGE.terminal
    assert not fault_of(Transient("down")).terminal
    assert INVALID.terminal
