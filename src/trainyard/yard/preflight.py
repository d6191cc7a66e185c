"""What is asked of the world before a job is accepted: is there data, does the image resolve, is the role known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from trainyard.model.errors import ResourceLimitExceeded, ValidationRefused
from trainyard.model.instances import size_of
from trainyard.model.problems import Problem, Severity
from trainyard.model.record import Placement
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.ports.objects import ObjectStore
from trainyard.ports.runtime import Runtime
from trainyard.ports.scanner import Scanners


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """The questions. `refuse_oversize`: a type larger than the machine is refused instead of cut down.

    one_at_a_time: each job takes the whole machine, because what they share bears one only.

    objects: the store as a job's role sees it.
    """

    objects: Callable[[TrainingJobSpec], ObjectStore]
    runtime: Runtime
    scanners: Scanners
    region: str
    refuse_oversize: bool = False
    one_at_a_time: bool = False
    place: str = "process"
    refusals: Callable[[TrainingJobSpec, str], Sequence[Problem]] = lambda _spec, _place: ()

    async def place_of(self, spec: TrainingJobSpec) -> Placement:
        """Where it will run. Raises ValidationRefused or ResourceLimitExceeded with what to do about it."""
        self.check_fields(spec)
        notices = await self._check_metrics(spec)
        resolution = await self.runtime.resolve(spec)
        if resolution.placement is None:
            raise ValidationRefused("; ".join(problem.message for problem in resolution.problems))
        await self._check_channels(spec)
        placement = resolution.placement
        if notices:
            placement = replace(placement, notices=(*placement.notices, *notices))
        sized = await self._sized(spec, placement)
        return replace(sized, needs=await self.runtime.capacity()) if self.one_at_a_time else sized

    def check_fields(self, spec: TrainingJobSpec) -> None:
        """Refuse what this place does not do. Raises ValidationRefused."""
        refused = list(self.refusals(spec, self.place))
        if refused:
            raise ValidationRefused("; ".join(problem.message for problem in refused))

    async def _check_metrics(self, spec: TrainingJobSpec) -> tuple[str, ...]:
        """What is to be known of the regexes. Raises ValidationRefused for what is none."""
        algorithm = spec.algorithm_specification
        given = [(one.name, one.regex) for one in (algorithm.metric_definitions if algorithm else None) or ()]
        if not given:
            return ()
        problems = await asyncio.to_thread(self.scanners.check, given)
        faults = [problem for problem in problems if problem.severity is Severity.ERROR]
        if faults:
            raise ValidationRefused("; ".join(f"{fault.message} {fault.suggestion or ''}".strip() for fault in faults))
        return tuple(problem.message for problem in problems)

    async def _check_channels(self, spec: TrainingJobSpec) -> None:
        if not spec.input_data_config:
            return
        objects = await asyncio.to_thread(self.objects, spec)  # a role's profile may have to be resolved
        for channel in spec.input_data_config:
            source = channel.data_source.s3_data_source
            if source is not None and not await _has_objects(objects, source.s3_uri):
                place = objects.place_of(source.s3_uri)
                raise ValidationRefused(self._nothing_there(source.s3_uri, place, spec.role_arn))

    def _nothing_there(self, uri: str, place: str, role: str) -> str:
        bucket = uri.partition("://")[2].partition("/")[0]
        return (
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
            f"exists in the selected region ({self.region}), that objects exist under that S3 prefix, and that the "
            f'role "{role}" has "s3:ListBucket" permissions on bucket "{bucket}". (Looked in: {place}.)'
        )

    async def _sized(self, spec: TrainingJobSpec, placement: Placement) -> Placement:
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


async def _has_objects(objects: ObjectStore, uri: str) -> bool:
    async for _ in objects.list(uri):
        return True
    return False


def _words(amount: Resources) -> str:
    gpus = f", {amount.gpus} GPU" if amount.gpus else ""
    return f"{amount.cpus:g} vCPU, {amount.memory / 1024**3:.1f} GiB{gpus}"
