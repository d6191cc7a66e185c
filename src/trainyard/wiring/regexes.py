"""What is to be known of a job's regexes before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from trainyard.model.problems import Problem
from trainyard.model.spec import TrainingJobSpec


def problems_of(spec: TrainingJobSpec) -> Sequence[Problem]:
    """Errors for what is no regex; notices for one that gives no value, and for one that runs slowly."""
    algorithm = spec.algorithm_specification
    given = [(one.name, one.regex) for one in (algorithm.metric_definitions if algorithm else None) or ()]
    if not given:
        return ()
    from trainyard.agent.metrics import Re2Scanners

    return Re2Scanners().check(given)
