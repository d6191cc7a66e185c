"""ports.service.TrainingService over Amazon SageMaker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from trainyard.amazon.asking import list_request, search_request
from trainyard.amazon.calling import Calling
from trainyard.amazon.changes import Changes
from trainyard.amazon.errors import code_of, ours, tries_of
from trainyard.amazon.inputs import Inputs
from trainyard.amazon.logs import CloudWatchLogs, Wanted
from trainyard.amazon.metrics import series
from trainyard.amazon.tags import JobTags
from trainyard.amazon.telling import events_of, job_of, summary_of, tags_in
from trainyard.lifecycle import naming, support
from trainyard.lifecycle.admission import objections
from trainyard.lifecycle.comparing import differences
from trainyard.model.arn import training_job_arn
from trainyard.model.errors import InvalidJob, NeverHere, ResourceNotFound, ServiceError, Unsupported
from trainyard.model.job import Job, JobSummary, ListQuery, Plan, SearchQuery, Series
from trainyard.model.keys import Scope
from trainyard.model.ledger import Change, JobEvent, LogEvent, Page, Point
from trainyard.model.problems import Problem, Severity
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.update import TrainingJobUpdate
from trainyard.ports.clock import Clock

PLACE = "sagemaker"
LOOK = 5.0  # seconds between looks at what moved
_DEBUGGER = (
    "The job has debugger or profiler rules: SageMaker Debugger is closed to accounts that never used it; leave "
    "debugRuleConfigurations and profilerRuleConfigurations out, or run the job here."
)


class AmazonService:
    """Jobs of one account and region."""

    def __init__(self, scope: Scope, calling: Calling, clock: Clock, *, look: float = LOOK) -> None:
        """`look`: seconds between looks at what moved."""
        self._scope, self._calling, self._clock, self._look = scope, calling, clock, look
        self._tags, self._logs = JobTags(calling, clock), CloudWatchLogs(calling)
        self._inputs = Inputs(calling, scope.region)

    @property
    def scope(self) -> Scope:
        """The account and region that names are unique in."""
        return self._scope

    async def create(self, spec: TrainingJobSpec) -> Job:
        """Accept a job. A request that boto3 sent twice because its answer was lost made one job, and that is told."""
        _judge(spec)
        try:
            await self._calling.raw("sagemaker", "create_training_job", **spec.to_wire())
        except ClientError as error:
            if not (code_of(error) == "ResourceInUse" and tries_of(error) and await self._is_made(spec)):
                raise _hinted(ours(error), spec) from error
        except BotoCoreError as error:
            raise ours(error) from error
        else:
            self._tags.put(self._arn(spec.training_job_name), tuple((tag.key, tag.value) for tag in spec.tags or ()))
        return await self.describe(spec.training_job_name)

    async def describe(self, name: str) -> Job:
        """One job."""
        answer = await self._sagemaker("describe_training_job", TrainingJobName=name)
        return job_of(answer, await self._tags.of(answer["TrainingJobArn"]))

    async def list(self, query: ListQuery) -> Page[JobSummary]:
        """One page of jobs; as SageMaker itself, a page that is filtered by status may be short."""
        lines: list[JobSummary] = []
        token = query.token
        while len(lines) < query.limit:
            request = list_request(query, limit=query.limit - len(lines), token=token)
            page = await self._sagemaker("list_training_jobs", **request)
            lines += map(summary_of, page["TrainingJobSummaries"])
            token = page.get("NextToken")
            if not token:
                break
        return Page(tuple(lines), token or None)

    async def search(self, query: SearchQuery) -> Page[Job]:
        """Jobs by any member, tag, hyperparameter or metric."""
        page = await self._sagemaker("search", **search_request(query))
        found = [one["TrainingJob"] for one in page.get("Results", ()) if "TrainingJob" in one]
        return Page(tuple(job_of(one, tags_in(one.get("Tags", ()))) for one in found), page.get("NextToken"))

    async def update(self, update: TrainingJobUpdate) -> Job:
        """Change what may change on a job."""
        await self._sagemaker("update_training_job", **update.to_wire())
        return await self.describe(update.training_job_name)

    async def stop(self, name: str) -> None:
        """Ask a job to end gracefully."""
        await self._sagemaker("stop_training_job", TrainingJobName=name)

    async def delete(self, name: str) -> None:
        """Forget a final job."""
        await self._sagemaker("delete_training_job", TrainingJobName=name)

    async def add_tags(self, name: str, tags: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Add or replace tags."""
        return await self._tags.add(self._arn(name), tags)

    async def delete_tags(self, name: str, keys: Sequence[str]) -> None:
        """Remove tags."""
        await self._tags.remove(self._arn(name), keys)

    async def log_streams(self, name: str) -> Sequence[str]:
        """Names of the job's log streams."""
        return await self._logs.streams(name)

    async def logs(
        self,
        name: str,
        *,
        stream: str | None = None,
        since: float | None = None,
        token: str | None = None,
        tail: int | None = None,
        before: str | None = None,
        limit: int = 10_000,
    ) -> Page[LogEvent]:
        """Lines of one stream, or of all merged by time."""
        return await self._logs.read(
            name, Wanted(stream=stream, since=since, token=token, tail=tail, before=before, limit=limit)
        )

    async def metrics(self, name: str, *, metric: str | None = None, since: float | None = None) -> Sequence[Series]:
        """Series of the algorithm's metrics and of the hosts' use, as CloudWatch keeps them: a point a minute."""
        told = await self._described(name)
        return await series(self._calling, told, now=self._clock.now(), metric=metric, since=since)

    async def newest(self, name: str) -> Sequence[Point]:
        """The last values that DescribeTrainingJob tells."""
        told = await self._described(name)
        return [
            Point(name=one.metric_name or "", value=one.value or 0.0, at=one.timestamp or told.creation_time)
            for one in told.final_metric_data_list or ()
        ]

    async def events(self, name: str, *, token: str | None = None) -> Page[JobEvent]:
        """What happened, oldest first, as the job's history tells it."""
        seen = int(token) if token is not None and token.isdecimal() else 0
        found = events_of(job_of(await self._sagemaker("describe_training_job", TrainingJobName=name), ()))
        return Page(found[seen:], str(len(found)))

    def changes(self, since: int) -> AsyncIterator[Change]:
        """Jobs that moved after revision `since`; the account is looked at every few seconds, in one call."""
        return Changes(self._scope, self.list, since).follow(self._look)

    async def revision(self) -> int:
        """Now, in milliseconds: revisions are times here. Whoever may not list jobs learns it here."""
        await self._sagemaker("list_training_jobs", MaxResults=1)
        return int(self._clock.now() * 1000)

    async def interrupt(self, name: str) -> None:
        """Amazon alone takes capacity away. Raises Unsupported."""
        raise Unsupported(
            f"Nobody but Amazon can interrupt {name}: rehearse an interruption here, with a run of the same manifest."
        )

    async def plan(self, spec: TrainingJobSpec) -> Plan:
        """What is known of a job beforehand; SageMaker itself judges the rest when it is asked."""
        resources = spec.resource_config
        algorithm = spec.algorithm_specification
        seen = await self._inputs.look(spec)
        return Plan(
            place=PLACE,
            launcher=PLACE,
            image=(algorithm.training_image or algorithm.algorithm_name or "") if algorithm else "",
            instance=(resources.instance_type or "") if resources else "",
            problems=(
                *_objections(spec),
                *support.refusals(spec, PLACE),
                *(one.problem for one in seen if one.problem is not None),
            ),
            fields=tuple(support.verdicts(spec, PLACE)),
            stages=tuple(one.stage for one in seen),
            outputs=(("model", naming.model_uri(spec)), ("output", naming.output_uri(spec))),
            notices=(
                *((_DEBUGGER,) if _has_rules(spec) else ()),
                *(one.notice for one in seen if one.notice is not None),
            ),
        )

    async def _is_made(self, spec: TrainingJobSpec) -> bool:
        """Whether the job of that name is the very one that was asked for."""
        try:
            told = await self._described(spec.training_job_name)
        except (ResourceNotFound, ServiceError):
            return False
        return not differences(spec.to_wire(), told.to_wire())

    async def _described(self, name: str) -> Any:
        return job_of(await self._sagemaker("describe_training_job", TrainingJobName=name), ()).description

    async def _sagemaker(self, operation: str, **request: Any) -> Any:
        return await self._calling("sagemaker", operation, **request)

    def _arn(self, name: str) -> str:
        return training_job_arn(self._scope.region, self._scope.account, name)


def _judge(spec: TrainingJobSpec) -> None:
    """Refuse what SageMaker surely would, all of it at once and before anything is sent."""
    problems = _objections(spec)
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise InvalidJob(problems)
    refused = support.refusals(spec, PLACE)
    if refused:
        raise NeverHere("; ".join(problem.message for problem in refused))


def _objections(spec: TrainingJobSpec) -> list[Problem]:
    """A value that our list of an enum lacks is SageMaker's to judge: it gains instance types every month."""
    return [
        replace(one, severity=Severity.NOTICE) if one.code == "enum" else one for one in objections(spec, place=PLACE)
    ]


def _has_rules(spec: TrainingJobSpec) -> bool:
    return bool(spec.debug_rule_configurations or spec.profiler_rule_configurations)


def _hinted(error: Exception, spec: TrainingJobSpec) -> Exception:
    """A refusal that may be because of rules says so; its code stays."""
    if isinstance(error, ServiceError) and _has_rules(spec) and "ebug" in str(error):
        return type(error)(f"{error} {_DEBUGGER}", code=error.code)
    return error
