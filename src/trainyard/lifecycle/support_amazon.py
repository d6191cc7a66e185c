"""The support matrix's rows on Amazon SageMaker: all is passed on as it is given, but for what means nothing there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainyard.lifecycle.support_rows import HONOURED, NOTICE, REFUSED, Case, Row
from trainyard.model.members import paths_of
from trainyard.model.spec import TrainingJobSpec

_PROOF = "tests/conformance/test_amazon_service.py::test_every_member_is_passed_on"
_DEBUGGER = "SageMaker Debugger is closed to accounts that never used it"


def _begins(*prefixes: str) -> Any:
    return lambda value, _request: isinstance(value, str) and value.startswith(prefixes)


_FILES = Case(
    "file://",
    _begins("file://"),
    REFUSED,
    "Amazon cannot read this machine's files: `trainyard data cp` takes them to a bucket",
)
_LOCAL_IMAGE = Case("local/…", _begins("local/"), REFUSED, "the image is an alias of this machine")
_RULES = Case("not empty", lambda value, _request: bool(value), NOTICE, _DEBUGGER)
_CASES: Mapping[str, Case] = {
    "AlgorithmSpecification.TrainingImage": _LOCAL_IMAGE,
    "InputDataConfig[].DataSource.S3DataSource.S3Uri": _FILES,
    "OutputDataConfig.S3OutputPath": _FILES,
    "CheckpointConfig.S3Uri": _FILES,
    "DebugHookConfig.S3OutputPath": _FILES,
    "TensorBoardOutputConfig.S3OutputPath": _FILES,
    "ProfilerConfig.S3OutputPath": _FILES,
    "DebugRuleConfigurations[].S3OutputPath": _FILES,
    "ProfilerRuleConfigurations[].S3OutputPath": _FILES,
    "DebugRuleConfigurations": _RULES,
    "ProfilerRuleConfigurations": _RULES,
}
_SET_THERE = frozenset({"ResourceConfig.SelectedInstanceType", "ResourceConfig.SelectedInstanceCount"})


def _row(path: str) -> Row:
    if path in _SET_THERE:
        return Row(REFUSED, "the service sets it")
    return Row(HONOURED, "passed on as it is given", _PROOF, (_CASES[path],) if path in _CASES else ())


SAGEMAKER_ROWS: Mapping[str, Row] = {path: _row(path) for path, _, _ in paths_of(TrainingJobSpec)}
