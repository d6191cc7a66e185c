"""One pass over one resource: look, decide, do the step, decide again, until it is settled.

Every write names the revision that the decision was made at; whoever wrote in between makes it fail, and the pass is
repeated with what is so then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, assert_never

import orjson

from trainyard.kit.crashpoint import crashpoint
from trainyard.kit.mergepatch import left_undone
from trainyard.kubeapi.client import Client, Object
from trainyard.kubeapi.errors import ApiError, NotFound
from trainyard.kubeapi.kinds import Kind
from trainyard.kubeapi.recorder import Recorder
from trainyard.model.job import Job
from trainyard.operator import deleting
from trainyard.operator.asking import Asking
from trainyard.operator.case import Case, Rules, Seen, Sight, Unseen
from trainyard.operator.decide import decide
from trainyard.operator.metrics import Metrics
from trainyard.operator.naming import BadAdoption, job_name
from trainyard.operator.placing import RoleMaps, place_of
from trainyard.operator.steps import Create, Patch, Release, Remove, Retag, Settle, Step, Stop, Tale, Update
from trainyard.ports.clock import Clock
from trainyard.ports.places import Place
from trainyard.resource.conditions import Fault
from trainyard.resource.names import GROUP, PLURAL, VERSION

TRAINING_JOBS = Kind(GROUP, VERSION, PLURAL)
MOST_STEPS = 12  # of one pass; the longest has five


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a pass works with.

    guard : raises where nothing may be written any more, because another process leads.
    wrote : is given every object that a write answered.
    placed: is told where a resource's job is.
    """

    client: Client
    asking: Asking
    recorder: Recorder
    metrics: Metrics
    clock: Clock
    guard: Callable[[], None]
    wrote: Callable[[Object], Any]
    placed: Callable[[str, Place], None]


class Reconciler:
    """Passes over resources."""

    def __init__(
        self,
        tools: Tools,
        rules: Rules,
        namespace: Callable[[str], Mapping[str, str]],
        roles: Callable[[], RoleMaps] = RoleMaps,
    ) -> None:
        self._tools, self._rules, self._namespace, self._roles = tools, rules, namespace, roles
        self._unkept: dict[tuple[str, str], bytes] = {}  # patches as JSON, of servers that prune what we say

    def forget(self, namespace: str, name: str) -> None:
        """The resource is gone."""
        self._unkept.pop((namespace, name), None)

    async def reconcile(self, resource: Object) -> Settle:
        """Bring one resource and its job together as far as can be now. Raises ApiError, NotLeading."""
        case = await self._case(resource)
        for _ in range(MOST_STEPS):
            step = decide(case)
            if isinstance(step, Settle):
                await self._settle(case, step)
                return step
            moved = await self._carry_out(case, step)
            if moved is None:
                return Settle()
            case = moved
        raise ApiError(f"{resource['metadata']['name']} is not settled after {MOST_STEPS} steps.")

    async def _case(self, resource: Object) -> Case:
        metadata = resource["metadata"]
        namespace = str(metadata.get("namespace") or "")
        unkept = self._unkept.get((namespace, metadata["name"]))
        blank = Case(
            resource=resource, sight=Unseen(Fault("")), rules=self._rules, now=self._tools.clock.now(),
            namespace=self._namespace(namespace), unkept=orjson.loads(unkept) if unkept else {},
        )  # fmt: skip
        placed = place_of(blank, self._roles())
        if isinstance(placed, Fault):
            return replace(blank, sight=Unseen(placed))
        self._tools.placed(f"{namespace}/{metadata['name']}", placed.place)
        case = replace(blank, place=placed.place, drift=placed.drift)
        return replace(case, sight=await self._look(case))

    async def _look(self, case: Case) -> Sight:
        try:
            name = job_name(case)
        except BadAdoption as bad:
            return Unseen(Fault(str(bad), terminal=True))
        return await self._tools.asking.look(_where(case), name)

    async def _carry_out(self, case: Case, step: Step) -> Case | None:
        """The case as it is after a step; None where the pass ends with it."""
        match step:
            case Patch(body, why):
                return replace(case, resource=await self._write(case, body, why))
            case Create(spec):
                return await self._after(case, await self._tools.asking.create(_where(case), spec))
            case Update(update):
                changed = await self._tools.asking.update(_where(case), update)
                return replace(await self._after(case, changed), updated=True)
            case Retag():
                return await self._after(case, await self._tools.asking.retag(_where(case), step))
            case Stop(name):
                return await self._after(case, await self._tools.asking.stop(_where(case), name))
            case Release(why):
                await self._release(case, why)
                return None
            case Remove():
                await self._remove(case)
                return None
            case Settle():
                return None
            case _:
                assert_never(step)

    async def _after(self, case: Case, answer: Job | Fault | None) -> Case:
        if isinstance(answer, Job):
            return replace(case, sight=Seen(answer))
        seen = await self._look(case)
        return replace(case, sight=seen, fault=answer if isinstance(answer, Fault) else None)

    async def _write(self, case: Case, body: Mapping[str, Any], why: str) -> Object:
        self._tools.guard()
        crashpoint(f"operator-before-{why}")
        guarded = {**body, "metadata": {**body.get("metadata", {}), "resourceVersion": _revision(case)}}
        written = await self._tools.client.patch(TRAINING_JOBS, *_place(case), guarded)
        crashpoint(f"operator-after-{why}")
        self._tools.wrote(written)
        return written

    async def _settle(self, case: Case, step: Settle) -> None:
        if step.status:
            self._tools.guard()
            crashpoint("operator-before-status")
            body = {"metadata": {"resourceVersion": _revision(case)}, "status": step.status}
            written = await self._tools.client.patch(TRAINING_JOBS, *_place(case), body, subresource="status")
            crashpoint("operator-after-status")
            self._tools.wrote(written)
            self._remember(case, left_undone(step.status, written.get("status") or {}))
            self._tools.metrics.status_writes.inc()
        if step.status and step.tale is not None:
            self._tell(case, step.tale)

    def _remember(self, case: Case, unkept: Mapping[str, Any]) -> None:
        if unkept:
            self._unkept[_place(case)] = orjson.dumps(unkept)
        else:
            self._unkept.pop(_place(case), None)

    async def _release(self, case: Case, why: str) -> None:
        self._tell(case, Tale("Released", f"The resource is let go: {why}."))
        await self._write(case, {"metadata": {"finalizers": deleting.finalizers_left(case)}}, "release")

    async def _remove(self, case: Case) -> None:
        self._tools.guard()
        namespace, name = _place(case)
        try:
            await self._tools.client.delete(TRAINING_JOBS, namespace, name, uid=case.metadata.get("uid"))
        except NotFound:
            return

    def _tell(self, case: Case, tale: Tale) -> None:
        self._tools.recorder.tell(dict(case.resource), tale.reason, tale.message, warning=tale.warning)


def _where(case: Case) -> Place:
    """The place of a case that something was seen of, or nothing would be asked."""
    return case.place or Place(case.scope.account, case.scope.region)


def _revision(case: Case) -> str:
    return str(case.metadata.get("resourceVersion") or "")


def _place(case: Case) -> tuple[str, str]:
    return str(case.metadata.get("namespace") or ""), str(case.metadata["name"])
