"""The UpdateTrainingJob request: the few members of a job that may change after it was created."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trainyard.model.shapes import Items, Number, Structure, Text
from trainyard.model.spec import ProfilerConfig, ProfilerRuleConfiguration, RemoteDebugConfig


class ResourceConfigForUpdate(Structure):
    """How long the hosts are kept after the job, in seconds."""

    keep_alive_period_in_seconds: Annotated[int, Number(min=0, max=21600)] = Field(alias="KeepAlivePeriodInSeconds")


class TrainingJobUpdate(Structure):
    """One UpdateTrainingJob request."""

    training_job_name: Annotated[str, Text(min=1, max=63, pattern=r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")] = Field(
        alias="TrainingJobName"
    )
    profiler_config: ProfilerConfig | None = Field(None, alias="ProfilerConfig")
    profiler_rule_configurations: Annotated[tuple[ProfilerRuleConfiguration, ...], Items(min=0, max=20)] | None = Field(
        None, alias="ProfilerRuleConfigurations"
    )
    resource_config: ResourceConfigForUpdate | None = Field(None, alias="ResourceConfig")
    remote_debug_config: RemoteDebugConfig | None = Field(None, alias="RemoteDebugConfig")
