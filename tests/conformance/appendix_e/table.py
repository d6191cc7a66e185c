# ruff: noqa: E501 - one case, one line
"""The 92 cases of behaviour that tell a faithful training service, and where each one stands.

A case runs where a test carries `@pytest.mark.case(number)`. What cannot run yet stands here with the work that will
bring it and with a look at whether that work is done: from then on the case must run. A case may do both, where one
part runs and `later` says what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trainyard.lifecycle.support import verdicts
from trainyard.lifecycle.support_rows import HONOURED, ROWS
from trainyard.model.spec import TrainingJobSpec


class Work(StrEnum):
    """The pieces of work that are still to come."""

    DOORS = "issue 4: the SageMaker API, stock clients, Amazon SageMaker"
    HOSTS = "issue 5: any image, several hosts"
    DATA = "issue 6: the whole data plane"
    DEBUGGER = "no open issue: rules, reports and trial components"


@dataclass(frozen=True, slots=True)
class Later:
    """What is left of a case, who brings it, and whether it is there already."""

    work: Work
    left: str
    works: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Case:
    """One case in our words; `later` where something of it cannot run yet."""

    number: int
    words: str
    later: Later | None = None


def _takes(**members: Any) -> Callable[[], bool]:
    """Whether a process refuses nothing of a request with these members."""

    def works() -> bool:
        spec = TrainingJobSpec.from_wire({**_PLAIN, **members})
        return all(verdict != "refused" for _, verdict, _ in verdicts(spec, "process"))

    return works


def _keeps_hosts() -> bool:
    """Whether a kept host is more than a notice that there is none."""
    return ROWS["ResourceConfig.KeepAlivePeriodInSeconds"].verdict == HONOURED


def _speaks(door: str, *words: str) -> Callable[[], bool]:
    """Whether a door is there and its source knows these words."""

    def works() -> bool:
        found = find_spec("trainyard.doors")
        folders = found.submodule_search_locations if found is not None else ()
        sources = [path.read_text() for root in folders or () for path in (Path(root) / door).rglob("*.py")]
        return bool(sources) and all(any(word in source for source in sources) for word in words)

    return works


def _is_there(package: str) -> Callable[[], bool]:
    return lambda: find_spec(f"trainyard.{package}") is not None


_PLAIN = {
    "TrainingJobName": "a",
    "RoleArn": "arn:aws:iam::123456789012:role/x",
    "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
}
_HOSTS = Later(
    Work.HOSTS,
    "jobs of several hosts",
    _takes(ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2}),
)
_RULE = [{"RuleConfigurationName": "r", "RuleEvaluatorImage": "i"}]


CASES = (
    # the wire
    Case(1, "boto3 creates a job"),
    Case(2, "the AWS CLI creates one at --endpoint-url"),
    Case(3, "AWS_ENDPOINT_URL alone leads clients here"),
    Case(4, "the SDK's fit with logs runs to its end"),
    Case(5, "the SDK's fit without logs does too"),
    Case(6, "a job that nobody waited for can be attached to"),
    Case(7, "the SDK's third version trains"),
    Case(8, "the waiter sees a job's end"),
    Case(9, "an operation that nobody knows is refused at once"),
    Case(10, "any key signs"),
    Case(11, "an object in signed chunks is taken"),
    Case(12, "bodies come packed or plain"),
    Case(13, "every answer has a request id"),
    Case(14, "times are seconds with milliseconds"),
    # validation
    Case(15, "a name outside its pattern"),
    Case(16, "a name of 64 letters"),
    Case(17, "the instance type `local`, which only the SDK knows"),
    Case(18, "two faults are told in one message"),
    Case(19, "21 channels"),
    Case(20, "two channels of one name"),
    Case(21, "101 hyperparameters"),
    Case(22, "a hyperparameter of 2,501 characters"),
    Case(23, "a variable whose name begins with a digit"),
    Case(24, "a spot job that may wait for less time than it may run"),
    Case(25, "a waiting time on a job that is not spot"),
    Case(26, "a Lustre file system without a network"),
    Case(27, "FastFile over a manifest"),
    Case(28, "an augmented manifest in File mode"),
    Case(29, "RecordIO in File mode"),
    Case(30, "instance groups on some channels only"),
    Case(31, "an instance type beside instance groups"),
    Case(32, "a volume key on a type whose disk is its own"),
    Case(33, "a prefix with nothing under it"),
    Case(34, "a name that is taken"),
    Case(35, "a list of 101 jobs at once"),
    Case(36, "a list of 10 tags at once"),
    Case(37, "a tag's key of 129 letters"),
    Case(38, "51 tags"),
    Case(39, "no algorithm at all"),
    # the container
    Case(40, "every file of the contract, to the byte"),
    Case(41, "every variable of the contract, and no other"),
    Case(42, "`train`, arguments and an entrypoint become the command"),
    Case(43, "algo-2 has an address", _HOSTS),
    Case(44, "exits with 0, 1, 137 and 139"),
    Case(45, "a failure file of 2,000 characters is cut to 1,024"),
    Case(46, "no failure file"),
    Case(47, "SIGTERM, and SIGKILL 120 seconds later"),
    Case(48, "a stop while data is being downloaded"),
    Case(49, "names in the output archive, and two hosts' files in one", _HOSTS),
    Case(50, "an empty model folder"),
    Case(51, "outputs that are not packed"),
    Case(52, "checkpoints restored, synced and deleted"),
    Case(53, "names that checkpoints leave out"),
    Case(54, "a prefix that ends within a name"),
    Case(55, "one single object"),
    Case(56, "objects that are only a folder's marker"),
    Case(57, "a manifest"),
    Case(58, "an augmented manifest in RecordIO frames, to the byte"),
    Case(59, "a pipe for two epochs, and one closed early"),
    Case(60, "a shuffle that its seed repeats"),
    Case(61, "shards that are all objects, each once", _HOSTS),
    Case(62, "a packed pipe"),
    Case(63, "FastFile is there to be read only"),
    Case(64, "isolation: no credentials, no way out, peers reached", _HOSTS),
    Case(65, "variables arrive, also an empty one"),
    Case(66, "100 hyperparameters arrive"),
    # the life
    Case(67, "transitions follow one another without a gap"),
    Case(68, "start, end and billable time add up"),
    Case(69, "the longest runtime stops a job, and its artifacts are there"),
    Case(70, "a stop stops a job, and its artifacts are there"),
    Case(71, "a stop of what is finished is refused in the service's words"),
    Case(72, "a deleted job's name is free again"),
    Case(73, "a running job cannot be deleted"),
    Case(74, "an interrupted spot job goes on and is billed for less than it took"),
    Case(75, "the longest wait is over"),
    Case(76, "an internal error is tried again, the program's own is not"),
    Case(77, "the engine starts again in the middle of a job"),
    Case(78, "a warm pool is used again where it matches", Later(Work.DATA, "warm pools: what is kept, and what is not", _keeps_hosts)),
    Case(79, "a list by status cut before it is filtered"),
    Case(80, "pages stay whole while jobs come and go"),
    # metrics and what watches training
    Case(81, "a metric is the first group; a TAB is #011"),
    Case(82, "final metrics are single precision"),
    Case(83, "averages of a minute"),
    Case(84, "the metrics directory is read"),
    Case(85, "the hosts' own use"),
    Case(86, "the hook's file is read by the real hook", Later(Work.DEBUGGER, "smdebug as a judge", _is_there("debugger"))),
    Case(87, "four rules fire", Later(Work.DEBUGGER, "rules", _takes(DebugRuleConfigurations=_RULE))),
    Case(88, "a rule stops its job"),
    Case(89, "the profiler's report", Later(Work.DEBUGGER, "rules", _takes(ProfilerRuleConfigurations=_RULE))),
    Case(90, "TensorBoard's files are synced"),
    Case(91, "a trial component holds what ran", Later(Work.DEBUGGER, "trial components", _speaks("sagemaker", "DescribeTrialComponent"))),
    Case(92, "search by metric, tag and hyperparameter"),
)  # fmt: skip
