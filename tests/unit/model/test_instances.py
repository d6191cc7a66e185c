"""Every training type has a size."""

from __future__ import annotations

import pytest

from trainyard.model.instances import GIB, TRAINING_INSTANCE_TYPES, has_local_disk, size_of
from trainyard.model.resources import Resources


@pytest.mark.parametrize(
    ("kind", "cpus", "memory", "gpus"),
    [
        ("ml.m5.large", 2, 8, 0),
        ("ml.c5.xlarge", 4, 8, 0),
        ("ml.g4dn.xlarge", 4, 16, 1),
        ("ml.p3.2xlarge", 8, 61, 1),
        ("ml.p4d.24xlarge", 96, 1152, 8),
    ],
)
def test_known_sizes(kind: str, cpus: int, memory: int, gpus: int) -> None:
    assert size_of(kind) == Resources(cpus=cpus, memory=memory * GIB, gpus=gpus)


def test_all_types_have_a_size_and_an_unknown_one_has_none() -> None:
    assert all(size_of(kind).cpus >= 2 and size_of(kind).memory >= 4 * GIB for kind in TRAINING_INSTANCE_TYPES)
    assert has_local_disk("ml.g4dn.xlarge")
    assert has_local_disk("ml.m5.large") is False
    assert has_local_disk("local") is None
    with pytest.raises(KeyError):
        size_of("local")
