"""ACK's golden states and scenarios: what the status says for every way that things can stand."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.apiserver import merged
from tests.unit.operator.builders import ARN, NOW, SPEC, UID, a_job, a_resource, case_of, settled

from trainyard.lifecycle import updating
from trainyard.model.casing import to_ack
from trainyard.model.errors import (
    InvalidJob,
    ResourceInUse,
    ResourceLimitExceeded,
    Transient,
    Unsupported,
    ValidationRefused,
)
from trainyard.model.observation import Unobserved
from trainyard.model.problems import Problem
from trainyard.operator import decide as deciding
from trainyard.operator.case import Case, Missing, Unseen
from trainyard.operator.decide import decide
from trainyard.operator.deleting import STOPPING
from trainyard.operator.faults import fault_of
from trainyard.operator.settling import POLL
from trainyard.operator.steps import Create, Patch, Release, Retag, Settle, Stop, Update
from trainyard.resource.conditions import Fault
from trainyard.resource.names import FINALIZER

RULE = {"RuleConfigurationName": "r", "RuleEvaluationJobArn": "arn:rule"}
UNDETERMINED = "Unable to determine if desired resource state matches latest observed state"
DELETED = "1970-01-12T13:46:40Z"


def told(case: Case) -> dict[str, Any]:
    """The status that one decision settles on."""
    step = decide(case)
    assert isinstance(step, Settle), step
    status: dict[str, Any] = merged(dict(case.status), step.status)
    return status


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    """Type → (status, message, reason), ACK's own alone."""
    return {
        one["type"]: (one["status"], one.get("message", ""), one.get("reason", ""))
        for one in status["conditions"]
        if one["type"].startswith("ACK.") or one["type"] == "Ready"
    }


def running(case_status: dict[str, Any] | None = None) -> dict[str, Any]:
    known = {"ackResourceMetadata": {"arn": ARN}, "trainingJobName": "job", **(case_status or {})}
    return a_resource(status=known)


LATE = ("True", "Late initialization successful", "Late initialization successful")


def resting(message: str) -> dict[str, tuple[str, str, str]]:
    return {
        "ACK.ResourceSynced": ("True", message, ""),
        "ACK.LateInitialized": LATE,
        "Ready": ("True", message, ""),
    }


def moving(message: str) -> dict[str, tuple[str, str, str]]:
    return {
        "ACK.ResourceSynced": ("False", message, ""),
        "ACK.LateInitialized": LATE,
        "Ready": ("False", message, ""),
    }


def rules(kind: str, status: str, profiling: str = "Enabled") -> dict[str, Any]:
    return {
        f"{kind}EvaluationStatuses": [{**RULE, "RuleEvaluationStatus": status}],
        "ProfilingStatus": profiling,
    }


STATES = {
    "A1 InProgress": (a_job(), moving("TrainingJob is in InProgress status.")),
    "A2 Completed": (a_job("Completed", "Completed"), resting("TrainingJob is in Completed status.")),
    "A3 a debug rule runs on": (
        a_job("Completed", "Completed", **rules("DebugRule", "InProgress")),
        moving("DebugRule is in InProgress status."),
    ),
    "A3 a debug rule, before Stopping is looked at": (
        a_job("Stopping", "Stopping", **rules("DebugRule", "InProgress")),
        moving("DebugRule is in InProgress status."),
    ),
    "A3 a profiler rule": (
        a_job("Completed", "Completed", **rules("ProfilerRule", "Stopping")),
        moving("ProfilerRule is in Stopping status."),
    ),
    "a profiler rule that stays InProgress once profiling is off": (
        a_job("Completed", "Completed", **rules("ProfilerRule", "InProgress", "Disabled")),
        resting("TrainingJob is in Completed status."),
    ),
    "InProgress is looked at before the rules": (
        a_job(**rules("DebugRule", "InProgress")),
        moving("TrainingJob is in InProgress status."),
    ),
    "a rule that ended": (
        a_job("Completed", "Completed", **rules("DebugRule", "NoIssuesFound")),
        resting("TrainingJob is in Completed status."),
    ),
    "A4 Stopping": (a_job("Stopping", "Starting"), moving("TrainingJob is in Stopping status.")),
    "A5 Failed": (
        a_job("Failed", "Failed", FailureReason="AlgorithmError: …"),
        resting("TrainingJob is in Failed status."),
    ),
    "Stopped": (a_job("Stopped", "Stopped"), resting("TrainingJob is in Stopped status.")),
}


@pytest.mark.parametrize("state", STATES)
def test_a_job_is_told_as_ack_tells_it(state: str) -> None:
    job, expected = STATES[state]
    status = told(case_of(running(), job))
    assert conditions(status) == expected
    assert status["trainingJobStatus"] == job.description.training_job_status
    assert status["secondaryStatus"] == job.description.secondary_status
    assert status["ackResourceMetadata"] == {
        "arn": ARN, "ownerAccountID": "123456789012", "partition": "aws", "region": "us-west-2",
    }  # fmt: skip
    assert status.get("failureReason") == job.description.failure_reason
    assert status["modelArtifacts"] == {"s3ModelArtifacts": "s3://bucket/out/job/output/model.tar.gz"}
    assert status["creationTime"] == "1970-01-12T13:45:00Z"


@pytest.mark.parametrize("pool", ["Available", "InUse", "Terminated", "Reused", None])
def test_a12_a_warm_pool_leaves_the_resource_synced(pool: str | None) -> None:
    kept = {"Status": pool, "ResourceRetainedBillableTimeInSeconds": 69}
    more = {} if pool is None else {"WarmPoolStatus": kept}
    status = told(case_of(running(), a_job("Completed", "Completed", **more)))
    assert conditions(status)["ACK.ResourceSynced"][0] == "True"
    shown = None if pool is None else {"status": pool, "resourceRetainedBillableTimeInSeconds": 69}
    assert status.get("warmPoolStatus") == shown


INVALID = InvalidJob([Problem(path=(), message="Value '' at 'x' failed to satisfy constraint: y", code="pattern")])
REFUSALS = {
    "A6 a code of the terminal list": (
        ResourceInUse("taken"),
        "ACK.Terminal",
        "ResourceInUse: taken",
    ),
    "A6 what our admission refuses": (
        INVALID,
        "ACK.Terminal",
        "api error ValidationException: 1 validation error detected: Value '' at 'x' failed to satisfy constraint: y",
    ),
    "a place that does not do that": (Unsupported("not here"), "ACK.Terminal", "not here"),
    "A7 a ValidationException of the service": (
        ValidationRefused("No S3 objects found"),
        "ACK.Recoverable",
        "api error ValidationException: No S3 objects found",
    ),
    "a limit": (ResourceLimitExceeded("too large"), "ACK.Recoverable", "ResourceLimitExceeded: too large"),
    "an outage": (Transient("no answer"), "ACK.Recoverable", "ServiceUnavailable: no answer"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refused_create_is_told(refusal: str) -> None:
    error, kind, message = REFUSALS[refusal]
    status = told(case_of(a_resource(), Missing(), fault=fault_of(error)))
    terminal = kind == "ACK.Terminal"
    assert conditions(status) == {
        "ACK.ResourceSynced": (
            ("False", "Resource not synced", "resource is in terminal condition")
            if terminal
            else ("Unknown", UNDETERMINED, message)
        ),
        kind: ("True", message, ""),
        "Ready": ("False", message, kind),
    }
    assert "ackResourceMetadata" not in status
    end = decide(case_of(a_resource(), Missing(), fault=fault_of(error)))
    assert isinstance(end, Settle)
    assert end.again is not terminal
    assert end.after is None


def test_a_request_that_the_service_would_never_take_is_terminal_and_holds_no_finalizer() -> None:
    spec = {**SPEC, "trainingJobName": "not_a_name"}
    status = told(case_of(a_resource(spec, managed=False)))
    assert conditions(status)["ACK.Terminal"][1].startswith(
        "api error ValidationException: 1 validation error detected: Value 'not_a_name' at 'trainingJobName'"
    )


def test_a8_a_foreign_job_is_shown_and_left_alone() -> None:
    case = case_of(a_resource(managed=False), a_job("Completed", "Completed", tags=()))
    status = told(case)
    found = conditions(status)
    assert found["ACK.Terminal"] == ("True", "Resource already exists", deciding.EXISTS_REASON)
    assert found["Ready"] == ("False", "Resource already exists", "ACK.Terminal")
    assert found["ACK.ResourceSynced"] == ("True", "TrainingJob is in Completed status.", "")
    assert status["ackResourceMetadata"]["arn"] == ARN
    assert "ACK.LateInitialized" not in found
    end = decide(case)
    assert isinstance(end, Settle)
    assert end.tale is not None
    assert "left alone" in end.tale.message
    assert status["notices"] == [deciding.TAKEN.format(name="job")]


def test_a9_a_rejected_edit_does_not_stop_tracking() -> None:
    edited = running()
    edited["spec"] = {**SPEC, "hyperParameters": {"eta": "2"}}
    status = told(case_of(edited, a_job()))
    assert conditions(status) == {
        **moving("TrainingJob is in InProgress status."),
        "ACK.Terminal": ("True", updating.ONLY, ""),
        "Ready": ("False", updating.ONLY, "ACK.Terminal"),
    }
    assert status["drift"] == [{"path": "spec.hyperParameters.eta", "desired": '"2"'}]
    assert status["notices"] == [deciding.UNCHANGED.format(places="spec.hyperParameters.eta")]
    later = told(case_of(settled(edited, status), a_job("Completed", "Completed")))
    assert later["trainingJobStatus"] == "Completed"
    assert conditions(later)["ACK.ResourceSynced"][0] == "True"


def test_a10_an_accepted_update_is_told_for_one_pass() -> None:
    edited = running()
    edited["spec"] = {**SPEC, "profilerConfig": {"s3OutputPath": "s3://b/p"}}
    case = case_of(edited, a_job())
    assert isinstance(decide(case), Update)
    updated = case_of(edited, a_job(ProfilerConfig={"S3OutputPath": "s3://b/p"}), updated=True)
    found = conditions(told(updated))
    assert found["ACK.Recoverable"] == ("True", "training job is updating", "")
    assert found["Ready"] == ("False", "training job is updating", "ACK.Recoverable")
    end = decide(updated)
    assert isinstance(end, Settle)
    assert (end.after, end.again) == (POLL, False)


def test_a11_an_outage_keeps_what_was_known_and_says_since_when() -> None:
    before = settled(running(), told(case_of(running(), a_job())))
    status = told(case_of(before, Unseen(Fault("ServiceUnavailable: gone"))))
    assert conditions(status) == {
        "ACK.ResourceSynced": ("Unknown", UNDETERMINED, "ServiceUnavailable: gone"),
        "ACK.Recoverable": ("True", "ServiceUnavailable: gone", ""),
        "Ready": ("False", "ServiceUnavailable: gone", "ACK.Recoverable"),
    }
    assert status["trainingJobStatus"] == "InProgress"
    assert status["unseenSince"] == "1970-01-12T13:46:40Z"
    healed = told(case_of(settled(before, status), a_job()))
    assert "unseenSince" not in healed
    assert conditions(healed) == moving("TrainingJob is in InProgress status.")


def test_what_nobody_watches_is_unknown_with_its_age() -> None:
    status = told(case_of(running(), a_job(stale_for=100.0)))
    assert conditions(status)["ACK.ResourceSynced"][0] == "Unknown"
    assert status["unseenSince"] == "1970-01-12T13:45:00Z"


def test_what_cannot_be_observed_is_unknown_with_its_age() -> None:
    blind = Unobserved(since=NOW - 100.0, reason="the journal cannot be read")
    status = told(case_of(running(), a_job(unobserved=blind)))
    assert conditions(status)["ACK.ResourceSynced"][0] == "Unknown"
    assert status["unseenSince"] == "1970-01-12T13:45:00Z"


# What comes next, scenario by scenario: resource, sight, and the step's type.
READ_ONLY = {"annotations": {"services.k8s.aws/read-only": "true"}}
RETAIN = {"annotations": {"services.k8s.aws/deletion-policy": "retain"}, "deletionTimestamp": DELETED}
DELETING = {"deletionTimestamp": DELETED}
KNOWN = {"status": {"ackResourceMetadata": {"arn": ARN}, "trainingJobName": "job"}}
ENDED = {"status": {**KNOWN["status"], "trainingJobStatus": "Completed"}}
STEPS: dict[str, tuple[Case, type]] = {
    "a new resource is guarded before its job is made": (case_of(a_resource(managed=False)), Patch),
    "a guarded resource makes its job": (case_of(a_resource()), Create),
    "a job that it made, before that was told": (case_of(a_resource(), a_job()), Settle),
    "a job that another made while we tried": (case_of(a_resource(), a_job(tags=())), Patch),
    "a finalizer that somebody took away": (case_of(a_resource(managed=False), a_job()), Patch),
    "a job that vanished is not made again": (case_of(a_resource(**KNOWN)), Settle),
    "a job that ended and was forgotten is not made again": (case_of(a_resource(**ENDED)), Settle),
    "read-only makes nothing": (case_of(a_resource(managed=False, **READ_ONLY)), Settle),
    "Delete=MarkUnmanaged": (case_of(a_resource(**DELETING, **KNOWN), a_job("Completed", "Completed")), Release),
    "Delete of a failed job": (case_of(a_resource(**DELETING, **KNOWN), a_job("Failed", "Failed")), Release),
    "Delete=Successful": (case_of(a_resource(**DELETING, **KNOWN), Missing()), Release),
    "Delete of a running job": (case_of(a_resource(**DELETING, **KNOWN), a_job()), Stop),
    "Delete of a stopping job": (case_of(a_resource(**DELETING, **KNOWN), a_job("Stopping", "Stopping")), Settle),
    "Delete without seeing": (case_of(a_resource(**DELETING, **KNOWN), Unseen(Fault("down"))), Settle),
    "Delete with retain": (case_of(a_resource(**RETAIN, **KNOWN), a_job()), Release),
    "Delete of what was never ours": (case_of(a_resource(**DELETING), a_job(tags=())), Release),
    "Delete without a finalizer": (case_of(a_resource(managed=False, **DELETING), a_job()), Settle),
}  # fmt: skip


@pytest.mark.parametrize("scenario", STEPS)
def test_the_next_step(scenario: str) -> None:
    case, kind = STEPS[scenario]
    assert isinstance(decide(case), kind), decide(case)


def test_the_finalizer_comes_before_the_job_and_a_generated_name_with_it() -> None:
    nameless = {name: value for name, value in SPEC.items() if name != "trainingJobName"}
    step = decide(case_of(a_resource(nameless, managed=False)))
    assert step == Patch(
        {"metadata": {"finalizers": [FINALIZER]}, "spec": {"trainingJobName": "job-111111112222"}}, "manage"
    )
    create = decide(case_of(a_resource(nameless)))
    assert isinstance(create, Create)
    assert create.spec.training_job_name == "job-111111112222"


def test_delete_waits_for_a_stopping_job() -> None:
    case = case_of(a_resource(**DELETING, **KNOWN), a_job("Stopping", "Stopping"))
    found = conditions(told(case))
    assert found["ACK.Recoverable"] == ("True", STOPPING, "")
    assert found["ACK.ResourceSynced"] == ("False", "TrainingJob is in Stopping status.", "")
    end = decide(case)
    assert isinstance(end, Settle)
    assert (end.after, end.again) == (POLL, False)


def test_delete_fails_and_is_tried_again() -> None:
    fault = fault_of(Transient("down"))
    end = decide(case_of(a_resource(**DELETING, **KNOWN), a_job(), fault=fault))
    assert isinstance(end, Settle)
    assert end.again


@pytest.mark.parametrize(
    ("own", "namespace", "flag", "released"),
    [
        (None, None, "delete", False),
        (None, None, "retain", True),
        (None, "retain", "delete", True),
        ("delete", "retain", "retain", False),
        ("anything", None, "delete", True),
    ],
)
def test_the_deletion_policys_precedence(own: str | None, namespace: str | None, flag: str, released: bool) -> None:
    from trainyard.operator.case import Rules

    annotations = {"annotations": {"services.k8s.aws/deletion-policy": own}} if own else {}
    case = case_of(
        a_resource(**DELETING, **KNOWN, **annotations),
        a_job(),
        rules=Rules(scope=case_of(a_resource()).rules.scope, deletion_policy=flag),
        namespace={"sagemaker.services.k8s.aws/deletion-policy": namespace} if namespace else {},
    )
    assert isinstance(decide(case), Release if released else Stop)


def test_late_initialisation_fills_in_seven_members() -> None:
    bare = to_ack(
        {
            "TrainingJobName": "job",
            "RoleArn": "r",
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        }
    )
    resource = a_resource({**bare, "roleARN": SPEC["roleARN"]}, **KNOWN)
    step = decide(case_of(resource, a_job(ResourceConfig={"InstanceType": "ml.m5.large", "VolumeSizeInGB": 5})))
    assert step == Patch(
        {
            "spec": {
                "enableInterContainerTrafficEncryption": False,
                "enableManagedSpotTraining": False,
                "enableNetworkIsolation": False,
                "algorithmSpecification": {"enableSageMakerMetricsTimeSeries": False},
                "outputDataConfig": {"kmsKeyID": "", "compressionType": "GZIP"},
                "resourceConfig": {"instanceCount": 0},
            }
        },
        "late-initialise",
    )


def test_default_tags_go_to_the_job_and_never_into_the_resource() -> None:
    from trainyard.operator.case import Rules
    from trainyard.resource.tagging import DEFAULTS, templates

    rules = Rules(scope=case_of(a_resource()).rules.scope, tags=templates(DEFAULTS), version="1.2")
    spec = {**SPEC, "tags": [{"key": "services.k8s.aws/namespace", "value": "mine"}]}
    create = decide(case_of(a_resource(spec), rules=rules))
    assert isinstance(create, Create)
    assert {tag.key: tag.value for tag in create.spec.tags or ()} == {
        "services.k8s.aws/namespace": "mine",
        "services.k8s.aws/controller-version": "sagemaker-1.2",
        "services.k8s.aws/resource-uid": UID,
    }


def test_tags_are_put_on_and_taken_off_but_those_of_others_stay() -> None:
    spec = {**SPEC, "tags": [{"key": "a", "value": "2"}, {"key": "b", "value": ""}]}
    resource = a_resource(spec, status={**KNOWN["status"], "managedTagKeys": ["a", "old"]})
    job = a_job(tags=(("a", "1"), ("old", "x"), ("theirs", "y")))
    assert decide(case_of(resource, job)) == Retag("job", (("a", "2"), ("b", "")), ("old",))


def test_a_renamed_job_stays_the_resources_own() -> None:
    from trainyard.operator.naming import job_name

    resource = a_resource({**SPEC, "trainingJobName": "other"}, **KNOWN)
    case = case_of(resource, a_job())
    assert job_name(case) == "job"
    status = told(case)
    assert conditions(status)["ACK.Terminal"][1].startswith("trainingJobName cannot be changed")
    assert status["drift"][0] == {"path": "spec.trainingJobName", "desired": '"other"', "observed": '"job"'}


def test_another_job_of_the_same_name_is_not_taken_for_the_one_that_ended() -> None:
    resource = a_resource(status={**ENDED["status"], "creationTime": "1970-01-01T00:00:00Z"})
    status = told(case_of(resource, a_job(tags=())))
    assert status["trainingJobStatus"] == "Completed"
    assert status["notices"] == [deciding.FORGOTTEN]
    deleted = a_resource(**DELETING, status=resource["status"])
    assert isinstance(decide(case_of(deleted, a_job(tags=()))), Release)


ADOPT = {"services.k8s.aws/adoption-policy": "adopt", "services.k8s.aws/adoption-fields": '{"trainingJobName": "job"}'}
ADOPTIONS = {
    "bad JSON": (
        {**ADOPT, "services.k8s.aws/adoption-fields": "{"},
        "unmarshalling adoption-fields annotation: ",
    ),
    "a missing key": (
        {**ADOPT, "services.k8s.aws/adoption-fields": "{}"},
        "Error populating adoption fields: required field missing: trainingJobName",
    ),
}


@pytest.mark.parametrize("scenario", ADOPTIONS)
def test_bad_adoption_fields(scenario: str) -> None:
    from trainyard.operator.naming import BadAdoption, job_name

    annotations, message = ADOPTIONS[scenario]
    with pytest.raises(BadAdoption, match=message):
        job_name(case_of(a_resource({}, managed=False, annotations=annotations)))


def test_an_unknown_policy_is_terminal() -> None:
    annotations = {"services.k8s.aws/adoption-policy": "steal"}
    status = told(case_of(a_resource(managed=False, annotations=annotations), a_job(tags=())))
    assert conditions(status)["ACK.Terminal"][1] == "unrecognized adoption policy: steal"


def test_adopt_takes_the_jobs_settings_over() -> None:
    resource = a_resource({"roleARN": "old", "environment": {"A": "1"}}, managed=False, annotations=ADOPT)
    step = decide(case_of(resource, a_job(tags=(("team", "x"), ("aws:y", "z")))))
    assert isinstance(step, Patch)
    assert step.body["metadata"] == {
        "finalizers": [FINALIZER],
        "annotations": {"services.k8s.aws/adopted": "true"},
    }
    spec = merged(resource["spec"], step.body["spec"])
    assert spec == {**SPEC, "tags": [{"key": "team", "value": "x"}]}
    taken = a_resource(spec, annotations={**ADOPT, "services.k8s.aws/adopted": "true"})
    assert conditions(told(case_of(taken, a_job(tags=(("team", "x"),))))) == moving(
        "TrainingJob is in InProgress status."
    )


def test_adopt_waits_for_a_job_that_is_not_there_and_never_makes_one() -> None:
    status = told(case_of(a_resource({}, managed=False, annotations=ADOPT)))
    assert conditions(status)["ACK.Recoverable"][1] == "adopted resource not found"
    adopted = a_resource(annotations={"services.k8s.aws/adopted": "true"})
    assert conditions(told(case_of(adopted)))["ACK.Recoverable"][1] == "adopted resource not found"


def test_adopt_or_create_does_either() -> None:
    annotations = {"services.k8s.aws/adoption-policy": "adopt-or-create"}
    found = decide(case_of(a_resource(managed=False, annotations=annotations), a_job(tags=())))
    assert isinstance(found, Patch)
    assert "spec" not in found.body
    assert isinstance(decide(case_of(a_resource(annotations=annotations))), Create)
    assert isinstance(decide(case_of(a_resource(annotations=annotations), a_job())), Settle)


def test_read_only_shows_and_touches_nothing() -> None:
    resource = a_resource({**SPEC, "hyperParameters": {"x": "1"}}, managed=False, **READ_ONLY)
    status = told(case_of(resource, a_job(tags=())))
    expected = moving("TrainingJob is in InProgress status.")
    del expected["ACK.LateInitialized"]
    assert conditions(status) == expected
    gone = told(case_of(resource, Missing()))
    assert conditions(gone)["ACK.Recoverable"][1] == "read-only resource not found"


def test_the_time_to_live_begins_with_the_jobs_end() -> None:
    from trainyard.operator.steps import Remove

    kept = a_resource(**KNOWN, annotations={"trainyard/ttl-seconds-after-finished": "60"})
    job = a_job("Completed", "Completed", TrainingEndTime=NOW - 10)
    end = decide(case_of(kept, job))
    assert isinstance(end, Settle)
    assert end.after == 50
    told_already = settled(kept, end.status)
    assert isinstance(decide(case_of(told_already, job, now=NOW + 49)), Settle)
    assert isinstance(decide(case_of(told_already, job, now=NOW + 51)), Remove)
