"""What would happen to a job here, without doing it: judged, resolved, counted and queued on paper."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from trainyard.lifecycle import naming, support
from trainyard.lifecycle.admission import objections
from trainyard.lifecycle.schedule import schedule
from trainyard.model.errors import ServiceError, Transient
from trainyard.model.job import Plan
from trainyard.model.keys import JobKey
from trainyard.model.problems import Problem
from trainyard.model.record import JobRecord, Placement
from trainyard.model.spec import TrainingJobSpec
from trainyard.ports.objects import ObjectStore
from trainyard.yard.engine import Yard
from trainyard.yard.preflight import Preflight


@dataclass(frozen=True, slots=True, kw_only=True)
class Planning:
    """Asks what `create` asks, and goes on where that would refuse."""

    yard: Yard
    preflight: Preflight

    async def plan(self, key: JobKey, spec: TrainingJobSpec) -> Plan:
        """The whole plan; `problems` tells every error that would refuse the job."""
        problems = list(objections(spec))
        placement, faults = await self._placed(spec)
        problems += faults
        objects = await self._objects(spec)
        outputs = (("model", naming.model_uri(spec)), ("output", naming.output_uri(spec)))
        stages = await _stages(objects, spec)
        uris = dict.fromkeys([uri for _, uri, _, _ in stages] + [uri for _, uri in outputs])
        resources = spec.resource_config
        place = placement.launcher if placement else self.preflight.place
        return Plan(
            place=place,
            launcher=placement.launcher if placement else "",
            image=placement.image if placement else "",
            instance=(resources.instance_type or "") if resources else "",
            needs=placement.needs if placement else None,
            problems=tuple(problems),
            fields=tuple(support.verdicts(spec, place)),
            stages=stages,
            outputs=outputs,
            stores=tuple((uri, objects.place_of(uri)) for uri in uris) if objects else (),
            waiting=await self._waiting(key, spec, placement) if placement else None,
            notices=placement.notices if placement else (),
            why=placement.why if placement else "",
        )

    async def _placed(self, spec: TrainingJobSpec) -> tuple[Placement | None, list[Problem]]:
        placement, problems = await self.preflight.judged(spec)
        if placement is None:
            return None, problems
        try:
            return await self.preflight.sized(spec, placement), []
        except ServiceError as error:
            return None, [Problem(path=("ResourceConfig", "InstanceType"), message=str(error), code=error.code)]

    async def _objects(self, spec: TrainingJobSpec) -> ObjectStore | None:
        """The store as the job's role sees it; None for a role that is refused."""
        try:
            return await asyncio.to_thread(self.preflight.objects, spec)
        except ServiceError:
            return None

    async def _waiting(self, key: JobKey, spec: TrainingJobSpec, placement: Placement) -> str | None:
        """Why it would wait, were it submitted now."""
        now = self.yard.clock.now()
        candidate = JobRecord(
            key=replace(key, name=f"{key.name} (planned)"), uid="planned", spec=spec, placement=placement,
            created_at=now, modified_at=now,
        )  # fmt: skip
        records = await self.yard.jobs.records(unfinished=True)
        waiting = [*(record for record in records if record.awaits_place), candidate]
        running = [record for record in records if record.placed]
        return schedule(waiting, running, await self.yard.runtime.capacity(), now).reasons.get(candidate.key)


async def _stages(
    objects: ObjectStore | None, spec: TrainingJobSpec
) -> tuple[tuple[str, str, int | None, int | None], ...]:
    stages = []
    for channel in spec.input_data_config or ():
        source = channel.data_source.s3_data_source
        if source is not None:
            counted = await _counted(objects, source.s3_uri) if source.s3_data_type == "S3Prefix" else (None, None)
            stages.append((channel.channel_name, source.s3_uri, *counted))
    return tuple(stages)


async def _counted(objects: ObjectStore | None, uri: str) -> tuple[int | None, int | None]:
    """Objects and bytes under a prefix; None where they cannot be counted now."""
    if objects is None:
        return None, None
    count = total = 0
    try:
        async for info in objects.list(uri):
            count, total = count + 1, total + info.size
    except (ServiceError, Transient):
        return None, None
    return count, total
