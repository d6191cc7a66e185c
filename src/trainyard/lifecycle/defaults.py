"""What the service does where a request says nothing. Applied on reading, never written into a spec."""

from __future__ import annotations

from trainyard.model.spec import Channel, TrainingJobSpec


def wants_time_series(spec: TrainingJobSpec) -> bool:
    """EnableSageMakerMetricsTimeSeries; on by itself where there is a metric definition, as the API says."""
    algorithm = spec.algorithm_specification
    if algorithm is None:
        return False
    given = algorithm.enable_sagemaker_metrics_time_series
    return bool(algorithm.metric_definitions) if given is None else given


def input_mode(spec: TrainingJobSpec, channel: Channel) -> str:
    """The channel's effective mode: its own, else the job's."""
    algorithm = spec.algorithm_specification
    return channel.input_mode or (algorithm.training_input_mode if algorithm else "File")
