"""What a job's program finds of AWS: its own keys, and this home's services at an address inside its network.

The runtime gives the address (runtimes.local.doorway), and whoever leads answers there (wiring.programs). What
stands here is who gets what: a role of settings keeps its own keys and endpoints; any other job has keys that this home
alone knows, good for the job's account and region, asked for with a token of the job's own.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from trainyard.access.seals import Seals
from trainyard.kit.masterkey import master_key
from trainyard.model.arn import partition_of
from trainyard.model.errors import Transient
from trainyard.model.spec import TrainingJobSpec
from trainyard.objects.buckets import Buckets
from trainyard.ports.runtime import RunOrder
from trainyard.runtimes.local.doorway import ADDRESS, PORT
from trainyard.wiring.home import Home
from trainyard.wiring.roles import Roles

TOKENS = "tokens of jobs"  # what they are sealed for
CREDENTIALS = "/v2/credentials/"  # begins the path of a job's own keys
_OWN_WAYS = frozenset({
    "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
})  # fmt: skip
_SUFFIX = {"aws-cn": "amazonaws.com.cn"}


@dataclass(frozen=True, slots=True)
class Inside:
    """The rule."""

    roles: Roles
    buckets: Buckets
    seals: Seals

    def variables(self, order: RunOrder) -> Mapping[str, str]:
        """What leads a program's AWS clients here, with `{port}` for the port; nothing where nothing does."""
        spec = order.spec
        if not can_answer() or not self.answers(spec):
            return {}
        here = f"http://{ADDRESS}:{PORT}"
        payload = {
            "account": order.job.account, "region": order.job.region, "role": spec.role_arn, "run": str(order.key),
        }  # fmt: skip
        keys = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{here}{CREDENTIALS}{order.key.job_uid}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": self.seals.seal(TOKENS, payload),
        }
        if self.roles.has_keys(spec.role_arn):  # of another cloud, whose services they are good for
            return keys
        return {**keys, "AWS_ENDPOINT_URL": here, **self._objects(spec, order.job.region, here)}

    def notices(self, spec: TrainingJobSpec, *, reaches_us: bool) -> tuple[str, ...]:
        """What the user must know of a role that settings say nothing of. reaches_us: the program can ask us."""
        if self.roles.says(spec.role_arn):
            return ()
        has = (
            "keys are good for this Trainyard alone"
            if reaches_us and can_answer() and self.answers(spec)
            else "program has none"
        )
        return (f"The role {spec.role_arn} has no AWS credentials under [roles] in trainyard.toml: the job's {has}.",)

    def answers(self, spec: TrainingJobSpec) -> bool:
        """Whether a job has anything of AWS: not in isolation, and not where it or its role says otherwise."""
        has_own = not _OWN_WAYS.isdisjoint(spec.environment or {})
        return not (spec.enable_network_isolation or has_own or self.roles.is_without(spec.role_arn))

    def _objects(self, spec: TrainingJobSpec, region: str, here: str) -> Mapping[str, str]:
        """Where S3 is: here, unless none of the buckets that the job may be expected to use is."""
        if self.buckets.embeds() or any(self.buckets.embeds(bucket) for bucket in _buckets(spec)):
            return {"AWS_ENDPOINT_URL_S3": here, "S3_ENDPOINT_URL": here}
        suffix = _SUFFIX.get(partition_of(region), "amazonaws.com")
        return {"AWS_ENDPOINT_URL_S3": f"https://s3.{region}.{suffix}"}


def seals_of(home: Home) -> Seals:
    """What this home seals: temporary keys, tokens of jobs. Raises Transient while its secret is damaged."""

    def secret() -> bytes:
        try:
            return master_key(home.session_key)
        except ValueError as error:
            raise Transient(
                f"{error}: remove it. Keys that were given out are good no more then.", after=5.0
            ) from error

    return Seals(secret)


@cache
def can_answer() -> bool:
    """Whether this installation has what answers HTTP."""
    return all(importlib.util.find_spec(name) is not None for name in ("uvicorn", "httptools", "starlette", "orjson"))


def _buckets(spec: TrainingJobSpec) -> list[str]:
    sources = (channel.data_source.s3_data_source for channel in spec.input_data_config or ())
    uris = [spec.output_data_config.s3_output_path, *(source.s3_uri for source in sources if source is not None)]
    return [uri.removeprefix("s3://").partition("/")[0] for uri in uris if uri.startswith("s3://")]
