"""The schema of a TrainingJob's status: ACK's members with ACK's names and types, then ours, all of them optional."""

from __future__ import annotations

from typing import Any

from trainyard.resource.schemas import Schema


def _text(description: str = "") -> Schema:
    return {"description": description, "type": "string"} if description else {"type": "string"}


def _number(description: str = "") -> Schema:
    told = {"description": description} if description else {}
    return {**told, "type": "integer", "format": "int64"}


def _time(description: str = "") -> Schema:
    told = {"description": description} if description else {}
    return {**told, "type": "string", "format": "date-time"}


def _many(description: str, **members: Schema) -> Schema:
    return {"description": description, "type": "array", "items": {"type": "object", "properties": members}}


def _texts(description: str) -> Schema:
    return {"description": description, "type": "array", "items": {"type": "string"}}


def _one(description: str, **members: Schema) -> Schema:
    return {"description": description, "type": "object", "properties": members}


def _rules(description: str) -> Schema:
    return _many(
        description,
        lastModifiedTime=_time(),
        ruleConfigurationName=_text(),
        ruleEvaluationJobARN=_text(),
        ruleEvaluationStatus=_text("InProgress, NoIssuesFound, IssuesFound, Error, Stopping or Stopped."),
        statusDetails=_text(),
    )


def status_schema(*, strict: bool) -> Schema:
    """The status; `strict` bounds the conditions, which rules look through."""
    members = {**ack_members(), **_of_the_job(), **_of_its_time(), **_of_serverless_jobs(), **_of_running_here()}
    if strict:
        members["conditions"]["maxItems"] = 64
        members["conditions"]["items"]["properties"]["type"]["maxLength"] = 316
        members["conditions"]["items"]["properties"]["message"]["maxLength"] = 32768
    return {
        "description": "How the job stands, as it was last observed.",
        "type": "object",
        "properties": {name: members[name] for name in sorted(members)},
    }


def ack_members() -> dict[str, Any]:
    """The members that ACK's own definition has, and leaves of ours."""
    metadata = _one(
        "Who owns the job and where it is.",
        arn=_text("The job's ARN, once it exists."),
        ownerAccountID=_text("The account that owns the job."),
        partition=_text("The partition of the ARN."),
        region=_text("The region that the job was made in; it does not change."),
    )
    # Region is not required, as it was not when ACK began: objects of that time stay valid.
    metadata["required"] = ["ownerAccountID"]
    conditions = _many(
        "What is to be said about the resource itself.",
        lastTransitionTime=_time("When the condition last changed its status."),
        message=_text("What is so, for a person."),
        observedGeneration=_number("The generation of the resource that the condition speaks of."),
        reason=_text("Why, for a program."),
        status=_text("True, False or Unknown."),
        type=_text("ACK.ResourceSynced, ACK.Terminal, ACK.Recoverable, ACK.LateInitialized or Ready."),
    )
    conditions["items"]["required"] = ["status", "type"]
    return {
        "ackResourceMetadata": metadata,
        "conditions": conditions,
        "creationTime": _time("When the job was created."),
        "debugRuleEvaluationStatuses": _rules("How the debugger's rules stand."),
        "failureReason": _text("Why the job failed."),
        "lastModifiedTime": _time("When the job's status last changed."),
        "modelArtifacts": _one("Where the model was written.", s3ModelArtifacts=_text()),
        "profilerRuleEvaluationStatuses": _rules("How the profiler's rules stand."),
        "profilingStatus": _text("Enabled or Disabled."),
        "secondaryStatus": _text("What the job is doing: Starting, Downloading, Training, Uploading and the like."),
        "trainingJobStatus": _text("InProgress, Completed, Failed, Stopping or Stopped."),
        "warmPoolStatus": _one(
            "What became of the hosts that were kept after the job.",
            resourceRetainedBillableTimeInSeconds=_number(),
            reusedByJob=_text(),
            status=_text("Available, InUse, Reused or Terminated."),
        ),
    }


def _of_the_job() -> dict[str, Any]:
    return {
        "observedGeneration": _number("The generation of the resource that this status speaks of."),
        "trainingJobName": _text("The job's name, also where it was generated."),
        "tuningJobARN": _text("The tuning job that made this job."),
        "labelingJobARN": _text("The labeling job that made this job."),
        "autoMLJobARN": _text("The AutoML job that made this job."),
        "managedTagKeys": _texts("Keys of the job's tags that come from this resource."),
        "drift": _many(
            "Where the job differs from the spec, and cannot be changed to agree.",
            desired=_text("The spec's value, as JSON."),
            observed=_text("The job's value, as JSON."),
            path=_text("The member, such as spec.stoppingCondition.maxRuntimeInSeconds."),
        ),
    }


def _of_its_time() -> dict[str, Any]:
    return {
        "trainingStartTime": _time("When training began."),
        "trainingEndTime": _time("When training ended."),
        "trainingTimeInSeconds": _number("How long it trained."),
        "billableTimeInSeconds": _number("How much of it is billed."),
        "secondaryStatusTransitions": _many(
            "The job's history; the oldest steps are left out where there are many.",
            endTime=_time(),
            startTime=_time(),
            status=_text(),
            statusMessage=_text(),
        ),
        "finalMetricDataList": _many(
            "The last value of each metric.",
            metricName=_text(),
            timestamp=_time(),
            value={"type": "number", "format": "double"},
        ),
    }


def _of_serverless_jobs() -> dict[str, Any]:
    return {
        "billableTokenCount": _number("How many tokens of a serverless job are billed."),
        "progressInfo": _one(
            "How far a serverless job is.",
            currentEpoch=_number(),
            currentStep=_number(),
            maxEpoch=_number(),
            totalStepCountPerEpoch=_number(),
        ),
        "mlflowDetails": _one("The MLflow run of a serverless job.", mlflowExperimentID=_text(), mlflowRunID=_text()),
        "outputModelPackageARN": _text("The model package that a serverless job registered."),
    }


def _of_running_here() -> dict[str, Any]:
    return {
        "logLocation": _one(
            "Where the job's output is.",
            command=_text("The command that shows it."),
            logGroup=_text(),
            logStreamPrefix=_text(),
        ),
        "waiting": _text("What the job waits for."),
        "notices": _texts("What one has to know about how the job runs here."),
        "attempt": _number("Which attempt runs or ran last, counted from one."),
        "launcher": _text("How the job runs: process, container, pod."),
        "image": _text("As what the job runs."),
        "exitCode": _number("The program's exit status."),
        "unseenSince": _time("Since when the service could not be asked; the rest is how the job stood then."),
    }
