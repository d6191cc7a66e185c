"""What is asked of the world before a job is accepted: is there data, does the image resolve, is the role known."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from trainyard.lifecycle import syncing
from trainyard.lifecycle.defaults import input_mode
from trainyard.model.errors import NeverHere, ResourceLimitExceeded, ValidationRefused
from trainyard.model.instances import size_of
from trainyard.model.problems import Problem, Severity
from trainyard.model.record import Placement
from trainyard.model.resources import Resources
from trainyard.model.spec import S3DataSource, TrainingJobSpec
from trainyard.ports.objects import ObjectStore
from trainyard.ports.runtime import Runtime
from trainyard.ports.scanner import Scanners


async def _anywhere(_uri: str) -> None:
    """Nowhere is anybody refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """The questions. `refuse_oversize`: a type larger than the machine is refused instead of cut down.

    one_at_a_time: each job takes the whole machine, because what they share bears one only.

    objects: the store as a job's role sees it.
    admit: refuses (ValidationRefused) a URI where no job of this account may write.
    """

    objects: Callable[[TrainingJobSpec], ObjectStore]
    runtime: Runtime
    scanners: Scanners
    region: str
    refuse_oversize: bool = False
    one_at_a_time: bool = False
    place: str = "process"  # of a job that no launcher takes
    refusals: Callable[[TrainingJobSpec, str], Sequence[Problem]] = lambda _spec, _place: ()
    admit: Callable[[str], Awaitable[None]] = _anywhere

    async def place_of(self, spec: TrainingJobSpec) -> Placement:
        """Where it will run. Raises ValidationRefused or ResourceLimitExceeded with what to do about it."""
        placement, problems = await self.judged(spec)
        if placement is None:
            never = any(problem.code == "unsupported" for problem in problems)
            raise (NeverHere if never else ValidationRefused)(_joined(problems))
        return await self.sized(spec, placement)

    async def judged(self, spec: TrainingJobSpec) -> tuple[Placement | None, list[Problem]]:
        """The place, not yet cut to this machine's size; where there is none, everything that stands against it."""
        regexes = await self._regexes(spec)
        resolution = await self.runtime.resolve(spec)
        problems = [
            *self.refusals(spec, resolution.placement.launcher if resolution.placement else self.place),
            *(problem for problem in regexes if problem.severity is Severity.ERROR),
            *(resolution.problems if resolution.placement is None else ()),
            *await self._missing(spec),
            *await self._denied(spec),
        ]
        if problems or resolution.placement is None:
            return None, problems
        told = tuple(problem.message for problem in regexes)
        placement = resolution.placement
        return replace(placement, notices=(*placement.notices, *told)) if told else placement, []

    def check_fields(self, spec: TrainingJobSpec, launcher: str) -> None:
        """Refuse what a job's launcher does not do. Raises ValidationRefused."""
        refused = list(self.refusals(spec, launcher))
        if refused:
            raise NeverHere(_joined(refused))

    async def _regexes(self, spec: TrainingJobSpec) -> Sequence[Problem]:
        """What is to be known of the metrics' regexes: notices, and errors for what is none."""
        algorithm = spec.algorithm_specification
        given = [(one.name, one.regex) for one in (algorithm.metric_definitions if algorithm else None) or ()]
        return await asyncio.to_thread(self.scanners.check, given) if given else ()

    async def _missing(self, spec: TrainingJobSpec) -> list[Problem]:
        """An error for every channel that has no data, or whose store cannot be asked for it."""
        if not spec.input_data_config:
            return []
        try:
            objects = await asyncio.to_thread(self.objects, spec)  # a role's profile may have to be resolved
        except ValidationRefused as error:
            return [Problem(path=("RoleArn",), message=str(error), code="role-unusable")]
        asked = [self._fault_of(objects, spec, index) for index in range(len(spec.input_data_config))]
        return [fault for fault in await asyncio.gather(*asked) if fault is not None]

    async def _denied(self, spec: TrainingJobSpec) -> list[Problem]:
        """An error for every place where what the job writes would be refused."""
        problems = []
        for path, uri in syncing.written(spec):
            try:
                await self.admit(uri)
            except ValidationRefused as error:
                problems.append(Problem(path=path, message=str(error), code="output-denied"))
        return problems

    async def _fault_of(self, objects: ObjectStore, spec: TrainingJobSpec, index: int) -> Problem | None:
        channel = (spec.input_data_config or ())[index]
        source = channel.data_source.s3_data_source
        if source is None:
            return None
        path = ("InputDataConfig", index, "DataSource", "S3DataSource", "S3Uri")
        try:
            if await _has_data(objects, source):
                is_whole = input_mode(spec, channel) != "FastFile" or await _is_folder(objects, source.s3_uri)
                return None if is_whole else Problem(path=path, message=_partial(source.s3_uri), code="partial-folder")
        except ValidationRefused as error:
            return Problem(path=path, message=str(error), code="channel-unreachable")
        if source.s3_uri.startswith("file://"):
            message = _no_file(channel.channel_name, source.s3_uri)
        else:
            message = self._no_objects(source.s3_uri, objects.place_of(source.s3_uri), spec.role_arn)
        return Problem(path=path, message=message, code="no-data")

    def _no_objects(self, uri: str, place: str, role: str) -> str:
        bucket = uri.partition("://")[2].partition("/")[0]
        return (
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
            f"exists in the selected region ({self.region}), that objects exist under that S3 prefix, and that the "
            f'role "{role}" has "s3:ListBucket" permissions on bucket "{bucket}". (Looked in: {place}.)'
        )

    async def sized(self, spec: TrainingJobSpec, placement: Placement) -> Placement:
        """The placement with what it takes of this machine. Raises ResourceLimitExceeded where that is too much."""
        sized = await self._cut(spec, placement)
        return replace(sized, needs=await self.runtime.capacity()) if self.one_at_a_time else sized

    async def _cut(self, spec: TrainingJobSpec, placement: Placement) -> Placement:
        resources = spec.resource_config
        if resources is None or resources.instance_type is None:
            return placement
        wanted, machine = size_of(resources.instance_type), await self.runtime.capacity()
        if wanted.fits(machine):
            return replace(placement, needs=wanted)
        text = f"{resources.instance_type} has {_words(wanted)}; this machine has {_words(machine)}"
        if self.refuse_oversize:
            raise ResourceLimitExceeded(f"{text}, and settings refuse oversized jobs (capacity.oversize).")
        return replace(
            placement,
            needs=wanted.at_most(machine),
            notices=(*placement.notices, f"{text}: the job runs at that size."),
        )


async def _has_data(objects: ObjectStore, source: S3DataSource) -> bool:
    """Whether there is an object under the prefix, or the manifest itself; what that names is read when it begins."""
    if source.s3_data_type != "S3Prefix":
        return await objects.head(source.s3_uri) is not None
    async for _ in objects.list(source.s3_uri):
        return True
    return False


async def _is_folder(objects: ObjectStore, uri: str) -> bool:
    """Whether the URI names a folder or one object, and not a part of their names."""
    if uri.endswith("/") or await objects.head(uri) is not None:
        return True
    async for _ in objects.list(f"{uri}/"):
        return True
    return False


def _partial(uri: str) -> str:
    return f"S3Uri {uri} is a part of a name only; in FastFile mode it must name a folder or an object."


def _no_file(channel: str, uri: str) -> str:
    path = uri.removeprefix("file://")
    what = "holds no file, or is not there" if path.endswith("/") else "is no file, and no file's path begins so"
    return f"The channel {channel} is to read {path}, which {what}."


def _joined(problems: Sequence[Problem]) -> str:
    return "; ".join(f"{problem.message} {problem.suggestion or ''}".strip() for problem in problems)


def _words(amount: Resources) -> str:
    gpus = f", {amount.gpus} GPU" if amount.gpus else ""
    return f"{amount.cpus:g} vCPU, {amount.memory / 1024**3:.1f} GiB{gpus}"
