"""What a job of a role may do here, asked without running one: the rule behind simulated policies."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from trainyard.doors.iam.door import Question
from trainyard.model.buckets import Tenant
from trainyard.objects.buckets import Buckets
from trainyard.wiring.roles import Roles

_BUCKET = re.compile(r"arn:aws[a-z-]*:s3:::(?P<bucket>[a-z0-9.-]{3,63})(/.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Permissions:
    """Buckets are another account's, or need keys that a role has not; nothing else here is forbidden to a job."""

    roles: Roles
    buckets: Buckets
    tenant_of: Callable[[str], Tenant]

    async def allows(self, question: Question) -> bool:
        """The answer."""
        if self.roles.problem(question.role) is not None:
            return False
        found = _BUCKET.fullmatch(question.resource)
        if found is None or not question.action.lower().startswith("s3:"):
            return True
        tenant, has_keys = self.tenant_of(question.scope.account), self.roles.has_keys(question.role)
        return await self.buckets.admits(found["bucket"], tenant, has_keys=has_keys)
