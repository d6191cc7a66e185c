"""The rules between members, which no constraint of the API's model tells: from the service's documents and answers.

Each rule looks at whatever part of the request is sound and says nothing about the rest, so that a request with several
faults hears of all of them at once. Texts in quotation marks in the service's answers stand here to the letter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from trainyard.lifecycle.admission.channels import channel_places, channel_rules
from trainyard.lifecycle.admission.given import Given
from trainyard.lifecycle.admission.hosts import host_rules
from trainyard.lifecycle.admission.members import missing
from trainyard.lifecycle.admission.words import Path, show
from trainyard.model.problems import Problem

DEFAULT_MAX_RUNTIME = 86_400
LONGEST_RUNTIME = 28 * 86_400
_PROFILING_INTERVALS = (100, 200, 500, 1000, 5000, 60_000)
_LOCAL_PATHS = ("CheckpointConfig", "DebugHookConfig", "TensorBoardOutputConfig")
_TAKEN_FOLDERS = ("/opt/ml", "/opt/ml/input", "/opt/ml/model", "/opt/ml/output", "/opt/ml/code")


def broken_rules(wire: Mapping[str, Any], *, local: bool) -> list[Problem]:
    """Every broken rule of a raw request; `local` where the job runs on our own place."""
    job = Given(wire)
    found = [*_algorithm(job), *_stopping(job)]
    for members, rule in _RULES:
        if not members.isdisjoint(wire):
            found += rule(job)
    if local and "InputDataConfig" in wire:
        found += channel_places(job)
    found += host_rules(job, local=local)
    return found


def _algorithm(job: Given) -> Iterator[Problem]:
    if job.has("ServerlessJobConfig"):
        return
    path: Path = ("AlgorithmSpecification",)
    if not job.has("AlgorithmSpecification"):
        yield missing(path)
        return
    algorithm = job.within("AlgorithmSpecification")
    given = algorithm.has("TrainingImage"), algorithm.has("AlgorithmName")
    if all(given):
        message = "Only one of TrainingImage and AlgorithmName can be specified in AlgorithmSpecification"
        yield Problem(path=path, message=message, code="image-and-algorithm")
    elif not any(given):
        message = "One of TrainingImage and AlgorithmName must be specified in AlgorithmSpecification"
        yield Problem(path=path, message=message, code="no-image")
    if algorithm.text("TrainingImageConfig", "TrainingRepositoryAccessMode") == "Vpc" and not job.has("VpcConfig"):
        message = "VpcConfig is required when TrainingRepositoryAccessMode is Vpc"
        yield Problem(path=("VpcConfig",), message=message, code="vpc-required")


def _stopping(job: Given) -> Iterator[Problem]:
    runtime = job.number("StoppingCondition", "MaxRuntimeInSeconds")
    if runtime is not None and runtime > LONGEST_RUNTIME:
        message = f"Invalid MaxRuntimeInSeconds. It must be less than or equal to {LONGEST_RUNTIME} (28 days)"
        yield Problem(path=("StoppingCondition", "MaxRuntimeInSeconds"), message=message, code="max-runtime")
    path: Path = ("StoppingCondition", "MaxWaitTimeInSeconds")
    wait = job.number(*("StoppingCondition", "MaxWaitTimeInSeconds"))
    if not job.true("EnableManagedSpotTraining"):
        if wait is not None:
            message = "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"
            yield Problem(path=path, message=message, code="wait-without-spot")
    elif wait is None or wait < (runtime or DEFAULT_MAX_RUNTIME):
        message = "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        yield Problem(path=path, message=message, code="spot-wait")


def _rule_names(job: Given) -> Iterator[Problem]:
    for member in ("DebugRuleConfigurations", "ProfilerRuleConfigurations"):
        yield from _repeated(job, member, "RuleConfigurationName", "Rule configuration names must be unique")


def _tags(job: Given) -> Iterator[Problem]:
    yield from _repeated(job, "Tags", "Key", "Duplicate tag keys found. Please note that Tag keys are case sensitive")
    for index, tag in job.each("Tags"):
        key = tag.text("Key")
        if key is not None and key.lower().startswith("aws:"):
            message = "aws: prefixed tag key names are not allowed for external use"
            yield Problem(path=("Tags", index, "Key"), message=message, code="reserved-tag")


def _profiler(job: Given) -> Iterator[Problem]:
    interval = job.number("ProfilerConfig", "ProfilingIntervalInMilliseconds")
    if interval is not None and interval not in _PROFILING_INTERVALS:
        allowed = ", ".join(str(known) for known in _PROFILING_INTERVALS)
        message = f"Invalid ProfilingIntervalInMilliseconds {show(interval)}. It must be one of {allowed}"
        path: Path = ("ProfilerConfig", "ProfilingIntervalInMilliseconds")
        yield Problem(path=path, message=message, code="profiling-interval")


def _local_paths(job: Given) -> Iterator[Problem]:
    for structure in _LOCAL_PATHS:
        folder = job.text(structure, "LocalPath")
        if not folder:
            continue
        path: Path = (structure, "LocalPath")
        if not folder.startswith("/") or "\0" in folder or ".." in folder.split("/"):
            message = f"LocalPath '{show(folder)}' must be an absolute path without '..'"
            yield Problem(path=path, message=message, code="local-path")
        elif folder.rstrip("/") in ("", *_TAKEN_FOLDERS):
            message = f"LocalPath '{show(folder)}' is reserved by SageMaker"
            yield Problem(path=path, message=message, code="reserved-path")


def _repeated(job: Given, member: str, key: str, message: str) -> Iterator[Problem]:
    entries = [(index, entry.text(key)) for index, entry in job.each(member)]
    counts = Counter(name for _, name in entries if name is not None)
    seen: set[str] = set()
    for index, name in entries:
        if name is not None and counts[name] > 1 and name in seen:
            yield Problem(path=(member, index, key), message=f"{message}: '{show(name)}'", code="duplicate")
        seen.add(name or "")


# The members that each rule is about: where none of them is given, there is nothing to break.
_RULES: tuple[tuple[frozenset[str], Callable[[Given], Iterator[Problem]]], ...] = (
    (frozenset({"DebugRuleConfigurations", "ProfilerRuleConfigurations"}), _rule_names),
    (frozenset({"Tags"}), _tags),
    (frozenset({"ProfilerConfig"}), _profiler),
    (frozenset(_LOCAL_PATHS), _local_paths),
    (frozenset({"InputDataConfig"}), channel_rules),
)
